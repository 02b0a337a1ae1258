"""`spry progress`: what a task says to its run."""

from __future__ import annotations

import os
import sys

from spry.errors import UsageError
from spry.execute.progress import VARIABLE, line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

HINT = 'in the script of a task: spry progress 25 "warming up"'


def report(words: Sequence[str]) -> int:
    """Tell the run how far the task is: a percentage first, or only words. UsageError where there is no run.

    A run that does not listen is no reason for its task to fail: that is only said.
    """
    percent = _percent(words[0]) if words else None
    text = " ".join(words if percent is None else words[1:])
    if not words or not (text.strip() or percent is not None):
        raise UsageError("spry progress needs a percentage, some words, or both", HINT)
    path, task = os.environ.get(VARIABLE), os.environ.get("SPRY_TASK")
    if not path or not task:
        raise UsageError("spry progress speaks to the run of a task, and this is none", HINT)
    try:
        pipe = os.open(path, os.O_WRONLY | os.O_NONBLOCK)  # nobody reads any more: an error instead of waiting
        os.set_blocking(pipe, True)
        os.write(pipe, line(task, percent, text))
        os.close(pipe)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        sys.stderr.write(f"spry: the run of this task does not listen to its progress: {reason}\n")
    return 0


def _percent(word: str) -> float | None:
    """A number from 0 to 100, with or without its sign; None for any other word. UsageError for other numbers."""
    try:
        number = float(word.removesuffix("%"))
    except ValueError:
        return None
    if not 0 <= number <= 100:
        raise UsageError(f"spry progress {word}: a percentage is from 0 to 100", HINT)
    return number
