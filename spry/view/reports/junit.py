"""A run as JUnit XML: a suite for each runbook, a case for each task.

What a task did wrong is a `failure`; what spry, the machine or the user did to it is an `error`. What was left out, and
what failed and is optional, is `skipped`. Earlier attempts stand there as Surefire writes them.
"""

from __future__ import annotations

from spry.core.events import Outcome, Reason, rfc3339
from spry.view.markup import attribute, text
from spry.view.outcomes import how_it_failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from spry.view.reports.story import Attempt, Story, Tale

OF_THE_TASK = frozenset({Reason.EXIT_CODE, Reason.SIGNAL, Reason.TIMEOUT, Reason.LIMIT})
TAGS = {"stdout": "system-out", "stderr": "system-err"}


def report(story: Story) -> Iterator[str]:
    """The whole document, a task at a time."""
    suites: dict[str, list[Tale]] = {}
    for tale in story.tales.values():
        suites.setdefault(tale.step.task.path, []).append(tale)
    unexplained = not story.ok and not any(verdict(tale) in {"failure", "error"} for tale in story.tales.values())
    figures = _figures(list(story.tales.values()), story.duration, story.started, extra=int(unexplained))
    yield f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="spry" {figures}>\n'
    for path, tales in suites.items():
        yield from _suite(story, path, tales)
    if unexplained:
        yield from _unexplained(story)
    yield "</testsuites>\n"


def verdict(tale: Tale) -> str:
    """What a case has in it: `failure`, `error`, `skipped`, or nothing for a success."""
    finished = tale.finished
    if finished is None:
        return "error"
    if finished.outcome is Outcome.SUCCEEDED:
        return ""
    if finished.outcome is Outcome.FAILED and not finished.optional:
        return "failure" if finished.reason in OF_THE_TASK else "error"
    stopped = finished.outcome is Outcome.CANCELLED and (finished.attempt or finished.reason is Reason.DECLINED)
    return "error" if stopped and not finished.optional else "skipped"


def _figures(tales: Sequence[Tale], seconds: float, started: float, *, extra: int = 0) -> str:
    verdicts = [verdict(tale) for tale in tales]
    errors = verdicts.count("error") + extra
    return (
        f'tests="{len(tales) + extra}" failures="{verdicts.count("failure")}" errors="{errors}" '
        f'skipped="{verdicts.count("skipped")}" time="{seconds:.3f}" timestamp="{rfc3339(started)[:19]}"'
    )


def _suite(story: Story, path: str, tales: Sequence[Tale]) -> Iterator[str]:
    seconds = sum(tale.finished.duration for tale in tales if tale.finished)
    yield f'  <testsuite name="{attribute(path)}" {_figures(tales, seconds, story.started)}>\n    <properties>\n'
    for name, value in (("run", story.run), ("exit_code", story.exit_code), ("jobs", story.jobs)):
        yield f'      <property name="{name}" value="{attribute(str(value))}"/>\n'
    yield "    </properties>\n"
    for tale in tales:
        yield from _case(story, tale)
    yield "  </testsuite>\n"


def _unexplained(story: Story) -> Iterator[str]:
    """A run that is not good although no task is to blame: nobody shall read it as a success."""
    yield f'  <testsuite name="spry" {_figures((), story.duration, story.started, extra=1)}>\n'
    yield f'    <testcase classname="spry" name="run" time="{story.duration:.3f}">\n'
    yield f'      <error message="the run ended with exit code {story.exit_code}" type="run"/>\n'
    yield "    </testcase>\n  </testsuite>\n"


def _case(story: Story, tale: Tale) -> Iterator[str]:
    seconds = tale.finished.duration if tale.finished else 0.0
    yield (
        f'    <testcase classname="{attribute(tale.step.task.path)}" name="{attribute(tale.name)}" '
        f'time="{seconds:.3f}" file="{attribute(tale.step.task.path)}" line="{tale.step.task.line}">\n'
    )
    kind = verdict(tale)
    if kind:
        reason = (tale.finished.reason if tale.finished else None) or "unknown"
        typed = "" if kind == "skipped" else f' type="{reason}"'
        last = text("\n".join(tale.last_lines("stdout", "stderr"))) if typed else ""
        yield f'      <{kind} message="{attribute(tale.words)}"{typed}>{last}</{kind}>\n'
    for attempt in tale.attempts[:-1]:
        yield from _earlier(story, tale, attempt)
    if tale.attempts:
        yield from _output(story, tale, tale.attempts[-1], "      ")
    yield "    </testcase>\n"


def _earlier(story: Story, tale: Tale, attempt: Attempt) -> Iterator[str]:
    """An attempt that failed before another: of a task that succeeded in the end a flake, else one more failure."""
    kind = "flakyFailure" if tale.outcome is Outcome.SUCCEEDED else "rerunFailure"
    assert attempt.ending is not None
    words = f"attempt {attempt.number} {how_it_failed(attempt.ending, story.plan.steps)}"
    yield f'      <{kind} message="{attribute(words)}" type="{attempt.ending.reason}">\n'
    yield from _output(story, tale, attempt, "        ")
    yield f"      </{kind}>\n"


def _output(story: Story, tale: Tale, attempt: Attempt, indent: str) -> Iterator[str]:
    cut = story.cut(tale, attempt)
    for stream, tag in TAGS.items():
        said = attempt.output.text(stream)
        if cut:
            said, cut = f"[{cut}]\n{said}", ""
        if said:
            yield f"{indent}<{tag}>{text(said)}</{tag}>\n"
