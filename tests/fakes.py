"""Stand-ins for the outside: an executor that acts out a script, on a clock that jumps."""

from __future__ import annotations

import signal
from typing import NamedTuple

from spry.execute.protocol import Exited, Output, Signalled

NEVER = float("inf")


class FakeClock:
    """Time that passes only when somebody waits."""

    def __init__(self, time: float = 0.0) -> None:
        self.time = time

    def now(self) -> float:
        return self.time


class Play(NamedTuple):
    """How one attempt goes: output at once, an end after `lasts` seconds.

    One that does not obey lives on until it is killed; one that obeys ends `cleanup` seconds after it is told to.
    """

    code: int | None = 0
    lasts: float = 1.0
    stdout: bytes = b""
    stderr: bytes = b""
    signal: int | None = None
    error: str = ""
    obeys: bool = True
    cleanup: float = 0.0


class _Acting:
    """An attempt on stage: when and how it will end."""

    def __init__(self, play: Play, now: float) -> None:
        self.play = play
        self.ends = now + play.lasts
        self.ending = (None, None) if play.error else (play.code if play.signal is None else None, play.signal)


class FakeExecutor:
    """Acts out a Play for each attempt, by task name: one, or a list of one for each attempt (the last one repeats).

    A task without a Play succeeds after a second. `answers` are those to questions (None: nobody answers). `signals`
    arrive at their instants. What was asked of it is in `started` and `stopped`, with the time.
    """

    def __init__(self, jobs=1, plays=None, *, clock=None, answers=None, signals=()) -> None:
        self.jobs = jobs
        self.clock = clock or FakeClock()
        self.plays = {name: play if isinstance(play, list) else [play] for name, play in (plays or {}).items()}
        self.answers = answers or {}
        self.signals = sorted(signals)
        self.started = []
        self.stopped = []
        self.closed = False
        self._acting: dict[str, _Acting] = {}
        self._notices = []

    @property
    def running(self) -> tuple[str, ...]:
        return tuple(self._acting)

    def free(self) -> int:
        return self.jobs - len(self._acting)

    def start(self, attempt) -> None:
        assert self.free() > 0, f"no slot is free for {attempt.task}"
        assert attempt.task not in self._acting, f"{attempt.task} runs already"
        self.started.append((self.clock.time, attempt))
        play = self._play(attempt)
        self._acting[attempt.task] = _Acting(play, self.clock.time)
        for stream, data in ((1, play.stdout), (2, play.stderr)):
            if data:
                self._notices.append(Output(attempt.task, stream, data))

    def _play(self, attempt) -> Play:
        if attempt.question:
            answer = self.answers.get(attempt.task, True)
            return Play(0 if answer else 1, lasts=NEVER if answer is None else 0.0)
        plays = self.plays.get(attempt.task, [Play()])
        play = plays[min(attempt.number, len(plays)) - 1]
        return play._replace(lasts=0.0) if play.error else play

    def wait(self, timeout):
        now = self.clock.time
        until = NEVER if timeout is None else now + timeout
        if not self._notices:
            happens = min(self._next(), until)
            assert happens < NEVER, "nothing will ever happen"
            self.clock.time = max(now, happens)
            self._pass()
        told, self._notices = self._notices, []
        return told

    def _next(self) -> float:
        return min(
            [acting.ends for acting in self._acting.values()] + [at for at, _ in self.signals[:1]], default=NEVER
        )

    def _pass(self) -> None:
        """Tell all that is due by now: signals first, then ends by time."""
        while self.signals and self.signals[0][0] <= self.clock.time:
            self._notices.append(Signalled(self.signals.pop(0)[1]))
        due = [task for task, acting in self._acting.items() if acting.ends <= self.clock.time]
        for task in sorted(due, key=lambda task: self._acting[task].ends):
            acting = self._acting.pop(task)
            self._notices.append(Exited(task, *acting.ending, error=acting.play.error))

    def stop(self, task, *, grace) -> None:
        self.stopped.append((self.clock.time, task, grace))
        acting = self._acting.get(task)
        if acting is None:
            return
        obedient = self.clock.time + acting.play.cleanup if acting.play.obeys and grace > 0 else NEVER
        killed = self.clock.time + grace
        if min(obedient, killed) < acting.ends:
            acting.ends = min(obedient, killed)
            number = signal.SIGTERM if obedient <= killed else signal.SIGKILL
            acting.ending = None, number.value

    def close(self) -> None:
        self._acting.clear()
        self.closed = True
