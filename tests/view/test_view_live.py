"""The board below what has ended, on real pseudo-terminals."""

import os
import pty
from fcntl import ioctl
from functools import partial
from struct import pack
from termios import TIOCSWINSZ

import pytest
from glass import Glass
from golden import check
from hypothesis import given
from hypothesis import strategies as st
from showing import (
    RUN,
    TERMINAL,
    Terminal,
    begun,
    ended,
    failed,
    over,
    plan,
    retrying,
    said,
    show,
    started,
    succeeded,
    together,
)

from examples import examples
from spry.core.events import ConfirmationAsked, Outcome, Reason, RunStarted, TaskFinished, TaskProgress
from spry.core.model import Task
from spry.view.plain import output
from spry.view.screen import Screen
from spry.view.spool import Spool

NAMES = ("install-deps", "compile-ts", "compile-sass", "run-tests")


class Stage:
    """A live view on a pseudo-terminal, and what is to be seen there."""

    def __init__(self, columns=60, lines=20, of=None):
        self.leader, self.follower = pty.openpty()
        self.resize(columns, lines)
        self.glass = Glass(columns)
        self.screen = Screen(self.follower, self.follower, environ=TERMINAL)
        self.live = output("live", self.screen, of)

    def resize(self, columns, lines):
        ioctl(self.follower, TIOCSWINSZ, pack("HHHH", lines, columns, 0, 0))

    def see(self, *events, beat=None):
        for event in events:
            self.live(event)
            if isinstance(event, RunStarted):
                self.live.beat(event.at)  # as the engine does after its first wait: the two clocks are compared
        if beat is not None:
            self.live.beat(beat)
        os.write(self.follower, b"\0")  # what was written before it has arrived when it has
        return self.glass.feed(self.read_until(b"\0")).text

    def read_until(self, mark):
        data = bytearray()
        while not data.endswith(mark):
            data += os.read(self.leader, 65536)
        return bytes(data.removesuffix(b"\0"))

    def end(self):
        self.live.close()
        self.screen.close()
        text = self.see()
        os.close(self.follower)
        os.close(self.leader)
        return text


@pytest.fixture
def stage():
    made = []

    def make(*args, **options):
        made.append(Stage(*args, **options))
        return made[-1]

    yield make
    for one in made:
        one.end()


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
def test_the_board_shows_running_tasks_and_totals(columns, stage):
    seen = stage(columns).see(
        started(*NAMES),
        begun("install-deps"),
        said("install-deps", "added 120 packages\n"),
        succeeded("install-deps"),
        begun("compile-ts", at=1.2),
        said(
            "compile-ts",
            "src/модуль.ts → 日本語テキスト and a lot more that will not fit into the line of a terminal\n",
        ),
        begun("compile-sass", at=2.0),
        said("compile-sass", b"10%\r20%\r\n\x1b[31m30%\x1b[0m\r"),
        failed("run-tests"),
        beat=3.5,
    )

    check(f"view/board-{columns}.txt", seen + "\n")


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
def test_no_line_of_the_board_reaches_the_last_column(columns, stage):
    stage = stage(columns)
    names = [f"task-with-quite-a-long-name-{number}" for number in range(3)]
    stage.see(started(*names), *map(begun, names), *(said(name, "日本語" * 50) for name in names), beat=1.0)

    assert columns - 2 <= stage.glass.widest < columns  # a wide letter may not fit the rest


def test_the_board_says_how_long_the_rest_usually_takes(stage):
    steps = plan(*(Task(name, "bash") for name in "ab")).steps
    stage = stage(of=plan(*(Task(name, "bash") for name in "ab")))
    stage.live.expect({"a": 10.0, "b": 95.0})
    seen = [stage.see(started(*steps), begun("a"), begun("b"), beat=5.0), stage.see(beat=25.0), stage.see(beat=94.9)]

    assert [line.rpartition(" · ")[2] for line in (one.splitlines()[-1] for one in seen)] == [
        "about 1m30s left", "about 1m10s left", "1m35s",
    ]  # fmt: skip


def test_a_short_run_sees_no_board(stage):
    seen = stage().see(started("a", "b"), begun("a"), beat=0.1)

    assert seen == ""


def test_a_run_of_one_task_streams_without_board(stage):
    seen = stage().see(started("a"), begun("a"), said("a", "hello\n"), beat=5.0)

    assert seen == "hello\n"


