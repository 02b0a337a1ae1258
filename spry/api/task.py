"""A unit of work: what to do, and where it stands."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from uuid import uuid4

from spry.api.fields import CHECKS
from spry.api.outcomes import TaskStatus
from spry.api.standing import CANCELLED, FAILED, NEXT, PENDING, RUNNING, SUCCEEDED, transition

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Unpack

    from spry.api.cells import Leaf
    from spry.api.fields import Fields, ProgramFields
    from spry.api.outcomes import TaskResult
    from spry.api.retry import RetryPolicy

WRITTEN = frozenset({"payload", "type", "isolated", "save", "restore"})  # of a cell: in its runbook
UNSAID: dict[str, object] = {"cwd": None, "isolated": False, "save": (), "restore": False}
FRESH = frozenset({"isolated", "restore"})


class TaskType(Enum):
    """What kind of work a task is, and so which handler it goes to.

    SCRIPT is a cell of a runbook in a language without a name of its own here, such as Python.
    """

    BASH = "bash"
    POWERSHELL = "powershell"
    PROMPT = "prompt"
    AGENT = "agent"
    SCRIPT = "script"


class Task:
    """One unit of work. Tasks are equal by `id`; one that has succeeded cannot be changed any more.

    `timeout` is in seconds, None for none. `env` is laid over the environment of this program, `cwd` is the working
    folder (None: the current one when it runs); both matter to programs only. `retry` is how often it is tried, also
    in a graph; None means once.

    Programs of a graph can pass files on. `save` are patterns of those that are kept once the task has succeeded, each
    as `GLOB[:DEST]`; `restore` fills a fresh folder with what all tasks before it have saved (True), or a folder in
    there; `isolated` is such a folder, and empty. ValueError for a pattern or a folder that cannot be meant.
    """

    __slots__ = (
        "__dict__", "__weakref__", "_blocked_by", "_cell", "_id", "_result", "_status", "created_at", "cwd",
        "description", "env", "error", "isolated", "payload", "restore", "retry", "save", "timeout", "title", "type",
    )  # fmt: skip

    def __init__(  # noqa: PLR0913 - the fields of a task, in the order that programs know
        self,
        title: str,
        payload: str,
        type: TaskType,  # noqa: A002 - the name that programs know
        description: str = "",
        error: str | None = None,
        timeout: float | None = None,
        _id: str | None = None,
        created_at: datetime | None = None,
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        retry: RetryPolicy | None = None,
        isolated: bool = False,
        save: str | Sequence[str] = (),
        restore: bool | str = False,
    ) -> None:
        put = object.__setattr__
        for name, value in UNSAID.items():
            put(self, name, value)
        put(self, "_status", PENDING)
        put(self, "_cell", None)
        put(self, "_result", None)
        put(self, "_blocked_by", None)
        put(self, "_id", str(uuid4()) if _id is None else _id)
        self.title, self.payload, self.type, self.description = title, payload, type, description
        self.error, self.timeout = error, timeout
        self.created_at = datetime.now() if created_at is None else created_at  # noqa: DTZ005 - local, as documented
        self.env, self.cwd, self.retry = dict(env or {}), cwd, retry
        self.isolated, self.restore = isolated, restore
        self.save = save  # type: ignore[assignment] # whatever was given, it is kept as a tuple

    @classmethod
    def bash(cls, payload: str, *, title: str = "", **fields: Unpack[ProgramFields]) -> Task:
        """A bash script. It is not strict: begin it with `set -e` where it should stop at the first failure."""
        return cls(title, payload, TaskType.BASH, **fields)

    @classmethod
    def powershell(cls, payload: str, *, title: str = "", **fields: Unpack[ProgramFields]) -> Task:
        """A PowerShell script, run by `pwsh`."""
        return cls(title, payload, TaskType.POWERSHELL, **fields)

    @classmethod
    def prompt(cls, payload: str, *, title: str = "", **fields: Unpack[Fields]) -> Task:
        """A question for a language model, which has no tools to answer it with."""
        return cls(title, payload, TaskType.PROMPT, **fields)

    @classmethod
    def agent(cls, payload: str, *, title: str = "", **fields: Unpack[Fields]) -> Task:
        """An order for an agent, which uses tools to carry it out."""
        return cls(title, payload, TaskType.AGENT, **fields)

    @property
    def id(self) -> str:
        """What tells it from all others; it never changes."""
        return self._id

    @property
    def status(self) -> TaskStatus:
        """Where it stands."""
        return self._status

    @property
    def result(self) -> TaskResult | None:
        """How its last attempt ended; None before that."""
        return self._result

    @property
    def blocked_by(self) -> str | None:
        """The id of the dependency that keeps it from running, if it is blocked."""
        return self._blocked_by

    @property
    def origin(self) -> str:
        """The cell of a runbook that it is, as `file:line name`; empty for a task made in Python."""
        return "" if self._cell is None else str(self._cell)

    @property
    def has_own_folder(self) -> bool:
        """Whether each attempt works in a fresh folder."""
        return self.isolated or bool(self.restore)

    @property
    def is_pending(self) -> bool:
        """Whether it has not started yet."""
        return self._status is PENDING

    @property
    def is_running(self) -> bool:
        """Whether it runs now."""
        return self._status is RUNNING

    @property
    def is_succeeded(self) -> bool:
        """Whether it is done."""
        return self._status is SUCCEEDED

    is_done = is_succeeded

    @property
    def is_failed(self) -> bool:
        """Whether its last attempt failed."""
        return self._status is FAILED

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody gave it up."""
        return self._status is CANCELLED

    @property
    def is_blocked(self) -> bool:
        """Whether a dependency of it did not succeed."""
        return self._status is TaskStatus.BLOCKED

    @property
    def is_terminal(self) -> bool:
        """Whether it neither waits nor runs."""
        return not self._status.is_active

    def can_transition_to(self, status: TaskStatus) -> bool:
        """Whether it may come to stand there next."""
        return status in NEXT[self._status]

    def transition_to(self, status: TaskStatus, error: str | None = None) -> None:
        """Let it stand elsewhere, with the reason if that is bad; ValueError if it cannot.

        What runs has neither result nor error yet, and nothing blocks it.
        """
        put = object.__setattr__
        with transition:
            if status not in NEXT[self._status]:
                raise ValueError(f"Cannot transition task from '{self._status.value}' to '{status.value}'")
            put(self, "_status", status)
            if status is RUNNING:
                put(self, "_result", None)
                put(self, "_blocked_by", None)
                put(self, "error", None)
            elif error is not None and status is not SUCCEEDED:
                put(self, "error", error)

    def cancel(self) -> None:
        """Give it up, unless it has succeeded. Its program, if one runs, is ended by `TaskExecutor.cancel`."""
        with transition:
            if CANCELLED in NEXT[self._status]:
                object.__setattr__(self, "_status", CANCELLED)

    def __setattr__(self, name: str, value: object) -> None:
        if self._status is SUCCEEDED:
            raise AttributeError("SUCCEEDED tasks are immutable")
        if name == "_id":
            raise AttributeError("Task._id is immutable")
        if name in WRITTEN and self._cell is not None:
            raise AttributeError(f"the {name} of a runbook's cell is changed in the runbook")
        if name == "type" and not isinstance(value, TaskType):
            raise TypeError("type must be a TaskType")
        if value and (self.has_own_folder if name == "cwd" else name in FRESH and self.cwd is not None):
            raise ValueError("cwd with isolated or restore: such a task works in a fresh folder; use cd in its script")
        check = CHECKS.get(name)
        object.__setattr__(self, name, value if check is None else check(value))

    def __setstate__(self, state: tuple[dict[str, object] | None, dict[str, object]]) -> None:
        for fields in (UNSAID, *state):  # what an earlier version has pickled lacks some
            for name, value in (fields or {}).items():
                object.__setattr__(self, name, value)

    def __eq__(self, other: object) -> bool:
        return self._id == other._id if isinstance(other, Task) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._id)

    def __repr__(self) -> str:
        return f"Task(id={self._id!r}, title={self.title!r}, status={self._status.value})"

    if TYPE_CHECKING:
        _id: str
        _status: TaskStatus
        _result: TaskResult | None
        _blocked_by: str | None
        _cell: Leaf | str | None
        title: str
        payload: str
        type: TaskType
        description: str
        error: str | None
        timeout: float | None
        created_at: datetime
        env: dict[str, str]
        cwd: str | None
        retry: RetryPolicy | None
        isolated: bool
        save: tuple[str, ...]
        restore: bool | str
