"""What of a run nobody may see: which values are secret, and everything that is told without them."""

from __future__ import annotations

import os

from spry.core.events import TaskFinished, TaskOutput, TaskRetrying
from spry.core.masking import HIDDEN, SHORTEST, Masker, Stream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from spry.core.events import Event
    from spry.core.model import Plan, Settings, Step, Task

WORDS = ("message", "text")  # the fields of events in which people write
QUIET = 0.25  # seconds without more output, until what may be the beginning of a secret is told in part


class Veiled:
    """A stream of a task, masked: `last` is the last event of it, which is told with what comes of all so far."""

    __slots__ = ("last", "stream")

    def __init__(self, stream: Stream, last: TaskOutput) -> None:
        self.stream, self.last = stream, last

    def told(self, data: bytes) -> Iterator[TaskOutput]:
        """Masked data as an event, if there is any."""
        if data:
            yield self.last._replace(data=data)


class Secrets:
    """The secrets of one run; values are learned where they first appear: a parameter, an environment, a capture.

    `text` masks what is whole, `masked` the events of the run; what tasks get of each other stays as it is.
    """

    __slots__ = ("_covert", "_lends", "_names", "_streams", "_told", "_unknown", "_warn", "masker")

    def __init__(
        self,
        plan: Plan,
        params: Mapping[str, Mapping[str, str]],
        environments: Iterable[Mapping[bytes, bytes]],
        warn: Callable[[str], None],
    ) -> None:
        self.masker = Masker()
        self._names = {os.fsencode(name): name for name in names(plan)}
        self._streams: dict[tuple[str, str], Veiled] = {}
        self._told: set[str] = set()
        self._unknown = {name.replace("-", "_") for name in self._names.values()}
        self._lends = any(step.task.is_env for step in plan.steps.values())
        self._warn = warn
        hidden = {*self._names.values()}
        self._covert = {name for name, step in plan.steps.items() if hidden.intersection(step.task.capture_keys)}
        for name, step in plan.steps.items():
            for secret in secret_parameters(step, plan.settings.get(step.task.path)):
                self._learn(secret, params.get(name, {}).get(secret))
            self.watch({os.fsencode(key): os.fsencode(value) for key, value in step.task.env})
        for environment in environments:
            self.watch(environment)

    @property
    def may_come(self) -> bool:
        """Whether a task may yet make a secret out of what its script says: nobody can hide that beforehand."""
        return bool(self._unknown or self._covert or self._lends)

    def watch(self, environment: Mapping[bytes, bytes]) -> None:
        """Learn what an environment holds under the names of secrets."""
        for variable, name in self._names.items():
            value = environment.get(variable)
            if value:
                self._learn(name, os.fsdecode(value))

    def left(self, values: Mapping[str, str]) -> None:
        """Learn what a task has left for others under the names of secrets."""
        self.watch({os.fsencode(name): os.fsencode(value) for name, value in values.items()})

    def are_in(self, values: Mapping[str, str]) -> bool:
        """Whether values that a task has left hold a secret, or are one by their name."""
        return any(os.fsencode(name) in self._names or self.masker.finds(value) for name, value in values.items())

    def are_for(self, task: Task, body: str) -> bool:
        """Whether a script holds a secret, however short the values are that are inserted into it."""
        keys = {os.fsencode(one.key) for one in task.expressions}
        return not keys.isdisjoint(self._names) or self.masker.finds(body)

    def text(self, text: str) -> str:
        """Text without secrets."""
        return self.masker.text(text)

    def clean(self, value: object) -> object:
        """A value made of mappings, sequences and text, without secrets."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {key: self.clean(one) for key, one in value.items()}
        if isinstance(value, (tuple, list)):
            cleaned = map(self.clean, value)
            return value._make(cleaned) if hasattr(value, "_make") else type(value)(cleaned)
        return value

    def masked(self, events: Iterable[Event]) -> Iterator[Event]:
        """The events without secrets; output that may be the beginning of one comes with what follows it."""
        for event in events:
            if isinstance(event, TaskOutput):
                yield from self._output(event)
                continue
            if isinstance(event, (TaskFinished, TaskRetrying)):
                yield from self._rest(event)
            words = {field: getattr(event, field) for field in WORDS if hasattr(event, field)}
            yield event._replace(**self.clean(words)) if words else event  # type: ignore[arg-type] # fields it has

    def eased(self, at: float) -> Iterator[Event]:
        """Of what is held back of streams that are quiet, as much as gives nothing away; `at` is the time of day."""
        for veiled in self._streams.values():
            if veiled.stream.waits and at - veiled.last.at >= QUIET:
                yield from veiled.told(veiled.stream.ease())

    def patience(self, at: float) -> float | None:
        """Seconds until something can be eased; None if nothing can."""
        ends = [veiled.last.at + QUIET for veiled in self._streams.values() if veiled.stream.waits]
        return max(min(ends) - at, 0.0) if ends else None

    def _learn(self, name: str, value: str | None) -> None:
        if value:
            self._unknown.discard(name.replace("-", "_"))
        if value and not self.masker.add(value) and name not in self._told:
            self._told.add(name)
            self._warn(f"the value of {name} has less than {SHORTEST} characters: it is not masked in output")

    def _output(self, event: TaskOutput) -> Iterator[TaskOutput]:
        """What can be told of output; what a task captures as a secret is one `***`."""
        key = event.task, event.stream
        veiled = self._streams.get(key)
        is_first = veiled is None
        if veiled is None:
            veiled = self._streams[key] = Veiled(self.masker.stream(), event)
        veiled.last = event
        if event.stream == "stdout" and event.task in self._covert:
            return veiled.told(HIDDEN + b"\n" if is_first else b"")
        return veiled.told(veiled.stream.feed(event.data))

    def _rest(self, event: TaskFinished | TaskRetrying) -> Iterator[TaskOutput]:
        """What is held back of an attempt that is over."""
        for name in ("stdout", "stderr"):
            veiled = self._streams.pop((event.task, name), None)
            if veiled is not None:
                veiled.last = veiled.last._replace(at=event.at)
                yield from veiled.told(veiled.stream.flush())


def names(plan: Plan) -> set[str]:
    """The variables whose values are secret: those of secret parameters, and what `spry.secrets` lists."""
    found = {name for settings in plan.settings.values() for name in settings.secrets}
    for step in plan.steps.values():
        found.update(one.name for one in step.task.params if one.type == "secret")
    return found | {name.replace("-", "_") for name in found}


def secret_parameters(step: Step, settings: Settings | None) -> list[str]:
    """The parameters of a task whose values are secret, by their type or because `spry.secrets` lists them."""
    listed = settings.secrets if settings else ()
    return [one.name for one in step.task.params if one.type == "secret" or one.name in listed]
