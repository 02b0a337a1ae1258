"""Those who hear of a run: each fact in order, without secrets; nobody who fails among them fails the run."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from spry.core.events import Event
    from spry.engine.work import Veil

    Listener = Callable[[Event], None]


class Audience:
    """The listeners of one run.

    A listener is called with each event. One with a `beat` is also called in every turn of the loop, with the instant,
    and has a `refresh`: the longest pause between two beats in seconds, 0 for any. One that is `incomplete` has lost
    something of what it was told. `warn` tells people who is told no more.
    """

    __slots__ = ("_any_failed", "_beating", "_secrets", "_warn", "listeners")

    def __init__(self, listeners: Sequence[Listener], warn: Callable[[str], None], secrets: Veil | None = None) -> None:
        self.listeners = list(listeners)
        self._beating: list[Any] = [one for one in listeners if hasattr(one, "beat")]  # which no type can say
        self._warn, self._secrets = warn, secrets
        self._any_failed = False

    def tell(self, events: Iterable[Event]) -> None:
        """Tell everybody, without secrets; what may be the beginning of one is held back."""
        self._publish(events if self._secrets is None else self._secrets.masked(events))

    def beat(self, now: float, at: float) -> None:
        """A turn of the loop is over: tell of what is held back as much as can be told `at` this time of day."""
        if self._secrets is not None:
            self._publish(self._secrets.eased(at))
        for listener in self._beating:
            try:
                listener.beat(now)
            except Exception as error:  # noqa: BLE001 - whatever it is
                self._drop(listener, error)

    def patience(self, at: float) -> float | None:
        """Seconds until the next beat is due although nothing happens; None for any number."""
        held = self._secrets.patience(at) if self._secrets is not None else None
        return self.refresh or None if held is None else min(held, self.refresh or held)

    @property
    def refresh(self) -> float:
        """The longest pause between two beats in seconds, 0 for any: an audience may be a listener of another one."""
        return min((float(pause) for listener in self._beating if (pause := listener.refresh)), default=0.0)

    @property
    def has_missed(self) -> bool:
        """Whether somebody was not told all, or has lost some of it: such a run cannot be called good."""
        return self._any_failed or any(getattr(one, "incomplete", False) for one in self.listeners)

    def _publish(self, events: Iterable[Event]) -> None:
        for event in events:
            for listener in self.listeners:
                try:
                    listener(event)
                except Exception as error:  # noqa: BLE001 - whatever it is
                    self._drop(listener, error)

    def _drop(self, listener: Listener, error: Exception) -> None:
        """One that raises is told no more, and the exit code says so."""
        self._any_failed = True
        self.listeners = [other for other in self.listeners if other is not listener]
        self._beating = [other for other in self._beating if other is not listener]
        self._warn(f"{type(listener).__name__} failed and is told no more: {error!r}")
