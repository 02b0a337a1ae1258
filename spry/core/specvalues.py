"""How each value of a saved spec is read: it is answered, or a problem is noted."""

from __future__ import annotations

from spry.core.text import listing
from spry.core.values import is_variable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from spry.core.jsontext import Value
    from spry.core.taskspec import Reader

NUMBER, STRING, LIST, OBJECT, TRUTH = "a number", "a string", "a list", "an object", "a truth value"
LIMITS = {"memory_mb": "memory", "cpu_percent": "cpu", "max_fds": "fds", "max_connections": "connections"}
RESERVED = ("keep", "requeue", "clear")


def words(reader: Reader, key: str, value: Value) -> tuple[object, ...]:
    """A list of any values."""
    if not reader.expect(value, LIST, key):
        return ()
    return tuple(item.bare() for item in value.items)


def mapping(reader: Reader, key: str, value: Value) -> Mapping[str, object]:
    """Any values by name."""
    return {str(name.plain): item.bare() for name, item in value.entries} if reader.expect(value, OBJECT, key) else {}


def seconds(reader: Reader, key: str, value: Value) -> float | None:
    """A duration in seconds, or none."""
    if value.kind == "nothing":
        return None
    if reader.expect(value, NUMBER, key) and not 0 < float(value.plain or 0) < 1e10:
        reader.fault(value, f"{key}: expected seconds above 0, or null for no timeout")
    return float(value.plain or 0) if value.kind == NUMBER else None


def limits(reader: Reader, key: str, value: Value) -> tuple[tuple[str, float], ...]:
    """What a task may use, as in `core.model.Task`; null limits nothing."""
    if value.kind == "nothing":
        return ()
    found = []
    for name, amount in reader.members(value, tuple(LIMITS), key).items():
        if amount.kind == "nothing":
            continue
        if reader.expect(amount, NUMBER, name) and not 0 < float(amount.plain or 0) < 1e12:
            reader.fault(amount, f"{name}: expected a number above 0")
        elif name.startswith("max_") and isinstance(amount.plain, float):
            reader.fault(amount, f"{name}: expected a whole number")
        elif amount.kind == NUMBER:
            found.append((LIMITS[name], float(amount.plain or 0)))
    return tuple(found)


def env(reader: Reader, key: str, value: Value) -> tuple[tuple[str, str], ...]:
    """Variables of an environment."""
    if value.kind == "nothing" or not reader.expect(value, OBJECT, key):
        return ()
    for name, item in value.entries:
        if not is_variable(str(name.plain)):
            reader.fault(name, f'"{name.plain}" cannot name a variable')
        elif reader.expect(item, STRING, f"{key}.{name.plain}") and "\0" in str(item.plain):
            reader.fault(item, "a NUL byte cannot be handed to a task")
    return tuple((str(name.plain), str(item.plain)) for name, item in value.entries)


def text(reader: Reader, key: str, value: Value) -> str | None:
    """Text, or none."""
    if value.kind == "nothing":
        return None
    reader.expect(value, STRING, key)
    return str(value.plain)


def policy(reader: Reader, key: str, value: Value) -> str | None:
    """What becomes of a message whose task failed, or none."""
    word = text(reader, key, value)
    if word not in (None, *RESERVED):
        reader.fault(value, f"{key}: expected {listing(RESERVED, 'or')}")
    return word


def truth(reader: Reader, key: str, value: Value) -> bool:
    """Yes or no."""
    return reader.expect(value, TRUTH, key) and bool(value.plain)
