"""What a saved spec says: a command or a function with its limits, or a pipeline of them, read from JSON.

The names are those of weft's TaskSpec. Every problem of a file is reported at once, each with its place.
"""

from __future__ import annotations

from spry.core import specvalues
from spry.core.fence import is_name
from spry.core.jsontext import MalformedError, Value, parse
from spry.core.specvalues import LIST, OBJECT, STRING
from spry.core.text import closest, listing
from spry.errors import RunbookError
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from spry.core.source import Source
    from spry.errors import Problem

TOP = ("name", "description", "version", "spec", "metadata")
RUNTIME = ("tid", "io", "state")
KINDS = ("command", "function")
FOR_FUNCTIONS = ("function_target", "keyword_args")
TARGETS = ("type", "process_target", "function_target")
IGNORED = ("weft_context",)  # the project of a task of weft, where ours belong to the one they are in


class Spec(NamedTuple):
    """One command or function: `target` is a program, or `module:function`; `timeout` in seconds, None for none.

    `limits` and `env` are as in `core.model.Task`; `folder` is where it runs, from the project's folder on. `stream`
    is false for output that is to be shown at the end only, `cleanup` for queues that stay in sight.
    """

    name: str
    kind: str
    target: str
    args: tuple[object, ...] = ()
    keywords: Mapping[str, object] = {}
    timeout: float | None = None
    limits: tuple[tuple[str, float], ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    stream: bool = True
    cleanup: bool = True
    folder: str | None = None
    interactive: bool = False
    inbox: str | None = None
    outbox: str | None = None
    reserved: str | None = None


class Stage(NamedTuple):
    """One stage of a pipeline: a spec of its own, or the `saved` name of one."""

    name: str
    spec: Spec | None
    saved: str = ""


class Pipeline(NamedTuple):
    """Stages in order: the output of each is the input of the next."""

    name: str
    stages: tuple[Stage, ...]


def task_spec(source: Source, name: str) -> Spec:
    """The spec in a file, called `name` if it has no name of its own; RunbookError with everything wrong in it."""
    reader = Reader(source)
    found = reader.task(reader.parsed(), name)
    reader.conclude()
    assert found is not None
    return found


def pipeline(source: Source, name: str) -> Pipeline:
    """The pipeline in a file, called `name` if it has no name of its own; RunbookError as above."""
    reader = Reader(source)
    found = reader.pipeline(reader.parsed(), name)
    reader.conclude()
    assert found is not None
    return found


class Reader:
    """Reads one file and gathers what is wrong with it."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.problems: list[Problem] = []

    def parsed(self) -> Value:
        """The file as a value; RunbookError if it is no JSON."""
        try:
            return parse(self.source.text)
        except MalformedError as error:
            raise RunbookError([self.problem(f"no JSON: {error.message}", error.at, error.at + 1)]) from None

    def conclude(self) -> None:
        """Raise what was gathered, if anything was."""
        if self.problems:
            raise RunbookError(sorted(self.problems, key=lambda one: (one.line, one.column)))

    def problem(self, message: str, start: int, end: int, hint: str = "") -> Problem:
        """A problem with the place of these offsets."""
        before = self.source.text[:start]
        line, column = before.count("\n") + 1, start - (before.rfind("\n") + 1) + 1
        return self.source.problem(message, line, column, max(end - start, 1), hint)

    def fault(self, value: Value, message: str, hint: str = "") -> None:
        """Something is wrong with this value."""
        self.problems.append(self.problem(message, value.start, value.end, hint))

    def task(self, top: Value, name: str) -> Spec | None:
        """A TaskSpec."""
        members = self.members(top, TOP, "a task spec")
        name = self.own_name(members, name)
        inner = members.get("spec")
        if inner is None:
            if top.kind == OBJECT:
                self.fault(top._replace(end=top.start + 1), '"spec" is missing', 'write {"name": …, "spec": {…}}')
            return None
        before = len(self.problems)
        fields = self.members(inner, (*TARGETS, *TAKERS, *IGNORED), "spec")
        kind = self.kind(fields)
        is_whole = len(self.problems) == before  # what is misspelled is not reported as missing, too
        target = self.target(kind, fields, inner) if is_whole else ""
        values: dict[str, Any] = {}
        for key, value in fields.items():
            if key in TAKERS:
                field, take = TAKERS[key]
                values[field] = take(self, key, value)
        return Spec(name, kind, target, **values)

    def pipeline(self, top: Value, name: str) -> Pipeline | None:
        """A pipeline."""
        members = self.members(top, ("name", "description", "version", "stages", "metadata"), "a pipeline")
        name = self.own_name(members, name)
        stages = members.get("stages")
        if stages is None or not self.expect(stages, LIST, "stages") or not stages.items:
            if not self.problems:
                self.fault(stages or top._replace(end=top.start + 1), '"stages" needs at least one stage')
            return None
        found = [self.stage(stage, number) for number, stage in enumerate(stages.items, 1)]
        names: set[str] = set()
        for stage, value in zip(found, stages.items, strict=True):
            if stage.name in names:
                self.fault(value._replace(end=value.start + 1), f'two stages are called "{stage.name}"')
            names.add(stage.name)
        return Pipeline(name, tuple(found))

    def stage(self, value: Value, number: int) -> Stage:
        """A stage: the name of a saved spec, `{"name": …, "task": NAME}`, or a whole spec."""
        if value.kind == STRING:
            return Stage(str(value.plain), None, str(value.plain))
        known = self.members(value, ("name", "task", "description", "spec", "metadata"), f"stage {number}")
        name = self.own_name(known, str(known["task"].plain) if "task" in known else f"stage-{number}")
        if "task" in known and "spec" in known:
            self.fault(known["task"], '"task" names a saved spec, so the stage has no "spec" of its own')
        elif "task" in known:
            self.expect(known["task"], STRING, "task")
            return Stage(name, None, str(known["task"].plain))
        elif value.kind == OBJECT and not self.problems:
            return Stage(name, self.task(value, name))
        return Stage(name, None)

    def members(self, value: Value, known: tuple[str, ...], what: str) -> dict[str, Value]:
        """The members of an object that may have these keys."""
        if not self.expect(value, OBJECT, what):
            return {}
        found = {}
        for key, item in value.entries:
            name = str(key.plain)
            if name in known:
                found[name] = item
            elif name in RUNTIME:
                self.fault(key, f'"{name}" belongs to a task that runs, not to its spec', "remove it")
            else:
                near = closest(name, known)
                hint = f'did you mean "{near}"?' if near else f"{what} has {listing(known)}"
                self.fault(key, f'unknown key "{name}"', hint)
        return found

    def expect(self, value: Value, kind: str, what: str) -> bool:
        """Whether a value is of a kind; if not, that is a problem."""
        if value.kind != kind:
            self.fault(value, f"{what}: expected {kind}, not {value.kind}")
        return value.kind == kind

    def own_name(self, members: Mapping[str, Value], name: str) -> str:
        """The name that an object gives itself, or the one it has anyway."""
        given = members.get("name")
        if given is None:
            return name
        if self.expect(given, STRING, "name") and not is_name(str(given.plain)):
            self.fault(given, f'"{given.plain}" cannot name a task', "use letters, digits and _ . : / + -")
        return str(given.plain)

    def kind(self, fields: Mapping[str, Value]) -> str:
        """`command` or `function`: as it says, or as its target does."""
        given = fields.get("type")
        if given is None:
            return "function" if "function_target" in fields else "command"
        if given.plain not in KINDS:
            self.fault(given, f"type: expected {listing(KINDS, 'or')}")
        return str(given.plain)

    def target(self, kind: str, fields: Mapping[str, Value], inner: Value) -> str:
        """The program or the function; what is for the other kind has no place beside it."""
        is_function = kind == "function"
        wanted, *others = ("function_target", "process_target") if is_function else ("process_target", *FOR_FUNCTIONS)
        for other in others:
            if other in fields and fields[other].kind != "nothing" and (fields[other].items or fields[other].plain):
                self.fault(fields[other], f'"{other}" has no meaning for a {kind}', "remove it")
        given = fields.get(wanted)
        if given is None:
            self.fault(inner._replace(end=inner.start + 1), f'"{wanted}" is missing')
        elif self.expect(given, STRING, wanted):
            return self.called(given, is_function=is_function)
        return ""

    def called(self, given: Value, *, is_function: bool) -> str:
        """A target that can be one."""
        text = str(given.plain)
        if is_function and not is_function_name(text):
            self.fault(given, f'"{text}" names no function', 'write "module:function"')
        elif not text.strip() or "\0" in text:
            self.fault(given, f'"{text}" names no program')
        return text


def is_function_name(text: str) -> bool:
    """Whether a text is `module:function`, or as weft also takes it `module.function`."""
    module, colon, function = text.partition(":") if ":" in text else text.rpartition(".")
    return bool(colon) and dotted(module) and dotted(function)


def dotted(text: str) -> bool:
    """Whether a text is names with dots between them."""
    return bool(text) and all(part.isidentifier() for part in text.split("."))


# What the other keys of `spec` are called in `Spec`, and what reads them.
TAKERS: Mapping[str, tuple[str, Callable[[Reader, str, Value], object]]] = {
    "args": ("args", specvalues.words),
    "keyword_args": ("keywords", specvalues.mapping),
    "timeout": ("timeout", specvalues.seconds),
    "limits": ("limits", specvalues.limits),
    "env": ("env", specvalues.env),
    "stream_output": ("stream", specvalues.truth),
    "cleanup_on_exit": ("cleanup", specvalues.truth),
    "working_dir": ("folder", specvalues.text),
    "interactive": ("interactive", specvalues.truth),
    "inbox": ("inbox", specvalues.text),
    "outbox": ("outbox", specvalues.text),
    "reserved": ("reserved", specvalues.policy),
}
