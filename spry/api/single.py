"""One command or function as a task, and tasks without a runbook as a plan like any other."""

from __future__ import annotations

import os
from stat import S_ISREG

from spry.api.history import Origin
from spry.core.model import Plan, Settings, Step, Task
from spry.core.plan import Selection
from spry.errors import UsageError
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from spry.api.places import File
    from spry.api.wishes import Wishes
    from spry.core.taskspec import Spec

# In place of a runbook's path. A command is started as it is; a function runs in the environment of its project.
COMMAND, CALL = "<command>", "<function>"
SETTINGS = {COMMAND: Settings(env_mode="system"), CALL: Settings()}
GIVEN = "-"  # the stdin that we were given ourselves


class Execution(NamedTuple):
    """What is to be run and how: `stream` is false for output that is to be shown at the end only.

    `files` are the runbooks that it comes from, if it does.
    """

    plan: Plan
    asked: Wishes
    origin: Origin
    stream: bool = True
    files: Sequence[File] = ()


def command(words: Sequence[str]) -> Task:
    """A command to start as it is, in the current folder."""
    if not words[0]:
        raise UsageError("the command is empty", "name a program")
    return Task(named(os.path.basename(words[0])), "exec", argv=tuple(words), **_here())


def _here() -> dict[str, Any]:
    return {"path": COMMAND, "folder": os.getcwd(), "stdin": stdin()}


def stdin() -> str:
    """What a first task reads: what is piped into us, but neither what is typed nor nothing."""
    try:
        given = os.fstat(0)
    except OSError:
        return ""
    is_empty = S_ISREG(given.st_mode) and os.lseek(0, 0, os.SEEK_CUR) >= given.st_size
    is_nothing = is_empty or given.st_rdev == os.stat(os.devnull).st_rdev
    return "" if os.isatty(0) or is_nothing else GIVEN


def single(task: Task, request: Any, asked: Wishes, *, stream: bool = True) -> Execution:
    """One task with what the command line says of it."""
    task = task._replace(
        timeout=task.timeout if asked.timeout is None else asked.timeout,
        limits=tuple({**dict(task.limits), **dict(limits(request))}.items()),
        name=task.name if request.name is None else checked(request.name),
        tags=request.tag,
        interactive=request.interactive or task.interactive,
    )
    if task.interactive:
        task = task._replace(stdin="")
    return whole((task,), asked._replace(timeout=None), request, stream=stream)


def whole(tasks: tuple[Task, ...], asked: Wishes, request: Any, *, stream: bool = True) -> Execution:
    """Tasks, each of which comes after those it depends on, as a plan that remembers how it was made."""
    plan = plan_of(tasks)
    origin = Origin((), os.path.abspath(request.context or os.getcwd()), Selection((tasks[-1].name,)), tasks=tasks)
    return Execution(plan, asked, origin, stream=stream)


def plan_of(tasks: Sequence[Task]) -> Plan:
    """The plan of tasks in a row."""
    return Plan({task.name: Step(task, task.deps, layer) for layer, task in enumerate(tasks)}, settings=SETTINGS)


def limits(request: Any) -> tuple[tuple[str, float], ...]:
    """`--memory` and `--cpu` as limits of a task."""
    from spry.core.values import limits as read

    found: list[tuple[str, float]] = []
    for name, text in (("memory", request.memory), ("cpu", request.cpu)):
        if text is not None:
            answer = read(f"{name}={text}")
            if isinstance(answer, str) or len(answer) > 1:
                example = "512 (megabytes), 512M or 2G" if name == "memory" else "75 (percent of one processor)"
                raise UsageError(f'--{name}: no such amount: "{text}"', f"write {example}")
            found += answer
    return tuple(found)


def named(text: str) -> str:
    """A name for a task that is like a text."""
    letters = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "_.+-") else "_" for letter in text)
    return letters.lstrip(".+-").removesuffix(".md") or "command"


def checked(name: str) -> str:
    """A name that somebody gave; UsageError if it cannot be one."""
    from spry.core.fence import is_name

    if not is_name(name):
        raise UsageError(f'--name: "{name}" cannot name a task', "use letters, digits and _ . : / + -")
    return name


def from_spec(spec: Spec, folder: str, words: Sequence[str] = (), *, name: str = "", stdin: str = "") -> Task:
    """The task that a saved spec describes; `words` come behind its own."""
    where = os.path.normpath(os.path.join(folder, spec.folder or ""))
    if spec.kind == "function":
        if words:
            raise UsageError(f'"{spec.name}" is a function: it takes no words', "write them into args of the spec")
        argv, path = call(spec.target, spec.args, spec.keywords), CALL
    else:
        path = COMMAND
        argv = (spec.target, *map(_word, spec.args), *words)
    return Task(
        name or spec.name, "exec", argv=argv, path=path, folder=where, stdin=stdin, timeout=spec.timeout,
        limits=spec.limits, env=spec.env, interactive=spec.interactive, inbox=spec.inbox, outbox=spec.outbox,
        reserved=spec.reserved, stream=spec.stream, cleanup=spec.cleanup,
    )  # fmt: skip


def _word(value: object) -> str:
    """A value of a spec as a word of a command."""
    if isinstance(value, str):
        return value
    import json

    return json.dumps(value)


def function(request: Any) -> Task:
    """A call of a function, in the current folder."""
    from spry.api.wishes import assignments
    from spry.core.taskspec import is_function_name

    target = request.function
    if not is_function_name(target):
        raise UsageError(f'--function: "{target}" names no function', "write module:function")
    argv = call(target, request.arg, assignments(request.kw, "--kw"))
    name = named(target.replace(":", ".").rpartition(".")[2])
    return Task(name, "exec", argv=argv, **_here())._replace(path=CALL)


def call(target: str, args: Sequence[object], keywords: Mapping[str, object]) -> tuple[str, ...]:
    """The command that calls a function; which Python that is, the environment of the project says."""
    import json

    import spry

    module, _, name = target.partition(":") if ":" in target else target.rpartition(".")
    caller = os.path.join(os.path.dirname(spry.__file__), "execute", "function.py")
    return ("python3", caller, f"{module}:{name}", json.dumps([list(args), dict(keywords)]))
