"""From a step to an attempt that can start, and from what it leaves to values that its dependents use."""

from __future__ import annotations

import os

from spry.core.model import HANDLED
from spry.core.program import is_handled
from spry.engine.environments import Environments
from spry.engine.leavings import Leavings
from spry.errors import HostError, SpryError
from spry.execute.command import ScriptFolder, command
from spry.execute.interpreter import resolve
from spry.execute.protocol import Attempt
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from spry.core.events import TaskFinished
    from spry.core.masking import Stream
    from spry.core.model import Plan, Settings, Step, Task
    from spry.engine.artifacts import Artifacts
    from spry.engine.freshness import Freshness
    from spry.engine.messages import Messages
    from spry.engine.secrets import Secrets
    from spry.execute.interpreter import Interpreter
    from spry.execute.protocol import Call


class Situation(NamedTuple):
    """What surrounds a run: the caller's environment and folder, and what the command line gave.

    `params` are values by task and parameter, `words` the `"$@"` of a task by its name; `scratch` is a
    private folder of this run for small files, there from the start; `warn` tells people what no event can. `calls`
    are asked when an attempt of their task begins: for what to call in place of a process, if anything.
    """

    run: str
    environ: Mapping[bytes, bytes]
    folder: str
    scratch: str
    env: Mapping[str, str] = {}
    params: Mapping[str, Mapping[str, str]] = {}
    words: Mapping[str, tuple[str, ...]] = {}
    warn: Callable[[str], None] = print
    calls: Mapping[str, Callable[[int], Call | None]] = {}


