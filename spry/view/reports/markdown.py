"""A run in Markdown, for a comment or the summary of a job: a table, and the last lines of what failed."""

from __future__ import annotations

import re

from spry.core.events import Outcome
from spry.core.text import format_duration
from spry.view.markup import UNFIT, attribute
from spry.view.outcomes import figures

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from spry.view.reports.story import Story, Tale

MOST_ROWS = 500
MOST_LETTERS = 4096  # of what a failed task wrote
MOST_DETAILS = 50
MEANT = re.compile(r"[\\`*_{}\[\]<>#|~&:@!$=+-]")


def report(story: Story) -> Iterator[str]:
    """The whole text, a task at a time; it stays below the megabyte that a job's summary may have."""
    tales = list(story.tales.values())
    files = ", ".join(f"`{_code(path)}`" for path in dict.fromkeys(tale.step.task.path for tale in tales))
    yield f"## {'✓' if story.ok else '✗'} {figures(story.counts)} in {format_duration(story.duration)}\n\n"
    yield f"Run {story.run} of {files}, exit code {story.exit_code}.\n\n"
    yield "| | task | outcome | time |\n|---|---|---|---:|\n"
    tales.sort(key=_urgency)
    for tale in tales[:MOST_ROWS]:
        took = format_duration(tale.finished.duration) if tale.attempts and tale.finished else ""
        yield f"| {tale.mark} | `{_code(tale.name)}` | {_said(tale)} | {took} |\n"
    if len(tales) > MOST_ROWS:
        yield f"\n… and {len(tales) - MOST_ROWS:,} more.\n"
    bad = [tale for tale in tales if tale.is_bad]
    for tale in bad[:MOST_DETAILS]:
        yield from _details(story, tale)
    if len(bad) > MOST_DETAILS:
        yield f"\n… and {len(bad) - MOST_DETAILS:,} more that failed.\n"


def _urgency(tale: Tale) -> int:
    """What failed comes first, what succeeded last."""
    if tale.is_bad:
        return int(tale.is_optional)
    return 3 if tale.outcome is Outcome.SUCCEEDED else 2


def _said(tale: Tale) -> str:
    return MEANT.sub(r"\\\g<0>", UNFIT.sub("\ufffd", " ".join(tale.words.split())))


def _code(words: str) -> str:
    """Text inside a code span of a table."""
    return UNFIT.sub("\ufffd", words).replace("`", "'").replace("|", "\\|").replace("\n", " ")


def _details(story: Story, tale: Tale) -> Iterator[str]:
    """The last lines of a failed task, folded; of a silent one only its errors, as on the screen."""
    streams = ("stderr",) if tale.step.task.silent else ("stdout", "stderr")
    lines = tale.last_lines(*streams)
    if not lines:
        return
    shown = UNFIT.sub("\ufffd", "\n".join(lines)[-MOST_LETTERS:])
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    yield f"\n<details><summary>{tale.mark} <code>{attribute(tale.name)}</code> {attribute(tale.words)}</summary>\n\n"
    if story.recorded:
        yield f"All of it: `spry logs {story.run}/{_code(tale.name)}`\n\n"
    yield f"{fence}text\n{shown}\n{fence}\n\n</details>\n"
