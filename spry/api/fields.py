"""What may be said of a task when it is made, and what its fields may be: TypeError or ValueError for anything else."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan

from spry.api.retry import RetryPolicy
from spry.core.saving import folder_fault, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypedDict

    class Fields(TypedDict, total=False):
        """What may be said of any task when it is made."""

        description: str
        timeout: float | None
        retry: RetryPolicy | None

    class ProgramFields(Fields, total=False):
        """The same of one that is a program."""

        env: Mapping[str, str] | None
        cwd: str | None
        isolated: bool
        save: str | Sequence[str]
        restore: bool | str


def _timeout(value: object) -> object:
    if value is None:
        return None
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise TypeError("timeout must be a number of seconds")
    if value <= 0 or isnan(value):
        raise ValueError("timeout must be greater than 0")
    return value


def _retry(value: object) -> object:
    if not isinstance(value, RetryPolicy | None):
        raise TypeError("retry must be a RetryPolicy")
    return value


def _isolated(value: object) -> object:
    if not isinstance(value, bool):
        raise TypeError("isolated must be True or False")
    return value


def _save(value: object) -> object:
    """Patterns as they are kept: a tuple, however many somebody gave."""
    given = (value,) if isinstance(value, str) else value
    if not isinstance(given, Sequence) or not all(isinstance(text, str) for text in given):
        raise TypeError("save must be a pattern or a sequence of patterns")
    for text in given:
        if isinstance(read := parse(text), str):
            raise ValueError(f"save: {read}")  # noqa: TRY004 - what is read is what is wrong
    if given and all(text.startswith("!") for text in given):
        raise ValueError("save takes files out and names none")
    return tuple(given)


def _restore(value: object) -> object:
    if not isinstance(value, (bool, str)):
        raise TypeError("restore must be True, False, or a folder in the task's own")
    fault = folder_fault(value) if isinstance(value, str) else ""
    if fault:
        raise ValueError(f"restore: {fault}")
    return value


CHECKS: Mapping[str, Callable[[object], object]] = {
    "timeout": _timeout,
    "retry": _retry,
    "isolated": _isolated,
    "save": _save,
    "restore": _restore,
}
