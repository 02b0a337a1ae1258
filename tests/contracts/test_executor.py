"""What every executor promises, whether its attempts are processes or acted."""

import os
import signal
import threading
from typing import NamedTuple

import pytest
from fakes import NEVER, FakeExecutor, Play

from spry.core.result import Ending
from spry.execute.local import LocalExecutor
from spry.execute.protocol import Attempt, Exited, Output

ENV = {b"PATH": os.fsencode(os.environ["PATH"])}
FOREVER = "while :; do sleep 60 & wait $!; done"


class Act(NamedTuple):
    """One behaviour, as a script for real executors and as a Play for the fake one."""

    script: str
    play: Play


SUCCEEDS = Act(":", Play(lasts=0.01))
TALKS = Act("echo out; echo err >&2; exit 3", Play(3, 0.01, b"out\n", b"err\n"))
DIES = Act("kill -SEGV $$", Play(None, 0.01, signal=signal.SIGSEGV.value))
WAITS = Act(f"echo ready; {FOREVER}", Play(lasts=NEVER, stdout=b"ready\n"))
IGNORES_TERM = Act(f"trap '' TERM; echo ready; {FOREVER}", Play(lasts=NEVER, stdout=b"ready\n", obeys=False))
CLEANS_UP = Act(
    f"trap 'echo bye; exit 7' TERM; echo ready; {FOREVER}",
    Play(lasts=NEVER, stdout=b"ready\n", cleanup=0.001),
)


class Acting:
    """A Play as a function that is called: who obeys ends when it is told to, all others when their time comes."""

    def __init__(self, task: str, play: Play) -> None:
        self.task, self.play = task, play
        self.told = threading.Event()

    def __call__(self, post) -> Ending:
        play = self.play
        for stream, data in ((1, play.stdout), (2, play.stderr)):
            if data:
                post(Output(self.task, stream, data))
        if not play.obeys:
            threading.Event().wait(play.lasts if play.lasts < NEVER else None)
        if self.told.wait(play.lasts if play.lasts < NEVER else None):
            return Ending(None, signal.SIGTERM.value)
        return Ending(play.code if play.signal is None else None, play.signal)

    def cancel(self) -> None:
        self.told.set()


class Stage:
    """An executor and the means to make it act; with `calls` its attempts are functions."""

    def __init__(self, executor, calls=False) -> None:
        self.executor = executor
        self.calls = calls
        self.output: dict[tuple[str, int], bytes] = {}

    def start(self, task: str, act: Act, number: int = 1) -> None:
        if isinstance(self.executor, FakeExecutor):
            self.executor.plays[task] = [act.play]
        argv = ("/usr/bin/env", "bash", "-c", act.script)
        call = Acting(task, act.play) if self.calls else None
        self.executor.start(Attempt(task, number, argv, ENV, os.getcwd(), call=call))

    def start_missing(self, task: str) -> None:
        if isinstance(self.executor, FakeExecutor):
            self.executor.plays[task] = [Play(error="cannot start /no/such/program: it does not exist")]
        self.executor.start(Attempt(task, 1, ("/no/such/program",), ENV, os.getcwd()))

    def next(self, kind: type):
        """The next notice of a kind; output on the way is kept."""
        for _ in range(1000):
            for notice in self.executor.wait(10):
                if isinstance(notice, Output):
                    key = notice.task, notice.stream
                    self.output[key] = self.output.get(key, b"") + notice.data
                if isinstance(notice, kind):
                    return notice
        raise AssertionError(f"no {kind.__name__} came")


@pytest.fixture(params=["pidfd", "sigchld", "calls", "fake"])
def stage(request):
    makers = {
        "pidfd": lambda: LocalExecutor(2),
        "sigchld": lambda: LocalExecutor(2, pidfds=False),
        "calls": lambda: LocalExecutor(2),
        "fake": lambda: FakeExecutor(2),
    }
    executor = makers[request.param]()
    yield Stage(executor, calls=request.param == "calls")
    executor.close()


def test_slots_are_taken_by_a_start_and_given_back_by_its_end(stage):
    stage.start("one", SUCCEEDS)
    during = stage.executor.free()
    stage.next(Exited)

    assert (during, stage.executor.free()) == (1, 2)


def test_success_is_code_0(stage):
    stage.start("one", SUCCEEDS)

    assert stage.next(Exited) == Exited("one", 0)


def test_output_comes_before_the_end_each_stream_by_itself(stage):
    stage.start("one", TALKS)

    assert stage.next(Exited) == Exited("one", 3)
    assert stage.output == {("one", 1): b"out\n", ("one", 2): b"err\n"}


def test_death_by_a_signal_is_told_as_such(stage):
    stage.start("one", DIES)

    assert stage.next(Exited) == Exited("one", None, signal.SIGSEGV)


def test_what_cannot_be_started_ends_with_a_reason_and_gives_its_slot_back(stage):
    stage.start_missing("one")
    ended = stage.next(Exited)

    assert (ended.code, ended.signal) == (None, None)
    assert "/no/such/program" in ended.error
    assert stage.executor.free() == 2


def test_waiting_ends_when_its_time_is_up(stage):
    stage.start("one", WAITS)
    stage.next(Output)

    assert stage.executor.wait(0) == []
    assert stage.executor.wait(0.01) == []


def test_attempts_run_side_by_side(stage):
    stage.start("patient", WAITS)
    stage.next(Output)
    stage.start("quick", SUCCEEDS)

    assert stage.next(Exited) == Exited("quick", 0)
    assert stage.executor.free() == 1


def test_who_obeys_a_polite_stop_dies_of_it(stage):
    stage.start("one", WAITS)
    stage.next(Output)
    stage.executor.stop("one", grace=60)

    assert stage.next(Exited) == Exited("one", None, signal.SIGTERM)


def test_who_ignores_a_polite_stop_is_killed_after_the_grace(stage):
    stage.start("one", IGNORES_TERM)
    stage.next(Output)
    stage.executor.stop("one", grace=0.05)

    assert stage.next(Exited) == Exited("one", None, signal.SIGKILL)


def test_a_stop_without_grace_kills_at_once(stage):
    stage.start("one", CLEANS_UP)
    stage.next(Output)
    stage.executor.stop("one", grace=0)

    assert stage.next(Exited) == Exited("one", None, signal.SIGKILL)


def test_a_second_stop_without_grace_cuts_the_first_one_short(stage):
    stage.start("one", IGNORES_TERM)
    stage.next(Output)
    stage.executor.stop("one", grace=3600)
    stage.executor.stop("one", grace=0)

    assert stage.next(Exited) == Exited("one", None, signal.SIGKILL)


def test_stopping_one_leaves_the_other_alone(stage):
    stage.start("one", WAITS)
    stage.next(Output)
    stage.start("other", WAITS)
    stage.next(Output)
    stage.executor.stop("one", grace=60)

    assert stage.next(Exited).task == "one"
    assert stage.executor.free() == 1


def test_stopping_what_does_not_run_is_harmless(stage):
    stage.executor.stop("nobody", grace=1)

    assert stage.executor.wait(0) == []


def test_a_task_can_be_tried_again(stage):
    stage.start("one", TALKS)
    stage.next(Exited)
    stage.start("one", SUCCEEDS, 2)

    assert stage.next(Exited) == Exited("one", 0)
