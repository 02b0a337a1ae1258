"""What a task of a runbook is, resolved, as a plain value that is always the same for the same task.

It is for the log of tasks, so it is bounded: long text is cut, with a word of how long it is.
"""

from __future__ import annotations

from spry.core.model import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from spry.core.model import Parameter, Task

LONGEST, MOST = 4096, 16384  # characters of a text, and of all that is told of a task
HIDDEN = "***"
NOTHING = Settings()
LIMITS = {"memory": "memory_mb", "cpu": "cpu_percent", "fds": "max_fds", "connections": "max_connections"}
COUNTED = ("fds", "connections")
# What is told of a task only where it is not as in any other task: the names of its fields, and of its flags.
FLAGS = {
    "interpreter": "interpreter", "exit_codes": "exit_code", "interactive": "interactive", "confirm": "confirm",
    "silent": "silent", "captures": "capture", "interpolate": "interpolate", "inputs": "inputs", "outputs": "outputs",
    "saves": "save", "restore": "restore", "isolated": "isolated", "inbox": "inbox", "outbox": "outbox",
    "reserved": "reserved", "is_finally": "finally", "optional": "optional", "descr": "descr", "graphs": "graph",
    "tags": "tag",
}  # fmt: skip


def spec(task: Task, settings: Settings = NOTHING, clean: Callable[[str], str] = str) -> dict[str, object]:
    """A task as a TaskSpec of type `cell`. Values of secret variables and parameters are hidden.

    `clean` takes secrets out of a text, which is done before any is cut.
    """

    def cut(text: str) -> str:
        text = clean(text)
        return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text)} characters)"

    hidden = {*settings.secrets, *(one.variable for one in task.params if one.type == "secret")}
    env = {**settings.env, **dict(task.env)}
    found: dict[str, object] = {
        "type": "cell",
        "language": task.language,
        "script": cut(task.body),
        "deps": list(task.deps),
        "timeout": task.timeout,
        "limits": limits(task.limits),
        "env": {name: HIDDEN if name in hidden else cut(value) for name, value in sorted(env.items())},
        "env_file": [*settings.env_files, *task.env_files],
        "working_dir": task.cwd or settings.cwd or ".",
    }
    usual = type(task)._field_defaults
    for field, name in FLAGS.items():
        value = getattr(task, field)
        if value != usual[field]:
            found[name] = list(value) if isinstance(value, tuple) else cut(value) if isinstance(value, str) else value
    if task.attempts > 1:
        found["retry"] = {"attempts": task.attempts, "backoff": task.backoff, "factor": task.backoff_factor}
    if task.params:
        found["arg"] = [_parameter(one, hidden) for one in task.params]
    if len(repr(found)) > MOST:
        names = ("type", "language", "script", "timeout", "limits")
        found = {**{name: found[name] for name in names}, "cut": True}
    return {"name": task.name, "spec": dict(sorted(found.items()))}


def limits(given: object) -> Mapping[str, float]:
    """Limits under the names that specs give them."""
    pairs = dict(given) if isinstance(given, (list, tuple)) else {}
    return {LIMITS[name]: int(value) if name in COUNTED else value for name, value in pairs.items()}


def _parameter(one: Parameter, hidden: set[str]) -> dict[str, object]:
    default = HIDDEN if one.default and one.variable in hidden else one.default
    return {"name": one.name, "type": one.type, "default": default}