def test_the_board_is_redrawn_by_beats_alone(stage):
    stage = stage()
    before = stage.see(started("a", "b", "c"), begun("a"), beat=1.0)

    assert stage.see(said("a", "news\n"), begun("b"), succeeded("a")) == before
    assert stage.see(beat=2.0) == "news\n✓ a completed (1.2s)\n  b    2.0s\n1/3 done · 1 running · 2.0s\n"


def test_beats_in_quick_succession_draw_once(stage):
    stage = stage()
    stage.see(started("a", "b"), begun("a"), beat=1.0)
    before = stage.see()
    after = stage.see(said("a", "news\n"), beat=1.01)

    assert after == before


def test_the_clock_of_the_beats_may_be_another(stage):
    stage = stage()
    stage.live(started("a", "b", at=1000.0))
    stage.live(begun("a", at=1000.0))
    seen = stage.see(beat=5.0)

    assert seen == ""
    assert stage.see(beat=7.5).endswith("0/2 done · 1 running · 2.5s\n")


def test_the_board_is_gone_at_the_end(stage):
    stage = stage()
    stage.see(started("a", "b"), begun("a"), said("a", "out\n"), beat=1.0)
    seen = stage.see(succeeded("a"), succeeded("b"), over(succeeded=2))

    assert seen == "out\n✓ a completed (1.2s)\n✓ b completed (1.2s)\n2 succeeded in 3.4s\n"


def test_a_run_that_breaks_off_leaves_no_board_and_loses_nothing():
    stage = Stage()
    stage.see(started("a", "b"), begun("a"), said("a", "so far\n"), beat=1.0)

    assert stage.end() == "so far\n"


def test_a_question_has_the_terminal_to_itself(stage):
    stage = stage()
    stage.see(started("a", "b", "c"), begun("a"), beat=1.0)
    asked = ConfirmationAsked(1.0, RUN, "b", "Go?")

    assert stage.see(asked, beat=2.0) == ""
    assert stage.see(said("a", "out\n"), succeeded("a"), beat=3.0) == ""
    assert (
        stage.see(begun("b", at=3.0), beat=4.0)
        == "out\n✓ a completed (1.2s)\n  b    1.0s\n1/3 done · 1 running · 4.0s\n"
    )


def test_a_declined_question_gives_the_terminal_back(stage):
    stage = stage()
    stage.see(started("a", "b", "c"), begun("a"), ConfirmationAsked(1.0, RUN, "b", "Go?"), beat=1.0)
    seen = stage.see(ended("b", Outcome.CANCELLED, Reason.DECLINED), beat=2.0)

    assert seen == "⊘ b cancelled (declined)\n  a    2.0s\n1/3 done · 1 running · 1 cancelled · 2.0s\n"


def test_an_interactive_task_has_the_terminal_to_itself(stage):
    stage = stage(of=plan("a", Task("b", "bash", "vi\n", interactive=True), "c"))
    stage.see(started("a", "b", "c"), begun("a"), beat=1.0)

    assert stage.see(succeeded("a"), begun("b", at=2.0), beat=3.0) == "✓ a completed (1.2s)\n"
    assert stage.see(succeeded("b"), begun("c", at=4.0), beat=5.0).endswith(
        "✓ b completed (1.2s)\n  c    1.0s\n2/3 done · 1 running · 5.0s\n"
    )


def test_what_others_say_stands_above_the_board(stage):
    stage = stage()
    stage.see(started("a", "b"), begun("a"), beat=1.0)
    stage.screen.say("a warning")

    assert stage.see(beat=2.0) == "a warning\n  a    2.0s\n0/2 done · 1 running · 2.0s\n"


