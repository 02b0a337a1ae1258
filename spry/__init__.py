"""spry: runbooks in Markdown that run, from the command line and from Python.

What `__all__` names can be imported from here; it is loaded when it is first used.
"""

import sys

__version__ = "0.1.0"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from spry.api.context import TaskContext
    from spry.api.copilot import make_copilot_agent_handler, make_copilot_prompt_handler
    from spry.api.events import EventBus, TaskEvent, TaskEventType
    from spry.api.executor import TaskExecutor
    from spry.api.graph import TaskGraph
    from spry.api.outcomes import TaskCancelled, TaskExecutionError, TaskResult, TaskStatus, TaskTimeoutError
    from spry.api.retry import RetryPolicy
    from spry.api.runbook import Runbook, load
    from spry.api.runs import aevents, arun, run
    from spry.api.sqlite import SQLiteStore
    from spry.api.stores import InMemoryStore, Store
    from spry.api.task import Task, TaskType
    from spry.core.result import RunResult
    from spry.workspace.face import Workspace
    from spry.workspace.results import RepositoryResult, WorkspaceTaskResult

_HOMES = {
    "EventBus": "spry.api.events",
    "InMemoryStore": "spry.api.stores",
    "RepositoryResult": "spry.workspace.results",
    "RetryPolicy": "spry.api.retry",
    "RunResult": "spry.core.result",
    "Runbook": "spry.api.runbook",
    "SQLiteStore": "spry.api.sqlite",
    "Store": "spry.api.stores",
    "Task": "spry.api.task",
    "TaskCancelled": "spry.api.outcomes",
    "TaskContext": "spry.api.context",
    "TaskEvent": "spry.api.events",
    "TaskEventType": "spry.api.events",
    "TaskExecutionError": "spry.api.outcomes",
    "TaskExecutor": "spry.api.executor",
    "TaskGraph": "spry.api.graph",
    "TaskResult": "spry.api.outcomes",
    "TaskStatus": "spry.api.outcomes",
    "TaskTimeoutError": "spry.api.outcomes",
    "TaskType": "spry.api.task",
    "Workspace": "spry.workspace.face",
    "WorkspaceTaskResult": "spry.workspace.results",
    "aevents": "spry.api.runs",
    "arun": "spry.api.runs",
    "load": "spry.api.runbook",
    "make_copilot_agent_handler": "spry.api.copilot",
    "make_copilot_prompt_handler": "spry.api.copilot",
    "run": "spry.api.runs",
}

__all__ = [
    "EventBus",
    "InMemoryStore",
    "RepositoryResult",
    "RetryPolicy",
    "RunResult",
    "Runbook",
    "SQLiteStore",
    "Store",
    "Task",
    "TaskCancelled",
    "TaskContext",
    "TaskEvent",
    "TaskEventType",
    "TaskExecutionError",
    "TaskExecutor",
    "TaskGraph",
    "TaskResult",
    "TaskStatus",
    "TaskTimeoutError",
    "TaskType",
    "Workspace",
    "WorkspaceTaskResult",
    "aevents",
    "arun",
    "load",
    "make_copilot_agent_handler",
    "make_copilot_prompt_handler",
    "run",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'spry' has no attribute {name!r}")
    __import__(home)
    found = globals()[name] = getattr(sys.modules[home], name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
