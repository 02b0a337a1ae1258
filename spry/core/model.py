"""The values a runbook is made of.

They are NamedTuples, not dataclasses: `import dataclasses` alone costs as much as starting Python, and a plan of
10,000 tasks loads from the cache five times faster as tuples (bench/startup.py measures both).
"""

from __future__ import annotations

from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

SHELLS = frozenset({"bash", "sh", "zsh", "shell", "fish"})
ENV = frozenset({"env", "envrc"})
HANDLED = frozenset({"prompt", "agent"})


def is_elsewhere(dep: str) -> bool:
    """Whether a dependency that no task has for its name is one in another repository: `repository//task`."""
    repository, between, task = dep.partition("//")
    return bool(repository and between and task)


class Parameter(NamedTuple):
    """A typed value that a task asks for, seen by it as `$NAME` (`-` becomes `_`)."""

    name: str
    type: str = "str"
    default: str | None = None
    choices: tuple[str, ...] = ()
    line: int = 0
    column: int = 0

    @property
    def variable(self) -> str:
        """The environment variable that carries the value."""
        return self.name.replace("-", "_")


class Expression(NamedTuple):
    """One `${captured.KEY}`, `${env.NAME}` or `${param.NAME}` in the body of an interpolating task.

    `start` and `end` are offsets into `Task.body`; `line` and `column` are places in the file. `context` says where
    in a shell script it stands: `plain`, `double` (inside double quotes), `heredoc`, `arithmetic`; or `text` when the
    task is not a shell script. `path` is the file if it is not the task's own (text of a PARTIAL may come from there).
    """

    start: int
    end: int
    kind: str
    key: str
    context: str
    line: int
    column: int
    path: str = ""


class Task(NamedTuple):
    """One cell that can run, with every value resolved: cell over DEFAULTS over front matter over built-in.

    `line`, `column` are the place of the NAME, `body_line` the file line of the body's first line. Times are seconds.
    With an `argv` it is no cell but a command to start as it is, without a shell; `stdin` is `-` for what we were
    given ourselves, or the dependency whose output it reads. What its spec says of its run: without `stream` the output
    is shown at the end, without `cleanup` the queues of the run stay in sight.
    """

    name: str
    language: str
    body: str = ""
    path: str = "runbook.md"
    folder: str = "."
    line: int = 1
    column: int = 1
    body_line: int = 2
    deps: tuple[str, ...] = ()
    dep_marks: tuple[tuple[int, int], ...] = ()
    injected_dep: str | None = None
    descr: str = ""
    graphs: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    is_finally: bool = False
    optional: bool = False
    timeout: float | None = None
    attempts: int = 1
    backoff: float = 0.0
    backoff_factor: float = 1.0
    env: tuple[tuple[str, str], ...] = ()
    env_files: tuple[str, ...] = ()
    cwd: str | None = None
    interpreter: str | None = None
    limits: tuple[tuple[str, float], ...] = ()
    exit_codes: tuple[int, ...] = (0,)
    strict: bool = True
    interactive: bool = False
    confirm: str | None = None
    silent: bool = False
    captures: tuple[str, ...] = ()
    gitignore: str | None = None
    interpolate: bool = False
    injectable: bool = False
    params: tuple[Parameter, ...] = ()
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    saves: tuple[str, ...] = ()
    save_marks: tuple[tuple[int, int], ...] = ()
    restore: str | None = None
    isolated: bool = False
    inbox: str | None = None
    outbox: str | None = None
    reserved: str | None = None
    expressions: tuple[Expression, ...] = ()
    origins: tuple[tuple[str, str], ...] = ()
    argv: tuple[str, ...] = ()
    stdin: str = ""
    stream: bool = True
    cleanup: bool = True

    @property
    def is_env(self) -> bool:
        """Whether this is an `env` cell: text that is captured and lent to dependents, never executed."""
        return self.language in ENV

    @property
    def needs_process(self) -> bool:
        """Whether running it starts a process: an empty body groups its dependencies and succeeds by itself."""
        return bool(self.argv) or (not self.is_env and bool(self.body.strip()))

    @property
    def capture_keys(self) -> tuple[str, ...]:
        """The captures kept as values; those that start with `./` are files."""
        return tuple(key for key in self.captures if not key.startswith("./"))

    @property
    def capture_files(self) -> tuple[str, ...]:
        """The captures written to files, as written in the runbook (`./out/list.txt`)."""
        return tuple(key for key in self.captures if key.startswith("./"))


