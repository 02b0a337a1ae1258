"""What one command wrote, and nothing else: the way `spry exec` shows a run."""

from __future__ import annotations

from spry.core.events import Outcome, Reason, TaskFinished, TaskOutput
from spry.view.spool import Spool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from spry.core.events import Event
    from spry.core.model import Plan
    from spry.view.screen import Screen

STREAMS = ("stdout", "stderr")


class Passing:
    """The stdout of the last step of a plan, the stderr of all, as they come; a word of ours only where they have none.

    Without `stream` all of it is shown once the run is over. A failure is told unless it is an exit code of the last
    step: that one is passed on to whoever started us.
    """

    def __init__(self, screen: Screen, plan: Plan, *, stream: bool) -> None:
        self._screen, self._steps = screen, plan.steps
        self._last = [*plan.steps][-1]
        self._kept = None if stream else Spool()

    def tell(self, event: Event) -> None:
        """Put on the screen what this event means."""
        if isinstance(event, TaskOutput):
            step = self._steps.get(event.task)
            if (event.stream == "stderr" or event.task == self._last) and not (step and step.task.interactive):
                self._pass(event)
        elif isinstance(event, TaskFinished) and event.outcome is Outcome.FAILED:
            self._failed(event)

    def end(self) -> None:
        """Show what was kept."""
        while self._kept and (piece := self._kept.take()):
            self._screen.write(STREAMS[piece[0]], piece[1])
        for name in self._steps:
            self._screen.end(name)
        if self._kept is not None:
            self._kept.close()

    def _pass(self, event: TaskOutput) -> None:
        data = self._screen.clean(event.task, event.stream, event.data)
        if self._kept is None:
            self._screen.write(event.stream, data)
        else:
            self._kept.put(STREAMS.index(event.stream), data)

    def _failed(self, event: TaskFinished) -> None:
        if event.reason is Reason.EXIT_CODE and event.task == self._last:
            return
        from spry.view.outcomes import outcome  # noqa: PLC0415 - most commands end by themselves

        self._screen.say("spry: ", ("name", event.task), " ", *outcome(event, self._steps))
