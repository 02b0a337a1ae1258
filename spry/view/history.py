"""What is remembered of runs, for people and for programs."""

from __future__ import annotations

import json
import os

from spry.core.events import rfc3339
from spry.core.text import format_duration, plural
from spry.record import NamedTuple
from spry.view.columns import cut, printable, table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from spry.store.records import RunRecord, Statistic, TaskRecord


class Result(NamedTuple):
    """What came of a run or a task; `code` is None without an exit code, `output` comes task by task as it is read.

    An output that is too large to be told is kept where the `reference` says.
    """

    status: str
    code: int | None
    output: Iterator[tuple[str, bytes]]
    run: str
    reference: Mapping[str, object] | None = None


MARKS = {"succeeded": "✓", "failed": "✗", "skipped": "⊘", "cancelled": "⊘", "running": "▶", "": "·"}
LONGEST = 40
OUTCOMES = ("succeeded", "failed", "skipped", "cancelled")


def runs(found: Sequence[RunRecord], *, is_terminal: bool = False) -> str:
    """A table of runs: id, state, when, how long, what; on a terminal not the whole of a long command."""
    if not found:
        return "no runs are remembered here\n"
    rows = [_row(run, LONGEST if is_terminal else None) for run in found]
    return table([("RUN", "STATE", "STARTED", "TOOK", "TASKS", "WHAT"), *rows])


def runs_as_json(found: Sequence[RunRecord]) -> str:
    """The runs as a list of objects."""
    return _json([run_object(run) for run in found])


def statistics(found: Sequence[Statistic]) -> str:
    """A table of tasks: how often, how they ended, how long they took."""
    if not found:
        return "no task has ended here\n"
    rows = [
        (one.task, str(one.runs), *(str(one.counts.get(outcome, 0)) for outcome in OUTCOMES), *map(_took, one[3:]))
        for one in found
    ]
    return table([("TASK", "RUNS", *map(str.upper, OUTCOMES), "MEDIAN", "LONGEST"), *rows])


def statistics_as_json(found: Sequence[Statistic]) -> str:
    """The statistics as a list of objects."""
    return _json(
        [
            {
                "task": one.task,
                "runs": one.runs,
                "counts": one.counts,
                "median": round(one.median, 3),
                "longest": round(one.longest, 3),
            }
            for one in found
        ]
    )


def _took(seconds: float) -> str:
    return format_duration(seconds) if seconds else ""


def status(run: RunRecord, tasks: Sequence[Mapping[str, object]], process: Mapping[str, object] | None = None) -> str:
    """One run, its process if that is asked for, and its tasks, a line each."""
    took = f" in {format_duration(run.ended - run.started)}" if run.ended is not None else ""
    head = f"run {run.run}: {ending(state_of(run) + took, run.exit_code)}\n"
    head += f"{_what(run)}, started {rfc3339(run.started)}\n"
    if process is not None:
        head += f"process {process['pid']}: {process['state']}\n"
    return head + table([_task_row(task) for task in tasks])


def status_as_json(
    run: RunRecord, tasks: Sequence[Mapping[str, object]], process: Mapping[str, object] | None = None
) -> str:
    """One run and its tasks as an object, with its process if that is asked for."""
    more = {} if process is None else {"process": process}
    return _json({**run_object(run), **more, "tasks": tasks})


def system(running: int, found: int, fresh: tuple[int, int] | None = None) -> str:
    """How the whole stands, in a few lines; `fresh` are the tasks that are up to date, and those that can be."""
    lines = f"System: OK\nTasks: {running} running\nRuns: {found} remembered\n"
    return lines if fresh is None else f"{lines}Up to date: {fresh[0]} of {plural(fresh[1], 'task')}\n"


def system_as_json(running: int, found: int, fresh: tuple[int, int] | None = None) -> str:
    """How the whole stands as an object in a line."""
    counts = {} if fresh is None else {"up_to_date": {"fresh": fresh[0], "total": fresh[1]}}
    return json.dumps({"system": "OK", "running": running, "runs": found, **counts}) + "\n"


