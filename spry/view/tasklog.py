"""The history as a queue of messages, one for each thing that became of a task, under the names that weft gave them."""

from __future__ import annotations

import json

from spry.core.canonical import limits
from spry.core.events import Outcome, Reason, RunStarted, TaskFinished, TaskRetrying, TaskStarted
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from spry.core.events import Event

CALLER = "function.py"  # what calls a function, as `api.single.call` does
CONTROLS = {"stop": "cancelled", "kill": "cancelled"}  # the status that a command leads to
SHORT = 10  # digits
BY_REASON = {
    Reason.TIMEOUT: ("work_timeout", "timeout"),
    Reason.LIMIT: ("work_limit_violation", "failed"),
    Reason.INTERRUPTED: ("control_stop", "cancelled"),
    Reason.LOST: ("work_failed", "lost"),
}
BY_OUTCOME = {
    Outcome.SUCCEEDED: ("work_completed", "completed"),
    Outcome.FAILED: ("work_failed", "failed"),
    Outcome.SKIPPED: ("task_skipped", "skipped"),
    Outcome.CANCELLED: ("task_cancelled", "cancelled"),
}


class Told(NamedTuple):
    """What is known of a run: its id, what was asked for (see `RunRecord`), its process (None: nobody knows).

    `controls` are commands that reached it from outside, with their nanoseconds since 1970. `specs` is what its tasks
    were, if they are those of a runbook.
    """

    run: str
    request: Mapping[str, object]
    pid: int | None = None
    controls: Iterable[tuple[int, str]] = ()
    specs: Mapping[str, Mapping[str, object]] = {}


def entries(told: Told, events: Iterable[Event]) -> list[tuple[str, int]]:
    """What became of a run and its tasks, in order: JSON, and nanoseconds since 1970."""
    specs = {str(spec["name"]): spec for spec in task_specs(told.request)}
    specs = specs or {name: _given(name, spec, told.request) for name, spec in told.specs.items()}
    found = list(_of_tasks(told, events, specs))
    is_one = len(specs) == 1 and not told.specs
    whole = next(iter(specs.values())) if is_one else {"name": "", **_origin(told.request)}
    for at, command in told.controls:
        found.append(_entry(told, at, "", whole, f"control_{command}", CONTROLS.get(command, "running")))
    return sorted(found, key=lambda one: one[1])


def _of_tasks(
    told: Told, events: Iterable[Event], specs: Mapping[str, Mapping[str, object]]
) -> Iterator[tuple[str, int]]:
    def entry(at: float, task: str, event: str, status: str, code: int | None = None) -> tuple[str, int]:
        spec = specs.get(task) or {"name": task, **_origin(told.request)}
        return _entry(told, int(at * 1e9), task, spec, event, status, code)

    for event in events:
        if isinstance(event, RunStarted):
            for task in event.tasks:
                yield entry(event.at, task, "task_initialized", "created")
        elif isinstance(event, TaskStarted):
            yield entry(event.at, event.task, "work_started", "running")
        elif isinstance(event, TaskRetrying):
            yield entry(event.at, event.task, "task_retrying", "running", event.exit_code)
        elif isinstance(event, TaskFinished):
            name, status = BY_OUTCOME[event.outcome]
            if event.reason in BY_REASON and event.outcome is not Outcome.SKIPPED:
                name, status = BY_REASON[event.reason]
            yield entry(event.at, event.task, name, status, event.exit_code)


def task_specs(request: Mapping[str, object]) -> list[dict[str, object]]:
    """The specs of what was run without a runbook, in order; none for runbooks."""
    tasks, env = request.get("tasks"), request.get("env")
    given = env if isinstance(env, dict) else {}
    return [_spec(dict(one), given) for one in tasks] if isinstance(tasks, list) else []


def _spec(task: dict[str, Any], env: Mapping[str, str]) -> dict[str, object]:
    """The TaskSpec of a command or a function, as `spry exec --spec` would take it."""
    argv = task.get("argv") or [""]
    is_function = len(argv) == 4 and argv[1].endswith(CALLER) and task.get("path") == "<function>"
    spec: dict[str, object] = {}
    if is_function:
        args, keywords = json.loads(argv[3])
        spec = {"type": "function", "function_target": argv[2], "args": args, "keyword_args": keywords}
    else:
        spec = {"type": "command", "process_target": argv[0], "args": argv[1:]}
    spec["timeout"] = task.get("timeout")
    spec["limits"] = limits(task.get("limits"))
    spec["env"] = {**dict(task.get("env") or ()), **env}
    spec["working_dir"] = task.get("folder")
    spec.update(stream_output=task.get("stream", True), cleanup_on_exit=task.get("cleanup", True))
    spec.update({name: task[name] for name in ("interactive", "inbox", "outbox", "reserved") if task.get(name)})
    return {"name": task["name"], "spec": spec}


def _given(name: str, told: Mapping[str, Any], request: Mapping[str, Any]) -> dict[str, object]:
    """What a task of a runbook was, with what this run gave it."""
    spec = dict(told["spec"])
    if env := request.get("env"):
        spec["env"] = dict(sorted({**spec.get("env", {}), **env}.items()))
    wanted = {one["name"] for one in spec.get("arg", ())}
    if params := {key: value for key, value in (request.get("params") or {}).items() if key in wanted}:
        spec["params"] = params
    if words := (request.get("words") or {}).get(name):
        spec["args"] = list(words)
    return {"name": name, **_origin(request), "spec": dict(sorted(spec.items()))}


def _origin(request: Mapping[str, object]) -> dict[str, object]:
    files = request.get("files")
    return {"files": [str(name) for name in files] if isinstance(files, list) else []}


def _entry(
    told: Told, at: int, task: str, spec: Mapping[str, object], event: str, status: str, code: int | None = None
) -> tuple[str, int]:
    suffix = f"/{task}" if task else ""
    fields = {
        "event": event,
        "tid": f"{told.run}{suffix}",
        "tid_short": f"{told.run[-SHORT:]}{suffix}",
        "status": status,
        "timestamp": str(at),
        "taskspec": spec,
        "task_pid": told.pid,
        "return_code": code,
    }
    return json.dumps(fields), at
