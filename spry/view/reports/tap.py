"""A run as TAP version 14: a test point for each task, with what is known of it as YAML below."""

from __future__ import annotations

import json
import re

from spry.core.events import Outcome

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from spry.view.reports.story import Story, Tale

# What JSON leaves as it is and a line of YAML cannot hold, or would take for the end of a line.
UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


def report(story: Story) -> Iterator[str]:
    """The whole document, a task at a time."""
    yield f"TAP version 14\n1..{len(story.tales)}\n"
    explained = story.ok
    for number, tale in enumerate(story.tales.values(), 1):
        good, directive = _verdict(tale)
        explained = explained or not (good or directive)
        name = tale.name.replace("\\", "\\\\").replace("#", "\\#")
        yield f"{'ok' if good else 'not ok'} {number} - {name}{directive}\n"
        yield from _diagnosis(story, tale)
    if story.exit_code > 128:
        yield f"Bail out! The run was told to stop by signal {story.exit_code - 128}\n"
    elif not explained:
        yield f"Bail out! The run ended with exit code {story.exit_code}\n"


def _verdict(tale: Tale) -> tuple[bool, str]:
    """Whether the point is ok, and its directive: what was left out is skipped, what is optional is to do."""
    if tale.outcome is Outcome.SUCCEEDED:
        return True, ""
    if tale.outcome is Outcome.SKIPPED:
        return True, " # SKIP dependency failed"
    if tale.is_optional:
        return False, " # TODO optional"
    return False, ""


def _diagnosis(story: Story, tale: Tale) -> Iterator[str]:
    task, finished = tale.step.task, tale.finished
    yield "  ---\n"
    yield f"  message: {_quoted(tale.words)}\n"
    yield f"  at: {{file: {_quoted(task.path)}, line: {task.line}}}\n"
    if finished is not None:
        yield f"  outcome: {finished.outcome}\n"
        yield f"  duration_ms: {finished.duration * 1000:.0f}\n"
        yield f"  attempts: {finished.attempt}\n"
        for field in ("reason", "exit_code", "signal"):
            value = getattr(finished, field)
            if value is not None:
                yield f"  {field}: {value}\n"
    lines = tale.last_lines("stdout", "stderr") if tale.is_bad else []
    if lines:
        yield "  output:\n"
        cut = story.cut(tale, tale.attempts[-1])
        for line in [f"[{cut}]"] * bool(cut) + lines:
            yield f"    - {_quoted(line)}\n"
    yield "  ...\n"


def _quoted(words: str) -> str:
    """Text as a JSON string on one line, which is YAML, too."""
    return UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(words, ensure_ascii=False))