def test_output_that_cannot_be_kept_stands_above_the_board(stage, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    monkeypatch.setattr("spry.view.spool.Spool", partial(Spool, 200))
    stage = stage(columns=80)
    stage.see(started("a", "b"), begun("a"), beat=1.0)
    seen = stage.see(*[said("a", f"{number}\n") for number in range(80)], beat=2.0)
    lines = seen.splitlines()

    assert lines[:60] == [str(number) for number in range(60)]
    assert sum("done ·" in line for line in lines) == 1


def test_progress_stands_before_output(stage):
    progress = TaskProgress(1.0, RUN, "a", 1, 25.0, "warming up")
    seen = stage().see(started("a", "b"), begun("a"), said("a", "noise\n"), progress, beat=1.0)

    assert seen.startswith("  a    1.0s  25% warming up\n")


def test_a_silent_task_has_no_preview(stage):
    quiet = plan(Task("a", "bash", "x\n", silent=True), "b")

    assert (
        stage(of=quiet).see(started("a", "b"), begun("a"), said("a", "secret\n"), beat=1.0).startswith("  a    1.0s\n")
    )


def test_attempts_are_told_in_order(stage):
    stage = stage()
    stage.see(started("a", "b"), begun("a"), said("a", "one\n"), beat=1.0)
    seen = stage.see(retrying("a"), begun("a", 2, at=2.0), said("a", "two\n", attempt=2), failed("a"), beat=3.0)

    assert seen.splitlines()[:4] == [
        "one",
        "↻ a retrying (2 of 3) in 1s: failed with exit code 1",
        "two",
        "✗ a failed with exit code 1 (0.3s)",
    ]


def test_a_low_terminal_shows_the_first_tasks_and_how_many_more(stage):
    names = [f"t{number}" for number in range(9)]
    seen = stage(60, 7).see(started(*names), *map(begun, names), beat=1.0)

    assert seen == ("  t0    1.0s\n  t1    1.0s\n  t2    1.0s\n  … and 6 more\n0/9 done · 9 running · 1.0s\n")


def test_a_narrower_terminal_loses_nothing_above_the_board(stage):
    stage = stage(80)
    stage.see(started("a", "b", "c"), begun("a"), succeeded("a"), begun("b"), said("b", "x" * 200), beat=1.0)
    stage.resize(100, 20)
    seen = stage.see(beat=2.0)

    assert seen.count("✓ a completed") == 1
    assert seen.count("done ·") == 1


def test_a_narrower_terminal_has_wrapped_the_board(stage):
    stage = stage(80)
    stage.see(started("a", "b", "c"), begun("a"), said("a", "x" * 200), beat=1.0)
    stage.resize(40, 20)
    stage.live.beat(2.0)
    data = stage.read_until(b"\x1b[J")
    stage.glass.row += 1  # the glass does not wrap, terminals do

    assert data.startswith(b"\r\x1b[3A")  # 79 columns became two lines of 40, the totals stayed one


def test_a_stopped_terminal_gets_no_frames(stage):
    stage = stage()
    stage.see(started("a", "b"), begun("a"), beat=1.0)
    stage.screen.write("stdout", b"x" * 500_000 + b"\n")
    stage.screen.flush()
    for second in range(2, 9):
        stage.live.beat(float(second))
    data = bytearray()
    while stage.screen.behind:
        data += os.read(stage.leader, 65536)
        stage.screen.flush()
    seen = bytes(data) + stage.read_until(b"\n")

    assert b"done" not in seen
    assert seen.count(b"x") == 500_000


def test_nothing_needs_a_beat_without_a_board():
    live = output("live", Screen(Terminal(), Terminal(), environ=TERMINAL))

    assert live.refresh == 0.0
    live(started("a", "b"))
    assert live.refresh > 0.0
    live(over())
    assert live.refresh == 0.0


EVENTS = st.lists(
    st.one_of(
        st.sampled_from("abc").map(begun),
        st.sampled_from("abc").map(succeeded),
        st.sampled_from("abc").map(failed),
        st.sampled_from("abc").map(retrying),
        st.tuples(st.sampled_from("abc"), st.sampled_from(["x\n", "日本\n", "y" * 90, "\n"])).map(
            lambda one: said(*one)
        ),
        st.integers(1, 90).map(float),
    ),
    max_size=25,
)


def _over(step, before):
    """Whether a task had its outcome before this step of it: nothing comes after that."""
    return any(isinstance(one, TaskFinished) and one.task == getattr(step, "task", "") for one in before)


@examples(60)
@given(EVENTS, st.sampled_from([40, 80]))
def test_when_all_is_over_a_live_run_looks_like_a_plain_one(steps, columns):
    stage = Stage(columns)
    steps = [step for index, step in enumerate(steps) if not _over(step, steps[:index])]
    events = [step for step in steps if not isinstance(step, float)]
    stage.see(started("a", "b", "c", "d"))
    for step in steps:
        stage.see(beat=step) if isinstance(step, float) else stage.see(step)
    stage.see(over(succeeded=1))

    assert stage.end() == together("group", started("a", "b", "c", "d"), *events, over(succeeded=1))


def test_live_and_plain_use_the_same_streams():
    events = (started("a", "b"), said("a", "out\n"), said("a", "err\n", "stderr"), succeeded("a"))

    assert show("live", *events) == show("group", *events)
