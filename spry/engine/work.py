"""What the loop asks of whoever makes attempts out of steps; `attempts.Attempts` does it for one repository."""

from __future__ import annotations

from spry.record import Protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from spry.core.events import Event, TaskFinished
    from spry.core.model import Step
    from spry.core.result import Ending
    from spry.execute.protocol import Attempt, Call


class Cleaner(Protocol):
    """Hides secrets in what is whole."""

    def clean(self, value: object) -> object:
        """A value made of mappings, sequences and text, without secrets."""

    def text(self, text: str) -> str:
        """Text without secrets."""


class Veil(Cleaner, Protocol):
    """Hides secrets in what is told of a run, see `secrets.Secrets`."""

    def masked(self, events: Iterable[Event]) -> Iterator[Event]:
        """The events without secrets; output that may be the beginning of one comes with what follows it."""

    def eased(self, at: float) -> Iterator[Event]:
        """Of what is held back of streams that are quiet, as much as gives nothing away."""

    def patience(self, at: float) -> float | None:
        """Seconds until something can be eased; None if nothing can."""


class Sparing(Protocol):
    """Knows which tasks need not run, see `freshness.Freshness`."""

    def spare(self, step: Step) -> Ending | Call | None:
        """How a task ends that is about to begin and need not; None if it has to run.

        Where finding out takes long, a call: ask again when that has ended.
        """


class Discreet(Protocol):
    """Somebody who knows the secrets of a run, if there are any; `warn` tells people what no event can."""

    warn: Callable[[str], None]

    @property
    def secrets(self) -> Cleaner | None:
        """What hides secrets, if there are any."""


class Work(Discreet, Protocol):
    """Makes attempts, and keeps what they leave."""

    @property
    def secrets(self) -> Veil | None:
        """What hides secrets, if there are any."""

    @property
    def freshness(self) -> Sparing | None:
        """Who knows which tasks need not run, if any may be up to date."""

    def prepare(self, step: Step, number: int) -> Attempt | None:
        """The attempt that runs a step, or None if it needs no process; SpryError if it cannot start."""

    def took(self, name: str, data: bytes) -> None:
        """Some stdout of a running attempt."""

    def keep(self, step: Step, exit_code: int | None) -> str | Call:
        """Keep what a successful attempt left; what is wrong with that, or nothing. HostError without room for it.

        Where that takes long, a call: keep it again when that has ended.
        """

    def over(self, name: str) -> None:
        """An attempt is over, kept or not."""

    def remark(self, name: str) -> str:
        """What there is to say of a task that needed no process."""

    def finished(self, event: TaskFinished) -> None:
        """A task has its outcome: its dependents may ask for it."""

    def shown(self, text: str) -> str:
        """Text as people may see it."""
