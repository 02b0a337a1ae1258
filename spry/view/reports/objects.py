"""A run as one JSON object, its fields named as those of the events."""

from __future__ import annotations

import json

from spry.core.events import rfc3339

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from spry.view.reports.story import Attempt, Story, Tale


def report(story: Story) -> Iterator[str]:
    """The whole object, a task at a time."""
    head: dict[str, object] = {
        "run": story.run,
        "ok": story.ok,
        "exit_code": story.exit_code,
        "started": rfc3339(story.started),
        "duration": story.duration,
        "jobs": story.jobs,
        "counts": story.counts,
        "skipped": list(story.plan.skipped),
    }
    yield json.dumps(head)[:-1] + ', "tasks": ['
    for number, tale in enumerate(story.tales.values()):
        yield f"{',' * bool(number)}\n{json.dumps(_task(tale))}"
    yield "\n]}\n"


def _task(tale: Tale) -> dict[str, object]:
    task, finished = tale.step.task, tale.finished
    return {
        "task": tale.name,
        "descr": task.descr,
        "file": task.path,
        "line": task.line,
        "deps": list(tale.step.deps),
        "layer": tale.step.layer,
        "finally": task.is_finally,
        "optional": task.optional,
        "outcome": finished and finished.outcome,
        "reason": finished and finished.reason,
        "exit_code": finished and finished.exit_code,
        "signal": finished and finished.signal,
        "message": finished.message if finished else "",
        "duration": finished.duration if finished else 0.0,
        "leaked": finished.leaked if finished else 0,
        "attempts": [_attempt(attempt) for attempt in tale.attempts],
    }


def _attempt(attempt: Attempt) -> dict[str, object]:
    ending = attempt.ending
    return {
        "attempt": attempt.number,
        "started": rfc3339(attempt.started),
        "duration": max(attempt.ended - attempt.started, 0.0),
        "reason": ending and ending.reason,
        "exit_code": ending and ending.exit_code,
        "signal": ending and ending.signal,
        "message": ending.message if ending else "",
        "bytes": attempt.output.total,
        "left_out": attempt.output.left_out,
        "output": [
            {"stream": stream, "text": data.decode("utf-8", "replace")} for stream, data in attempt.output.pieces()
        ],
    }