def graphs_of(tasks: Iterable[Task]) -> dict[str, None]:
    """The graphs that tasks are put into, in document order, each once."""
    return dict.fromkeys(name for task in tasks for name in task.graphs)


def tags_of(tasks: Iterable[Task]) -> dict[str, None]:
    """The tags that tasks have, in document order, each once."""
    return dict.fromkeys(name for task in tasks for name in task.tags)


class Settings(NamedTuple):
    """What the front matter of one runbook says under `spry:` (`defaults` are already in its tasks)."""

    jobs: int | None = None
    shell: str | None = None
    interpreters: Mapping[str, str] = {}
    cwd: str | None = None
    grace: float | None = None
    env: Mapping[str, str] = {}
    env_files: tuple[str, ...] = ()
    stream: bool | None = None
    env_mode: str | None = None
    graphs: Mapping[str, str] = {}
    handlers: Mapping[str, str] = {}
    keep_artifacts: float | None = None
    secrets: tuple[str, ...] = ()
    description: str = ""
    title: str = ""


class Runbook(NamedTuple):
    """Everything that was read: tasks by name in document order, and the settings of each file by its path."""

    tasks: Mapping[str, Task]
    settings: Mapping[str, Settings]


class Graph(NamedTuple):
    """A valid runbook with its edges resolved.

    `order` is one topological order of all task names, ties in document order. `deps` maps every task to its
    dependencies (written, injected and implied ones, in that order, each once). `kinds` names the edges
    (dependency, dependent) that nobody wrote: `injected`, or `capture:KEY`.
    """

    runbook: Runbook
    order: tuple[str, ...]
    deps: Mapping[str, tuple[str, ...]]
    kinds: Mapping[tuple[str, str], str]


class Step(NamedTuple):
    """One task in a plan: `deps` are its dependencies inside the plan, `layer` its topological generation from 0."""

    task: Task
    deps: tuple[str, ...]
    layer: int = 0


class Plan(NamedTuple):
    """What a selection comes to: steps by name in topological order. `skipped` were left out by --skip."""

    steps: Mapping[str, Step]
    kinds: Mapping[tuple[str, str], str] = {}
    settings: Mapping[str, Settings] = {}
    skipped: tuple[str, ...] = ()

    @property
    def has_files(self) -> bool:
        """Whether any task declares its inputs or outputs."""
        return any(step.task.inputs or step.task.outputs for step in self.steps.values())

    @property
    def has_artifacts(self) -> bool:
        """Whether any of its tasks saves files, or works in a folder of its own."""
        return any(step.task.saves or step.task.isolated for step in self.steps.values())

    @property
    def has_messages(self) -> bool:
        """Whether any of its tasks reads or writes a queue."""
        return any(step.task.inbox or step.task.outbox for step in self.steps.values())

    @property
    def has_secrets(self) -> bool:
        """Whether it declares any: a parameter of that type, or names under `spry.secrets`."""
        if any(settings.secrets for settings in self.settings.values()):
            return True
        with_parameters = (step.task.params for step in self.steps.values() if step.task.params)
        return any(one.type == "secret" for params in with_parameters for one in params)


class Terms(NamedTuple):
    """On which terms a run goes: `timeout` (seconds) is the whole run's, `grace` (seconds) lies between TERM and KILL.

    `graces` are those of tasks that have another one; of each of the `crowds` so many tasks run at once at most.
    `done` are tasks that need not run, with the words why: what they left is with the attempts already. With
    `own_code` the run ends with the exit code of the task that failed.
    """

    jobs: int = 1
    fail_fast: bool = False
    timeout: float | None = None
    yes: bool = False
    grace: float = 5.0
    done: Mapping[str, str] = {}
    graces: Mapping[str, float] = {}
    crowds: Sequence[tuple[Collection[str], int]] = ()
    own_code: bool = False


USUAL_TERMS = Terms()
