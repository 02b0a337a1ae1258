"""The environment of a task: which layers there are, which one wins, and what of the caller's never gets through."""

from __future__ import annotations

from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

# They make a shell run, or read, something else than the task; descriptors of the caller are closed anyway.
DANGEROUS = frozenset(
    {b"BASH_ENV", b"ENV", b"SHELLOPTS", b"BASHOPTS", b"BASH_XTRACEFD", b"PS4"},
)
# What an outer spry told the task that runs this one. Other SPRY_… variables belong to the user.
OWN = frozenset(
    {b"SPRY", b"SPRY_RUN_ID", b"SPRY_TASK", b"SPRY_ATTEMPT", b"SPRY_FILE", b"SPRY_DIR", b"SPRY_CALLER_DIR"}
    | {b"SPRY_OUTPUT", b"SPRY_UPSTREAM", b"SPRY_MESSAGE_ID"},
)
FORBIDDEN_PREFIXES = (b"BASH_FUNC_", b"SPRY_VALUE_")


class Part(NamedTuple):
    """A stretch of a value: text, or the variable `name`; `text` stands in for an unset (`if_empty`: or empty) one."""

    text: str
    name: str = ""
    if_empty: bool = False


class Assignment(NamedTuple):
    """One `NAME=VALUE` line: the parts of its value are joined once an environment is known."""

    name: str
    parts: tuple[Part, ...]


Pairs = tuple[tuple[str, str], ...]


def expand(assignments: Iterable[Assignment], lookup: Callable[[str], str | None]) -> dict[str, str]:
    """The values in an environment: `lookup` gives those of its variables, earlier assignments go before it."""
    values: dict[str, str] = {}
    for name, parts in assignments:
        values[name] = "".join(_value(part, values, lookup) if part.name else part.text for part in parts)
    return values


def _value(part: Part, values: Mapping[str, str], lookup: Callable[[str], str | None]) -> str:
    value = values.get(part.name)
    value = lookup(part.name) if value is None else value
    if value is None or (part.if_empty and not value):
        return part.text
    return value


def scrub(caller: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """The caller's environment without what would change how a task's shell reads its script."""
    return {
        name: value
        for name, value in caller.items()
        if name not in DANGEROUS and name not in OWN and not name.startswith(FORBIDDEN_PREFIXES)
    }


def base(
    caller: Mapping[bytes, bytes],
    *,
    files: Sequence[Sequence[Assignment]] = (),
    settings: Mapping[str, str] | None = None,
) -> dict[bytes, bytes]:
    """The layers that all tasks of one runbook share, to be computed once and given to `compose` for each task.

    Low to high: the caller's (scrubbed; a virtual environment is in it), the files of `spry.env_file`, `spry.env`.
    """
    env = scrub(caller)
    for assignments in files:
        _lay_assignments(env, assignments)
    _lay(env, settings)
    return env


def compose(
    shared: Mapping[bytes, bytes],
    *,
    cells: Sequence[Sequence[Assignment]] = (),
    files: Sequence[Sequence[Assignment]] = (),
    env: Pairs = (),
    parameters: Mapping[str, str] | None = None,
    command_line: Pairs = (),
    own: Mapping[str, str] | None = None,
) -> dict[bytes, bytes]:
    """The whole environment of an attempt, over what `base` made; the result belongs to the caller.

    Low to high: env cells it depends on (in document order), its `--env-file`s, its `--env`, its parameters, the
    command line's `--env`, and `own`: SPRY_… with the variables that carry interpolated values.
    """
    result = dict(shared)
    for assignments in (*cells, *files):
        _lay_assignments(result, assignments)
    _lay(result, dict(env) if env else None)
    _lay(result, parameters)
    _lay(result, dict(command_line) if command_line else None)
    _lay(result, own)
    return result


def _lay(env: dict[bytes, bytes], layer: Mapping[str, str] | None) -> None:
    if layer:
        env.update({_encode(name): _encode(value) for name, value in layer.items()})


def _lay_assignments(env: dict[bytes, bytes], assignments: Sequence[Assignment]) -> None:
    def lookup(name: str) -> str | None:
        value = env.get(_encode(name))
        return None if value is None else value.decode("utf-8", "surrogateescape")

    _lay(env, expand(assignments, lookup))


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
