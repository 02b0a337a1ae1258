"""One loop for several repositories: whatever concerns a task goes to its own repository, under its own name."""

from __future__ import annotations

from spry.core.events import Reason, RunFinished, RunStarted, TaskFinished
from spry.errors import HostError, SpryError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from spry.core.events import Event
    from spry.core.model import Step
    from spry.core.result import Ending
    from spry.engine.artifacts import Artifacts
    from spry.execute.local import LocalExecutor
    from spry.execute.protocol import Attempt, Call
    from spry.workspace.crew import Member


class Places:
    """Where each task of the workspace belongs, by its full name."""

    def __init__(self, members: Sequence[Member]) -> None:
        self._of = {member.share.full(name): (member, name) for member in members for name in member.share.plan.steps}

    def get(self, full: str) -> tuple[Member, str] | None:
        """The repository and the task's own name; None for one that is over and only there to be depended on."""
        return self._of.get(full)


class SharedAttempts:
    """The attempts of several repositories, as the loop wants them: those of one for each task."""

    def __init__(self, members: Sequence[Member], warn: Callable[[str], None]) -> None:
        self.members, self.warn = members, warn
        self.places = Places(members)
        veiled = any(member.attempts.secrets is not None for member in members)
        self.secrets = SharedSecrets(members, self.places) if veiled else None

    def prepare(self, step: Step, number: int) -> Attempt | None:
        """The attempt that runs a step; SpryError if it cannot start."""
        place = self.places.get(step.task.name)
        if place is None:
            raise SpryError("it did not succeed")
        member, name = place
        if member.fault is not None:
            raise member.fault
        try:
            attempt = member.attempts.prepare(member.share.plan.steps[name], number)
        except HostError:
            member.host_error = True
            raise
        return attempt and attempt._replace(task=step.task.name)

    def took(self, name: str, data: bytes) -> None:
        """Some stdout of a running attempt."""
        if place := self.places.get(name):
            place[0].attempts.took(place[1], data)

    @property
    def freshness(self) -> SharedAttempts | None:
        """Who knows which tasks need not run: this, if any may be up to date."""
        return self if any(member.attempts.freshness is not None for member in self.members) else None

    def spare(self, step: Step) -> Ending | Call | None:
        """How a task ends that is about to begin and need not; None if it has to run."""
        place = self.places.get(step.task.name)
        if place is None:
            return None
        member, name = place
        freshness = member.attempts.freshness
        return freshness.spare(member.share.plan.steps[name]) if freshness is not None else None

    def keep(self, step: Step, exit_code: int | None) -> str | Call:
        """Keep what a successful attempt left; what is wrong with that, or nothing."""
        place = self.places.get(step.task.name)
        if place is None:
            return ""
        member, name = place
        try:
            return member.attempts.keep(member.share.plan.steps[name], exit_code)
        except HostError:
            member.host_error = True
            raise

    def over(self, name: str) -> None:
        """An attempt is over, kept or not."""
        if place := self.places.get(name):
            place[0].attempts.over(place[1])

    def files_of(self, full: str) -> tuple[Artifacts | None, str]:
        """The files of the repository that a task belongs to, and its name there."""
        place = self.places.get(full)
        return (place[0].attempts.artifacts, place[1]) if place else (None, full)

    def remark(self, name: str) -> str:
        """What there is to say of a task that needed no process."""
        place = self.places.get(name)
        return place[0].attempts.remark(place[1]) if place else ""

    def finished(self, event: TaskFinished) -> None:
        """A task has its outcome: its dependents may ask for it."""
        if place := self.places.get(event.task):
            place[0].attempts.finished(event._replace(task=place[1]))

    def shown(self, text: str) -> str:
        """Text as people may see it."""
        for member in self.members:
            text = member.attempts.shown(text)
        return text


class SharedSecrets:
    """The secrets of several repositories: each masks what its own tasks say."""

    def __init__(self, members: Sequence[Member], places: Places) -> None:
        self._all = [(member, secrets) for member in members if (secrets := member.attempts.secrets) is not None]
        self._places = places

    def masked(self, events: Iterable[Event]) -> Iterator[Event]:
        """The events without secrets."""
        for event in events:
            place = None if isinstance(event, (RunStarted, RunFinished)) else self._places.get(event.task)
            if isinstance(event, (RunStarted, RunFinished)) or place is None or place[0].attempts.secrets is None:
                yield event
                continue
            member, name = place
            secrets = member.attempts.secrets
            assert secrets is not None
            for one in secrets.masked([event._replace(task=name)]):
                yield one._replace(task=member.share.full(name))  # type: ignore[call-arg] # it is of a task

    def text(self, text: str) -> str:
        """Text without secrets."""
        for _, secrets in self._all:
            text = secrets.text(text)
        return text

    def clean(self, value: object) -> object:
        """A value made of mappings, sequences and text, without secrets."""
        for _, secrets in self._all:
            value = secrets.clean(value)
        return value

    def eased(self, at: float) -> Iterator[Event]:
        """Of what is held back of streams that are quiet, as much as gives nothing away."""
        for member, secrets in self._all:
            for event in secrets.eased(at):
                yield event._replace(task=member.share.full(event.task))  # type: ignore[union-attr,call-arg] # output

    def patience(self, at: float) -> float | None:
        """Seconds until something can be eased; None if nothing can."""
        waits = [wait for _, secrets in self._all if (wait := secrets.patience(at)) is not None]
        return min(waits) if waits else None


class Each:
    """A listener that tells each repository its own events and nothing of others.

    A repository begins with its first event and is over with its last; `ended` is called then.
    """

    def __init__(
        self, members: Sequence[Member], places: Places, executor: LocalExecutor, ended: Callable[[Member], None]
    ) -> None:
        self._members, self._places, self._executor, self._ended = members, places, executor, ended

    def __call__(self, event: Event) -> None:
        """Take the next event of the workspace."""
        if isinstance(event, RunFinished):
            self._over(event)
        elif not isinstance(event, RunStarted) and (place := self._places.get(event.task)):
            self._tell(event, *place)

    def _tell(self, event: Event, member: Member, name: str) -> None:
        member.begin(event.at, self._executor)
        member.tell(event, name)
        if member.is_over and not _was_interrupted(member):
            self._end(member, event.at)

    @property
    def refresh(self) -> float:
        """Seconds until the next beat is due, 0 for any number."""
        return min((pause for member in self._members if (pause := member.audience.refresh)), default=0.0)

    def beat(self, now: float) -> None:
        """Let everybody do what can wait."""
        for member in self._members:
            member.audience.beat(now, now)  # nothing is held back there: what it is told has no secrets any more

    def _over(self, event: RunFinished) -> None:
        """The run of all is over; who was interrupted learns by what."""
        for member in self._members:
            if member.result is None:
                self._end(member, event.at, event.exit_code - 128 if event.exit_code > 128 else None)

    def _end(self, member: Member, at: float, signal: int | None = None) -> None:
        member.end(at, signal)
        self._ended(member)


def _was_interrupted(member: Member) -> bool:
    return any(event.reason is Reason.INTERRUPTED for event in member.finished)


def usual_of(members: Sequence[Member]) -> Mapping[str, float]:
    """How long the tasks of the workspace usually take, as far as their repositories remember."""
    return {member.share.full(name): seconds for member in members for name, seconds in member.usual.items()}
