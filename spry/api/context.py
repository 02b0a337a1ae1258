"""What a handler sees of its task, and how it is called."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from types import MappingProxyType

from spry.api.outcomes import TaskCancelled, TaskStatus
from spry.core.events import Reason
from spry.core.result import Ending
from spry.execute.protocol import Progress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextvars import Context

    from spry.api.task import Task, TaskType
    from spry.execute.protocol import Notice

    TaskHandler = Callable[["TaskContext"], object]

SUCCESS = Ending(0)


class TaskContext:
    """A task as its handler sees it.

    `upstream` are the direct dependencies of the task by id, as they ended.
    """

    __slots__ = ("_payload", "_progress_emitter", "_stopped", "_task", "_upstream")

    def __init__(
        self,
        task: Task,
        upstream: Mapping[str, Task] | None = None,
        *,
        progress_emitter: Callable[[float | None, str | None], None] | None = None,
        payload: str | None = None,
    ) -> None:
        self._task = task
        self._payload = payload
        self._upstream = MappingProxyType(dict(upstream or {}))
        self._progress_emitter = progress_emitter
        self._stopped = False

    @property
    def id(self) -> str:
        """The task's id."""
        return self._task.id

    @property
    def title(self) -> str:
        """Its title."""
        return self._task.title

    @property
    def description(self) -> str:
        """Its description."""
        return self._task.description

    @property
    def payload(self) -> str:
        """What is to be done, as the handler understands it; of a cell, with its values in it."""
        return self._task.payload if self._payload is None else self._payload

    @property
    def type(self) -> TaskType:
        """What kind of work it is."""
        return self._task.type

    @property
    def timeout(self) -> float | None:
        """How many seconds it may take; None for any number."""
        return self._task.timeout

    @property
    def status(self) -> TaskStatus:
        """Where it stands."""
        return self._task.status

    @property
    def upstream(self) -> Mapping[str, Task]:
        """The tasks that this one depends on directly, by id."""
        return self._upstream

    @property
    def cancelled(self) -> bool:
        """Whether the handler should come to an end: its task was cancelled, or its time is over."""
        return self._stopped or self._task.is_cancelled

    def raise_if_cancelled(self) -> None:
        """Raise TaskCancelled if the handler should come to an end."""
        if self.cancelled:
            raise TaskCancelled(f"Task '{self.id}' was cancelled")

    def emit_progress(self, percent: float | None = None, message: str | None = None) -> None:
        """Say how far the work is: `percent` from 0 to 100, a message, or both.

        Raises TypeError or ValueError for anything else, RuntimeError if nobody runs the task.
        """
        if percent is None and message is None:
            raise ValueError("percent or message is required")
        if percent is not None:
            if type(percent) not in (int, float):
                raise TypeError("percent must be a number")
            if not isfinite(percent) or not 0 <= percent <= 100:
                raise ValueError("percent must be between 0 and 100")
        if self._progress_emitter is None:
            raise RuntimeError("progress cannot be emitted without an executor")
        self._progress_emitter(None if percent is None else float(percent), message)


@dataclass(slots=True)
class Handling:
    """One call of a handler: `value` is what it returned, `error` what it raised."""

    name: str
    task: Task
    handler: TaskHandler
    upstream: Mapping[str, Task]
    surroundings: Context
    payload: str | None = None
    value: object = None
    error: BaseException | None = None
    _context: TaskContext = field(init=False)

    def __post_init__(self) -> None:
        self._context = TaskContext(self.task, self.upstream, payload=self.payload)

    def __call__(self, post: Callable[[Notice], None]) -> Ending:
        """Call the handler, with the context variables of whoever runs the task."""
        context = self._context
        context._progress_emitter = lambda percent, text: post(Progress(self.name, percent, text or ""))  # noqa: SLF001 - ours
        try:
            self.value = self.surroundings.run(self.handler, context)
        except TaskCancelled as error:
            self.error = error
            return Ending(None, reason=Reason.INTERRUPTED, message=str(error))
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is the task's failure
            self.error = error
            return Ending(None, reason=Reason.HANDLER, message=str(error))
        return SUCCESS

    def cancel(self) -> None:
        """Let the handler see that it should come to an end."""
        self._context._stopped = True  # noqa: SLF001 - ours
