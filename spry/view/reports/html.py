"""A run as one HTML page that needs nothing else: no script, no font, no picture from elsewhere.

What tasks wrote, and the runbook, are text on it: whatever they hold, nothing of them is obeyed.
"""

from __future__ import annotations

import os
from urllib.parse import quote

from spry.core.events import Outcome, rfc3339
from spry.core.text import format_duration, plural
from spry.view.markup import text
from spry.view.outcomes import figures, how_it_failed
from spry.view.reports.colours import painted
from spry.view.reports.look import STYLE
from spry.view.reports.timeline import timeline
from spry.view.svg import Look, svg

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from spry.view.reports.story import Attempt, Story, Tale

MOST_BOXES = 400  # tasks; a larger graph is too large for a page
MOST_NAMES = 20
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
COLOURS = {True: "#1a7f37", False: "#cf222e"}


def report(story: Story) -> Iterator[str]:
    """The whole page, a task at a time."""
    links = {name: f"#t{number}" for number, name in enumerate(story.tales, 1)}
    yield _head(story)
    yield from _banner(story, links)
    yield "<main>\n"
    if 1 < len(story.tales) <= MOST_BOXES:
        looks = {name: Look(_kind(tale), links[name]) for name, tale in story.tales.items()}
        yield f'<section id="graph"><h2>Graph</h2>\n<div class="graph">\n{svg(story.plan, looks)}</div></section>\n'
    if any(tale.attempts for tale in story.tales.values()):
        yield '<section id="timeline"><h2>Timeline</h2>\n'
        yield from timeline(story, links)
        yield "</section>\n"
    yield '<section id="tasks"><h2>Tasks</h2>\n'
    for name, tale in story.tales.items():
        yield from _task(story, tale, links, links[name][1:])
    yield "</section>\n"
    for path, page in story.pages.items():
        yield from _runbook(story, path, page, links)
    yield "</main>\n<footer>Written by spry</footer>\n</body>\n</html>\n"


def _title(story: Story) -> str:
    titles = [settings.title for settings in story.plan.settings.values() if settings.title]
    paths = dict.fromkeys(tale.step.task.path for tale in story.tales.values())
    return titles[0] if titles else ", ".join(os.path.basename(path) for path in paths)


def _head(story: Story) -> str:
    colour, mark = COLOURS[story.ok], "✓" if story.ok else "✗"
    icon = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><circle cx="4" cy="4" r="4" fill="{colour}"/></svg>'
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n<meta name="generator" content="spry">\n'
        f"<title>{mark} {text(_title(story))}: {text(figures(story.counts))}</title>\n"
        f'<link rel="icon" href="data:image/svg+xml,{quote(icon)}">\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n"
    )


def _banner(story: Story, links: Mapping[str, str]) -> Iterator[str]:
    started = rfc3339(story.started)[:19].replace("T", " ")
    about = (
        f"{started} UTC",
        f"took {format_duration(story.duration)}",
        f"exit code {story.exit_code}",
        f"up to {plural(story.jobs, 'task')} at once",
        f"run {story.run}",
    )
    yield f'<header class="banner{" ok" * story.ok}"><div>\n<div class="headline">'
    yield f'<span class="seal" aria-hidden="true">{"✓" if story.ok else "✗"}</span>'
    yield f'<div><h1>{text(_title(story))}</h1>\n<p class="about">{text(" · ".join(about))}</p></div></div>\n'
    yield '<ul class="figures">\n'
    counts = {name: story.counts.get(name, 0) for name in Outcome}
    for name, count in counts.items():
        if count:
            yield f'<li class="{name}">{count:,} {name}</li>\n'
    yield "</ul>\n"
    yield _share(counts)
    bad = [f'<a href="{links[name]}">{text(name)}</a>' for name, tale in story.tales.items() if tale.is_bad]
    if bad:
        more = f" and {len(bad) - MOST_NAMES:,} more" if len(bad) > MOST_NAMES else ""
        yield f'<p class="failures">Failed: {", ".join(bad[:MOST_NAMES])}{more}</p>\n'
    yield "</div></header>\n"


def _share(counts: Mapping[Outcome, int]) -> str:
    """How many tasks had each outcome, as one bar."""
    total = sum(counts.values()) or 1
    bars, at = [], 0.0
    for name, count in counts.items():
        bars.append(f'<rect class="{name}" x="{at:.3f}%" width="{count / total * 100:.3f}%" height="6"/>')
        at += count / total * 100
    return f'<svg class="share" width="100%" height="6" aria-hidden="true">{"".join(bars)}</svg>\n'


def _kind(tale: Tale) -> str:
    return str(tale.outcome or Outcome.FAILED)


def _task(story: Story, tale: Tale, links: Mapping[str, str], anchor: str) -> Iterator[str]:
    task = tale.step.task
    took = f" · {format_duration(tale.finished.duration)}" if tale.attempts and tale.finished else ""
    yield f'<details class="task {_kind(tale)}" id="{anchor}"{" open" * tale.is_bad}><summary>'
    yield f'<span class="mark">{tale.mark}</span><span class="name">{text(tale.name)}</span>'
    yield f'<span class="descr">{text(task.descr)}</span>' if task.descr else ""
    yield f'<span class="words">{text(tale.words)}{took}</span></summary>\n<div class="inside">\n'
    facts = [text(f"{task.path}:{task.line}"), text(task.language)]
    if tale.step.deps:
        facts.append("after " + ", ".join(f'<a href="{links[dep]}">{text(dep)}</a>' for dep in tale.step.deps))
    facts += [word for word, holds in (("finally", task.is_finally), ("optional", task.optional)) if holds]
    yield f'<p class="facts">{" · ".join(facts)}</p>\n'
    for attempt in tale.attempts:
        yield from _attempt(story, tale, attempt)
    yield "</div></details>\n"


def _attempt(story: Story, tale: Tale, attempt: Attempt) -> Iterator[str]:
    if len(tale.attempts) > 1:
        is_last = attempt is tale.attempts[-1]
        assert is_last or attempt.ending is not None
        words = tale.words if is_last or not attempt.ending else how_it_failed(attempt.ending, story.plan.steps)
        took = format_duration(attempt.ended - attempt.started)
        yield f'<p class="attempt">Attempt {attempt.number}: {text(words)} · {took}</p>\n'
    cut = story.cut(tale, attempt)
    if cut:
        yield f'<p class="cut">{text(cut)}</p>\n'
    output = painted(attempt.output.pieces())
    # What is below comes first, so that a page without a script opens at the end of what is long.
    yield f'<pre class="output"><code>{output}</code></pre>\n' if output else '<p class="none">No output.</p>\n'


def _runbook(story: Story, path: str, page: str, links: Mapping[str, str]) -> Iterator[str]:
    from spry.view.reports.page import rendered  # noqa: PLC0415 - a parser, only where there is a page

    badges = {
        tale.step.task.body_line: (
            f'<a class="badge {_kind(tale)}" href="{links[tale.name]}">{tale.mark} {text(tale.words)}</a>'
        )
        for tale in story.tales.values()
        if tale.step.task.path == path
    }
    yield f"<section><h2>{text(path)}</h2>\n"
    yield f'<article class="book">\n{rendered(page, badges)}</article></section>\n'