class Attempts:
    """Makes attempts out of the steps of one plan, and keeps what they leave."""

    def __init__(self, plan: Plan, situation: Situation) -> None:
        self.plan, self.situation = plan, situation
        self.warn = situation.warn
        self.scripts = ScriptFolder()
        self.interpreters: dict[str, Interpreter] = {}
        self.folders: dict[tuple[str, str, bool, str | None], str] = {}
        self.left = Leavings(plan, situation.scratch, self.shown)
        self.environments = Environments(plan, situation.environ, situation.params, situation.env)
        self.freshness: Freshness | None = None
        self._half_kept: set[str] = set()
        self.messages: Messages | None = None
        self.artifacts: Artifacts | None = None
        self.secrets: Secrets | None = None
        if plan.has_secrets:
            from spry.engine.secrets import Secrets  # noqa: PLC0415 - few runbooks have any

            self.secrets = Secrets(plan, situation.params, self.environments.known(), situation.warn)

    def check(self, names: Collection[str] | None = None) -> None:
        """Find programs, folders and files before anything starts; HostError or UsageError names what is missing.

        With `names` only for these tasks. A folder, a file, or a program that the task names itself may yet be made by
        a dependency.
        """
        for step in self.plan.steps.values() if names is None else map(self.plan.steps.__getitem__, names):
            task = step.task
            explicit = task.interpreter is not None or task.body.startswith("#!")
            if not task.needs_process or (step.deps and (explicit or task.env_files)):
                continue
            if self.asks_copilot(task):
                from spry.execute.copilot import check  # noqa: PLC0415 - few runbooks have prompts

                check(task)
                continue
            if self.environments.may_come(step):
                continue
            self.interpreters[task.name] = self.interpreter(step)
            if not step.deps and not os.path.isdir(self.folder(task)):
                place = f"{task.path}:{task.line}"
                message = f'task "{task.name}" ({place}): its working folder does not exist: {self.folder(task)}'
                raise HostError(message, "make the folder, or correct --cwd or spry.cwd")

    def prepare(self, step: Step, number: int) -> Attempt | None:
        """The attempt that runs a step, or None if it needs no process (now); SpryError if it cannot start."""
        task = step.task
        self.left.begin(task, number)
        self._begin_files(task, number)
        call = self._called(task, number)
        if call is not None:
            return Attempt(task.name, number, (), {}, "", call=call)
        if self.messages is not None:
            if not self.messages.begin(task):
                return None
        elif task.inbox or task.outbox:
            raise SpryError(f'task "{task.name}" has queues, and is run where there are none', "spry task runs it")
        if not task.needs_process:
            if task.is_env:
                self._lend(step)
            return None
        body, values = self.rendered(step, number)
        if self.asks_copilot(task):
            from spry.execute.copilot import Asking  # noqa: PLC0415 - as above

            return Attempt(task.name, number, (), {}, "", call=Asking(task, body))
        told = self.told(step, number)
        if self.messages is not None:
            told.update(self.messages.told(task, self.situation.run))
        env = self.environments.of(step, {**told, **values})
        interpreter = self.interpreters.get(task.name) or self.interpreter(step)
        words, cwd = self.situation.words.get(task.name, ()), self.folder(task)
        if self.artifacts is not None and task.isolated:
            cwd = self.artifacts.folder(task)
        private, veil = self._guarded(task, body, env) if self.secrets is not None else (False, None)
        made = command(interpreter, task, body, words, cwd=cwd, scripts=self.scripts, private=private)
        argv = (*self.environments.isolation(step).runner, *made.argv)
        limits, terminal = task.limits, task.interactive
        return Attempt(task.name, number, argv, env, made.cwd, "", limits, terminal, veil, self._stdin(task))

    def _stdin(self, task: Task) -> str:
        """What an attempt reads: the message it took, else what it was given."""
        message = self.messages.stdin(task) if self.messages is not None else ""
        return message or (self.left.piped(task.stdin) if task.stdin else "")

    def _called(self, task: Task, number: int) -> Call | None:
        """What is called in place of a process, if a program has something for that."""
        asked = self.situation.calls.get(task.name)
        return asked(number) if asked else None

    def asks_copilot(self, task: Task) -> bool:
        """Whether a task is a prompt or for an agent, and no command is named that would take it."""
        return task.language in HANDLED and is_handled(task, self.settings(task))

    def _guarded(self, task: Task, body: str, env: Mapping[bytes, bytes]) -> tuple[bool, Stream | None]:
        """Learn the secrets of an environment: whether the script holds one, and what hides them on a terminal."""
        assert self.secrets is not None
        self.secrets.watch(env)
        return self.secrets.are_for(task, body), self.secrets.masker.stream() if task.interactive else None

    def _begin_files(self, task: Task, number: int) -> None:
        """An attempt begins: where its files are; SpryError where nobody has said where those are kept."""
        if not (task.isolated or task.saves):
            return
        if self.artifacts is None:
            raise SpryError(f'"{task.name}" has artifacts, and this run has no store for them')
        self.artifacts.begin(task.name, number, self.left.ended)
        if not task.needs_process:
            self.artifacts.ready(task.name)

    def _lend(self, step: Step) -> None:
        """An env cell is not executed: its text is its output, and its variables are lent to its dependents."""
        body, _ = self.rendered(step)
        self.environments.lend(step.task, body)
        if self.secrets is not None:
            self.secrets.watch(self.environments.offered(step.task))
        self.left.took(step.task.name, os.fsencode(body))

    def interpreter(self, step: Step) -> Interpreter:
        """The program that runs a task, looked up on the task's own PATH; HostError if it is not there.

        Where another program runs it (`uv run`), that one looks it up.
        """
        task = step.task
        path = os.fsdecode(self.environments.path(step))
        by_name = bool(self.environments.isolation(step).runner)
        return resolve(task, self.settings(task), path=path, cwd=self.folder(task), by_name=by_name)

    def folder(self, task: Task) -> str:
        """The working folder of a task: its `--cwd` or `spry.cwd` from the runbook's folder on, absolute.

        Of an isolated task it is the runbook's own, where its captures go and its programs are looked up.
        """
        key = task.path, task.folder, task.isolated, task.cwd
        if key not in self.folders:
            path = task.folder
            if not task.isolated:
                path = os.path.join(path, self.settings(task).cwd or "", task.cwd or "")
            self.folders[key] = os.path.normpath(path)
        return self.folders[key]

    def place(self, task: Task) -> str:
        """The folder that the patterns of a task are relative to: its working folder, or its runbook's if isolated."""
        return task.folder if task.isolated or task.restore is not None else self.folder(task)

    def settings(self, task: Task) -> Settings:
        """The front matter of the file a task stands in."""
        return self.environments.settings(task)

    def rendered(self, step: Step, number: int = 1) -> tuple[str, Mapping[str, str]]:
        """The script of an attempt, and the variables that carry its values; RenderError for a key without one."""
        if not step.task.expressions:
            return step.task.body, {}
        from spry.engine.rendering import rendered  # noqa: PLC0415 - few tasks interpolate

        return rendered(step, number, self)

    def told(self, step: Step, number: int) -> dict[str, str]:
        """The variables that tell a task about its run."""
        task = step.task
        stdin = task.path.startswith("<")
        return {
            "SPRY": "1",
            "SPRY_RUN_ID": self.situation.run,
            "SPRY_TASK": task.name,
            "SPRY_ATTEMPT": str(number),
            "SPRY_FILE": task.path if stdin else os.path.join(task.folder, os.path.basename(task.path)),
            "SPRY_DIR": task.folder,
            "SPRY_CALLER_DIR": self.situation.folder,
            "SPRY_OUTPUT": self.left.output_file(task.name),
            "SPRY_UPSTREAM": self.left.upstream_file(step),
            "SPRY_PROGRESS": self.left.progress_file,
        }

    def took(self, name: str, data: bytes) -> None:
        """Some stdout of a running attempt."""
        self.left.took(name, data)

    def keep(self, step: Step, exit_code: int | None) -> str | Call:
        """Keep what a successful attempt left; what is wrong with that, or nothing. HostError without room for it.

        What takes long is a call: when that has ended, this goes on where it was.
        """
        task, left = step.task, self.left
        fault = ""
        if task.name not in self._half_kept:
            fault = left.keep(task, self.folder(task)) or self._keep_files(step)
            if self.secrets is not None:
                self.secrets.left({**left.captured.get(task.name, {}), **left.outputs.get(task.name, {})})
        self._half_kept.discard(task.name)
        if self.freshness is not None and not fault:
            found = self.freshness.keep(step, exit_code)
            if not isinstance(found, str):
                self._half_kept.add(task.name)
                return found
            fault = found
        if self.messages is not None and not fault:
            fault = self.messages.keep(task, left.keepers.get(task.name), self.secrets)
        return fault

    def _keep_files(self, step: Step) -> str:
        """Keep what a successful attempt saved."""
        if self.artifacts is None or not step.task.saves:
            return ""
        try:
            self.artifacts.keep(step)
        except HostError:
            raise
        except SpryError as error:
            return self.shown(error.message)
        return ""

    def over(self, name: str) -> None:
        """An attempt is over, kept or not."""
        self._half_kept.discard(name)
        if self.artifacts is not None and self.artifacts.concerns(name):
            self.artifacts.over(name)

    def shown(self, text: str) -> str:
        """Text as people may see it."""
        return text if self.secrets is None else self.secrets.text(text)

    def remark(self, name: str) -> str:
        """What there is to say of a task that needed no process."""
        return self.messages.remark(self.plan.steps[name].task) if self.messages is not None else ""

    def recall(self, event: TaskFinished, captured: Mapping[str, str], outputs: Mapping[str, str]) -> None:
        """How a task ended in an earlier run and what it left, for its dependents in this one."""
        self.left.recall(event, captured, outputs)

    def finished(self, event: TaskFinished) -> None:
        """A task has its outcome: its dependents may ask for it."""
        self.left.finished(event)
        if self.messages is not None:
            self.messages.finished(self.plan.steps[event.task].task, event)

    def close(self) -> None:
        """Remove everything of this run that is not for keeping, or say what stays."""
        if self.freshness is not None:
            self.freshness.close()
        self.scripts.close()
        if self.messages is not None:
            self.messages.close()
        for part in (self.left, self.artifacts):
            fault = part.close() if part is not None else ""
            if fault:
                self.warn(fault)