def run_object(run: RunRecord) -> dict[str, object]:
    """A run with the names that programs read."""
    return {
        "run": run.run,
        "status": state_of(run),
        "started": rfc3339(run.started),
        "ended": None if run.ended is None else rfc3339(run.ended),
        "duration": None if run.ended is None else round(run.ended - run.started, 3),
        "exit_code": run.exit_code,
        "total": run.total,
        "counts": run.counts,
        "files": run.request.get("files", []),
        "selection": run.request.get("selection", {}),
        "folder": run.folder,
    }


def task_object(task: TaskRecord) -> dict[str, object]:
    """A task with its outcome, with the names of the events."""
    return {
        "task": task.task,
        "outcome": task.outcome,
        "reason": task.reason or None,
        "exit_code": task.exit_code,
        "signal": task.signal,
        "attempt": task.attempt,
        "duration": round(task.duration, 3),
        "message": task.message,
    }


def state_of(run: RunRecord) -> str:
    """The state of a run in the word for it: running, lost, completed, timeout, cancelled or failed."""
    if run.state != "finished":
        return run.state
    if run.exit_code in (129, 130, 131, 143):
        return "cancelled"
    return {0: "completed", 124: "timeout"}.get(run.exit_code or 0, "failed")


def result_as_json(found: Result) -> Iterator[str]:
    """What came of a run or a task as one JSON object, a little at a time however long its output is."""
    from codecs import getincrementaldecoder  # noqa: PLC0415 - only here

    decode = getincrementaldecoder("utf-8")("replace").decode
    yield f'{{\n  "status": {json.dumps(found.status)},\n  "return_code": {json.dumps(found.code)},\n  "output": '
    if found.reference is not None:
        yield f'null,\n  "output_ref": {json.dumps(found.reference)},\n  "run": {json.dumps(found.run)}\n}}'
        return
    yield '"'
    yield from (json.dumps(decode(data))[1:-1] for _, data in found.output)
    yield json.dumps(decode(b"", final=True))[1:-1] + f'",\n  "run": {json.dumps(found.run)}\n}}'


def ending(status: str, code: int | None) -> str:
    """How something ended, with its exit code if it has one."""
    return status if code is None else f"{status}, exit code {code}"


def _row(run: RunRecord, most: int | None) -> tuple[str, ...]:
    took = "" if run.ended is None else format_duration(run.ended - run.started)
    counts = ", ".join(f"{count} {name}" for name, count in run.counts.items()) or str(run.total)
    what = _what(run) if most is None else cut(_what(run), most)
    return run.run, state_of(run), rfc3339(run.started)[:19].replace("T", " "), took, counts, what


def _what(run: RunRecord) -> str:
    files, selection = run.request.get("files", []), run.request.get("selection", {})
    names = [os.path.basename(str(path)) for path in files] if isinstance(files, list) else []
    chosen = selection.get("tasks", []) if isinstance(selection, dict) else []
    tasks = run.request.get("tasks")
    if isinstance(tasks, list) and len(tasks) == 1:
        from shlex import join  # noqa: PLC0415 - only for single commands

        is_call = tasks[0]["path"] == "<function>"  # then the command is a program of ours
        command = str(tasks[0]["argv"][2]) if is_call else join(map(str, tasks[0]["argv"]))
        chosen = [command if tasks[0]["name"] in command else f"{tasks[0]['name']}: {command}"]
    return printable(" ".join(map(str, [*chosen, *(f"({name})" for name in names)]))).replace("\n", " ")


def _task_row(task: Mapping[str, object]) -> tuple[str, ...]:
    outcome, reason, seconds = str(task["outcome"]), task["reason"], task["duration"]
    took = format_duration(seconds) if isinstance(seconds, float) and seconds else ""
    why = str(reason).replace("_", " ") if reason else ""
    message = printable(str(task["message"] or ""))
    return MARKS[outcome], str(task["task"]), outcome or "waiting", took, ": ".join(filter(None, (why, message)))


def _json(value: object) -> str:
    return json.dumps(value, indent=2) + "\n"
