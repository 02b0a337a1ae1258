"""The five verbs every executor has, and the words it speaks with the engine."""

from __future__ import annotations

from spry.core.events import Reason
from spry.core.result import Ending, kept_running
from spry.record import NamedTuple, Protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from spry.core.masking import Stream


class Call(Protocol):
    """Work that is no process: a function of this program, called on a thread of its own."""

    def __call__(self, post: Callable[[Notice], None]) -> Ending:
        """Do it; `post` tells the run something about it meanwhile."""

    def cancel(self) -> None:
        """It is to come to an end soon. From another thread."""


class Attempt(NamedTuple):
    """One try of one task, ready to start: everything resolved, nothing left to decide.

    `argv[0]` is the absolute path of a program; `env` is complete; `cwd` is absolute. A non-empty `question` makes
    this a confirmation: nothing is started, the question is put on the terminal, and the answer is its exit code
    (0 yes, 1 no). `limits` are what all its processes together may use, as in `Task.limits`. With `terminal` it has
    the user's terminal to itself: what it writes appears there as it comes, and is told as stdout. What appears there
    goes through the `veil`, if there is one. `stdin` is the absolute path of a file to read, `-` for the stdin that we
    were given ourselves; without one it reads /dev/null. With a `call` it is no process at all: that is called, and all
    else here means nothing. The `number` is 0 of what is no try of the task but something that we do for it.
    """

    task: str
    number: int
    argv: Sequence[str]
    env: Mapping[bytes, bytes]
    cwd: str
    question: str = ""
    limits: tuple[tuple[str, float], ...] = ()
    terminal: bool = False
    veil: Stream | None = None
    stdin: str = ""
    call: Call | None = None


class Output(NamedTuple):
    """Bytes of a task, in order within a stream; `stream` is 1 (stdout) or 2 (stderr)."""

    task: str
    stream: int
    data: bytes


class Exited(NamedTuple):
    """An attempt is over and nothing of it is alive; all its `Output` came before.

    Exactly one of `code` and `signal` is set, unless the process could not be started: then `error` says why.
    `limit` says which limit it was killed for, and with which measure (`memory 734 MB of 512 MB`). A call that did not
    succeed, or an attempt whose files are at fault, has an `ending` that says how. `leaked` are the names of the
    programs that were still there when it had ended by itself, and were killed; `beyond` describes those that nobody
    could kill.
    """

    task: str
    code: int | None
    signal: int | None = None
    error: str = ""
    limit: str = ""
    ending: Ending | None = None
    leaked: tuple[str, ...] = ()
    beyond: tuple[str, ...] = ()

    @property
    def concluded(self) -> Ending:
        """How the attempt ended, for the schedule."""
        if self.error:
            return Ending(None, reason=Reason.HANDLER, message=self.error, final=True)
        if self.ending is not None:
            return self.ending
        if self.limit:
            return Ending(self.code, self.signal, Reason.LIMIT, self.limit)
        return Ending(self.code, self.signal, message=kept_running(self.leaked), leaked=len(self.leaked))


class Progress(NamedTuple):
    """How far a running attempt says it is: percent, words, or both."""

    task: str
    percent: float | None
    text: str


class Withdrawn(NamedTuple):
    """Somebody wants one task to end, or never to begin; all others go on."""

    task: str


class Signalled(NamedTuple):
    """spry itself received a signal (INT, TERM, HUP, QUIT)."""

    number: int


class Paused(NamedTuple):
    """spry and all attempts stood still for so many `seconds` (Ctrl-Z), and go on now."""

    seconds: float


Notice = Output | Exited | Progress | Withdrawn | Signalled | Paused


class Executor(Protocol):
    """Runs attempts somewhere; knows nothing of graphs, retries or outcomes."""

    def free(self) -> int:
        """How many more attempts may be started now."""

    def start(self, attempt: Attempt) -> None:
        """Begin an attempt; whatever goes wrong with it is told by `wait` as `Exited`."""

    def wait(self, timeout: float | None) -> Sequence[Notice]:
        """Block up to `timeout` seconds (None: until something happens) and tell what happened, in order."""

    def stop(self, task: str, *, grace: float) -> None:
        """End the running attempt of a task: politely, then, `grace` seconds later, for good; 0 kills at once."""

    def close(self) -> None:
        """Kill whatever still runs and give back every resource."""
