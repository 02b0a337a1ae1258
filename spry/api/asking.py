"""What a program asks of a run: checked before anything starts, as the options of the command line are."""

from __future__ import annotations

from math import isfinite

from spry.core.values import NAME_RULE, environment
from spry.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from spry.api.wishes import Wishes


def known(names: Iterable[str], options: Iterable[str]) -> None:
    """TypeError for a name that is none of the options: what is misspelled must not be left out quietly."""
    options = frozenset(options)
    for name in names:
        if name not in options:
            from spry.core.text import did_you_mean

            hint = did_you_mean(name, options)
            raise TypeError(f"unexpected keyword argument {name!r}{f' ({hint})' if hint else ''}")


def checked(asked: Wishes) -> Wishes:
    """The same wishes; TypeError and UsageError for values that cannot be meant."""
    _jobs(asked.jobs)
    _timeout(asked.timeout)
    _texts("params", asked.params)
    _texts("env", asked.env)
    for name, value in asked.env.items():
        answer = environment(f"{name}={value}") if "=" not in name else f'"{name}" cannot name a variable: {NAME_RULE}'
        if isinstance(answer, str):
            raise UsageError(f"env: {answer}", 'give a mapping such as {"NAME": "value"}')
    return asked


def _jobs(count: object) -> None:
    if count is None:
        return
    if not isinstance(count, int) or isinstance(count, bool):
        raise TypeError("jobs must be an int")
    if count < 1:
        raise UsageError(f"jobs: expected a whole number from 1 on, not {count}", "leave it out to use every core")


def _timeout(seconds: object) -> None:
    if seconds is None:
        return
    if not isinstance(seconds, (int, float)) or isinstance(seconds, bool):
        raise TypeError("timeout must be a number of seconds")
    if not (seconds > 0 and isfinite(seconds)):
        raise UsageError(f"timeout: expected more than 0 seconds, not {seconds:g}", "leave it out for no limit")


def _texts(option: str, values: Mapping[Any, object]) -> None:
    for name, value in values.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError(f"{option} must map str to str: {name!r}")
