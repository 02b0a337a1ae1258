"""When what ran: a row for each task that began, a bar for each attempt."""

from __future__ import annotations

from spry.core.events import Outcome
from spry.core.text import exact_duration, format_duration
from spry.view.markup import attribute, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from spry.view.reports.story import Attempt, Story, Tale

MOST_TICKS = 6
THINNEST = 0.3  # percent of the width; less could not be seen


def timeline(story: Story, links: Mapping[str, str]) -> Iterator[str]:
    """The rows by beginning, then the scale; `links` lead to the tasks."""
    begun = sorted((tale for tale in story.tales.values() if tale.attempts), key=lambda tale: tale.attempts[0].started)
    latest = max((attempt.ended for tale in begun for attempt in tale.attempts), default=story.started)
    span = max(story.duration, latest - story.started, 0.001)
    ticks = _ticks(span)
    lines = "".join(f'<line class="tick" x1="{at / span:.2%}" x2="{at / span:.2%}" y1="0" y2="100%"/>' for at in ticks)
    yield '<div class="timeline">\n'
    for tale in begun:
        took = format_duration(tale.attempts[-1].ended - tale.attempts[0].started)
        bars = "".join(_bar(story, tale, attempt, span) for attempt in tale.attempts)
        yield (
            f'<div class="row"><a href="{attribute(links[tale.name])}">{text(tale.name)}</a>'
            f'<svg class="bars" width="100%" height="18" aria-hidden="true">{lines}{bars}</svg>'
            f'<span class="took">{took}</span></div>\n'
        )
    labels = "".join(f'<i style="left:{at / span:.2%}">{exact_duration(at)}</i>' for at in ticks)
    yield f'<div class="row scale"><span></span><div>{labels}</div><span></span></div>\n</div>\n'


def _bar(story: Story, tale: Tale, attempt: Attempt, span: float) -> str:
    start = min(max(attempt.started - story.started, 0.0) / span * 100, 100 - THINNEST)
    width = min(max((attempt.ended - attempt.started) / span * 100, THINNEST), 100 - start)
    kind = tale.outcome or Outcome.FAILED if attempt is tale.attempts[-1] else "retried"
    took = format_duration(attempt.ended - attempt.started)
    title = f"{tale.name}, attempt {attempt.number}: {took}" if len(tale.attempts) > 1 else f"{tale.name}: {took}"
    return (
        f'<rect class="{kind}" x="{start:.3f}%" y="4" width="{width:.3f}%" height="10" rx="3">'
        f"<title>{text(title)}</title></rect>"
    )


def _ticks(span: float) -> Sequence[float]:
    """Round instants, a handful of them, from 0 on."""
    step = 0.001
    factors = (2.0, 2.5, 2.0)
    turn = 0
    while span / step > MOST_TICKS:
        step *= factors[turn % 3]
        turn += 1
    return [round(step * number, 6) for number in range(int(span / step) + 1)]
