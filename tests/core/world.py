"""A schedule under test: tasks and plans in few words, and an engine that does what the test says."""

from __future__ import annotations

from spry.core.events import TaskFinished, TaskStarted
from spry.core.model import Plan, Step, Task, Terms
from spry.core.result import Ending
from spry.core.schedule import Schedule

OKAY, BAD = Ending(0), Ending(1)


def task(name, *deps, body="true", **fields):
    return Task(name, "bash", body, deps=deps, **fields)


def plan(*tasks, kinds=None):
    return Plan({each.name: Step(each, each.deps) for each in tasks}, kinds or {})


def finally_(name, *deps, **fields):
    return task(name, *deps, is_finally=True, **fields)


class World:
    """A schedule with a clock and a record of everything it said."""

    def __init__(self, *tasks, free=100, kinds=None, epoch=0.0, durations=None, **terms):
        planned = plan(*tasks, kinds=kinds)
        self.schedule = Schedule(planned, "r1", Terms(**terms), epoch=epoch, durations=durations)
        self.free, self.now, self.events = free, 0.0, []

    def take(self, free=None):
        begun = self.schedule.take(self.free - self.schedule.running if free is None else free, self.now)
        self.events += begun
        return [event.task for event in begun]

    def end(self, name, ending=OKAY):
        return self.tell(self.schedule.ended(name, ending, self.now))

    def tell(self, events):
        self.events += events
        return events

    def at(self, now):
        self.now = now
        return self.tell(self.schedule.tick(now))

    def run(self, endings=None):
        """Runs to the end, each task ending in the order in which it was taken."""
        endings, waiting = endings or {}, []
        while not self.schedule.done:
            waiting += self.take()
            if not waiting:
                self.at(self.schedule.wake())
                continue
            name = waiting.pop(0)
            self.end(name, endings.get(name, OKAY))
        return self

    @property
    def finished(self):
        return {event.task: event for event in self.events if isinstance(event, TaskFinished)}

    @property
    def outcomes(self):
        return {
            name: (event.outcome.value, event.reason and event.reason.value) for name, event in self.finished.items()
        }

    @property
    def started(self):
        return [event.task for event in self.events if isinstance(event, TaskStarted)]


SUCCEEDED = ("succeeded", None)
FAILED = ("failed", "exit_code")
SKIPPED = ("skipped", "dependency")
INTERRUPTED = ("cancelled", "interrupted")
