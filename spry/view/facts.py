"""Everything a task says about itself beside its script, as people read it."""

from __future__ import annotations

from spry.core.text import exact_duration
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from spry.core.model import Parameter, Task

HIDDEN = "***"
UNITS = {"memory": "M", "cpu": "%"}


class Fact(NamedTuple):
    """A labelled value; `fields` are the names under which `Task.origins` may tell where it comes from."""

    label: str
    values: tuple[str, ...]
    fields: tuple[str, ...] = ()


def facts(task: Task, secrets: Iterable[str] = ()) -> Iterator[Fact]:
    """Every value of a task that is not the built-in one; secret parameters and what `secrets` names are hidden."""
    hidden = {*secrets, *(param.variable for param in task.params if param.type == "secret")}
    yield from _texts(task)
    yield from _times(task)
    pairs = tuple(f"{name}={HIDDEN if name in hidden else value}" for name, value in task.env)
    many = (
        Fact("limits", tuple(_limit(*limit) for limit in task.limits), ("limits",)),
        Fact("environment", pairs, ("env",)),
        Fact("env files", task.env_files, ("env_files",)),
        Fact("parameters", tuple(_parameter(param) for param in task.params), ("params",)),
        Fact("captures", task.captures, ("captures",)),
        Fact("inputs", task.inputs, ("inputs",)),
        Fact("outputs", task.outputs, ("outputs",)),
        Fact("saves", task.saves, ("saves",)),
    )
    yield from (fact for fact in many if fact.values)
    yield from (Fact(label, ("yes",), (field,)) for label, field, told in SWITCHES if told(task))


def _texts(task: Task) -> Iterator[Fact]:
    texts = (
        ("folder", task.cwd, "cwd"),
        ("interpreter", task.interpreter, "interpreter"),
        ("asks", task.confirm, "confirm"),
        ("injected into", task.injected_dep, "injected_dep"),
        ("ignored by git", task.gitignore, "gitignore"),
        ("restores to", task.restore, "restore"),
        ("inbox", task.inbox, "inbox"),
        ("outbox", task.outbox, "outbox"),
        ("reserved", task.reserved, "reserved"),
    )
    yield from (Fact(label, (text,), (field,)) for label, text, field in texts if text is not None)


def _times(task: Task) -> Iterator[Fact]:
    if task.timeout is not None:
        yield Fact("timeout", (exact_duration(task.timeout),), ("timeout",))
    if task.attempts > 1:
        yield Fact("attempts", (_attempts(task),), ("attempts", "retry"))
    if task.exit_codes != (0,):
        yield Fact("exit codes", tuple(map(str, task.exit_codes)), ("exit_codes",))


SWITCHES: Sequence[tuple[str, str, Callable[[Task], bool]]] = (
    ("finally", "is_finally", lambda task: task.is_finally),
    ("optional", "optional", lambda task: task.optional),
    ("interactive", "interactive", lambda task: task.interactive),
    ("silent", "silent", lambda task: task.silent),
    ("not strict", "no_strict", lambda task: not task.strict),
    ("interpolates", "interpolate", lambda task: task.interpolate),
    ("takes partials", "injectable", lambda task: task.injectable),
    ("isolated", "isolated", lambda task: task.isolated),
)


def _attempts(task: Task) -> str:
    if not task.backoff:
        return str(task.attempts)
    growing = f", each {task.backoff_factor:g} times the one before" if task.backoff_factor != 1 else ""
    return f"{task.attempts}, {exact_duration(task.backoff)} between them{growing}"


def _limit(name: str, value: float) -> str:
    return f"{name} {value:g}{ {'memory': 'M', 'cpu': '%'}.get(name, '') }"


def _parameter(param: Parameter) -> str:
    kind = f"choice({'|'.join(param.choices)})" if param.choices else param.type
    if param.default is None:
        return f"{param.name} ({kind}, required)"
    return f"{param.name} ({kind}) = {HIDDEN if param.type == 'secret' else param.default}"
