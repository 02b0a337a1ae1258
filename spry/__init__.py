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
    from spry.api.sqlite import SQLiteStore
    from spry.api.stores import InMemoryStore, Store
    from spry.api.task import Task, TaskType
    from spry.workspace.face import Workspace
    from spry.workspace.results import RepositoryResult, WorkspaceTaskResult

_HOMES = {
    "EventBus": "events",
    "InMemoryStore": "stores",
    "RepositoryResult": "workspace.results",
    "RetryPolicy": "retry",
    "SQLiteStore": "sqlite",
    "Store": "stores",
    "Task": "task",
    "TaskCancelled": "outcomes",
    "TaskContext": "context",
    "TaskEvent": "events",
    "TaskEventType": "events",
    "TaskExecutionError": "outcomes",
    "TaskExecutor": "executor",
    "TaskGraph": "graph",
    "TaskResult": "outcomes",
    "TaskStatus": "outcomes",
    "TaskTimeoutError": "outcomes",
    "TaskType": "task",
    "Workspace": "workspace.face",
    "WorkspaceTaskResult": "workspace.results",
    "make_copilot_agent_handler": "copilot",
    "make_copilot_prompt_handler": "copilot",
}

__all__ = [
    "EventBus",
    "InMemoryStore",
    "RepositoryResult",
    "RetryPolicy",
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
    "make_copilot_agent_handler",
    "make_copilot_prompt_handler",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'spry' has no attribute {name!r}")
    module = f"spry.{home}" if "." in home else f"spry.api.{home}"
    __import__(module)
    found = globals()[name] = getattr(sys.modules[module], name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
