"""The bases of records and protocols: what those of `typing` are for, in a fraction of the time.

Importing `typing` takes as long as starting Python, and so do thirty classes that it makes, each of which compiles its
annotations and a constructor. A record here is made of ready parts instead: the same fields, defaults, methods and
equality, and to a type checker it is a `typing.NamedTuple`. A protocol is for type checkers only.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, NamedTuple, Protocol

    Fields = tuple[str, ...]

    def getter(number: int, text: str) -> object:
        """What gives an instance's value at a place, as fast as the interpreter can."""
        ...
else:
    from _collections import _tuplegetter as getter

__all__ = ["NamedTuple", "Protocol"]


class Maker(type):
    """Turns the body of a class that names `NamedTuple` as its base into a record."""

    def __new__(cls, name: str, _: tuple[type, ...], space: dict[str, Any]) -> type:
        """The record: a class whose only base is `tuple`."""
        return record(name, space)


if not TYPE_CHECKING:
    NamedTuple = type.__new__(Maker, "NamedTuple", (), {})

    class Protocol:
        """What a class has to offer; nobody asks while the program runs."""


def record(name: str, space: dict[str, Any]) -> type:
    """A class of tuples out of the body of a class: its annotated names are the fields, their values the defaults."""
    fields: Fields = tuple(space.get("__annotations__", ()))
    defaults = {field: space.pop(field) for field in fields if field in space}
    getters = {field: getter(number, "") for number, field in enumerate(fields)}
    own = {"__slots__": (), "_fields": fields, "_field_defaults": defaults, "__match_args__": fields}
    return type(name, (tuple,), {**METHODS, **space, **own, **getters})


def _new(cls: Any, /, *values: Any, **named: Any) -> Any:
    if named or len(values) != len(cls._fields):
        values = _complete(cls, values, named)
    return tuple.__new__(cls, values)


def _complete(cls: Any, values: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
    """All values in the order of the fields; TypeError for one too many, missing, unknown or given twice."""
    fields: Fields = cls._fields
    defaults: Mapping[str, Any] = cls._field_defaults
    rest = fields[len(values) :]
    missing = [field for field in rest if field not in named and field not in defaults]
    unknown = [field for field in named if field not in rest]
    if missing or unknown or len(values) > len(fields):
        told = ", ".join([*(f"no {field}" for field in missing), *(f"unexpected {field}" for field in unknown)])
        raise TypeError(f"{cls.__name__}: {told or f'{len(values)} values for {len(fields)} fields'}")
    return values + tuple([named[field] if field in named else defaults[field] for field in rest])


def _make(cls: Any, values: Iterable[Any]) -> Any:
    """A record of as many values as it has fields."""
    made = tuple.__new__(cls, values)
    if len(made) != len(cls._fields):
        raise TypeError(f"{cls.__name__} takes {len(cls._fields)} values, not {len(made)}")
    return made


def _replace(self: Any, /, **changes: Any) -> Any:
    """The same record with other values for some fields; ValueError for names that are none."""
    values = [changes.pop(field, value) for field, value in zip(self._fields, self, strict=True)]
    if changes:
        raise ValueError(f"{type(self).__name__} has no field {', '.join(changes)}")
    return tuple.__new__(type(self), values)


def _asdict(self: Any) -> dict[str, Any]:
    """The values by field."""
    return dict(zip(self._fields, self, strict=True))


def _getnewargs(self: Any) -> tuple[Any, ...]:
    return tuple(self)


def _repr(self: Any) -> str:
    pairs = ", ".join([f"{field}={value!r}" for field, value in zip(self._fields, self, strict=True)])
    return f"{type(self).__name__}({pairs})"


METHODS = {
    "__new__": _new,
    "_make": classmethod(_make),
    "_replace": _replace,
    "__replace__": _replace,
    "_asdict": _asdict,
    "__getnewargs__": _getnewargs,
    "__repr__": _repr,
}
