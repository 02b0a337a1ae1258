"""The loop: plans run with an executor that acts out a script on a clock that jumps. No process, no waiting."""

from __future__ import annotations

import os
import signal

import pytest
from fakes import FakeClock, FakeExecutor, Play

from spry.core.compile import compile_sources
from spry.core.events import ConfirmationAsked, RunFinished, TaskFinished, TaskOutput, TaskRetrying, TaskStarted
from spry.core.model import Terms
from spry.core.plan import Selection, select
from spry.core.result import fold
from spry.core.source import source
from spry.engine.attempts import Attempts, Situation
from spry.engine.loop import Clock, Loop

BAD = Play(1)


class Run:
    """One run of a runbook: its events in order, its result, and what the executor was asked."""

    def __init__(self, tmp_path, text, plays=None, *, jobs=10, signals=(), answers=None, listeners=(), **options):
        compiled = compile_sources([source(text, "r.md", str(tmp_path))])
        assert compiled.graph, compiled.problems
        plan = select(compiled.graph, Selection(everything=True))
        self.warnings = []
        scratch = tmp_path / "scratch"
        scratch.mkdir(exist_ok=True)
        situation = Situation("r1", dict(os.environb), str(tmp_path), str(scratch), warn=self.warnings.append)
        attempts = Attempts(plan, situation)
        clock = FakeClock()
        self.executor = FakeExecutor(jobs, plays, clock=clock, signals=signals, answers=answers)
        self.events = []
        told = [self.events.append, *listeners]
        terms, clock = Terms(jobs, **options), Clock(clock.now, 1000.0)
        self.result = Loop(plan, "r1", self.executor, attempts, told, terms, clock=clock).run()
        attempts.close()

    @property
    def outcomes(self):
        return {name: str(event.outcome) for name, event in self.result.finished.items()}

    def at(self, kind, task):
        return [event.at - 1000.0 for event in self.events if isinstance(event, kind) and event.task == task]

    def env(self, task):
        return next(attempt.env for _, attempt in self.executor.started if attempt.task == task)


@pytest.fixture
def book(tmp_path):
    def played(text, plays=None, **options):
        return Run(tmp_path, text, plays, **options)

    return played


def cells(*infos, body="echo hi"):
    return "".join(f"```bash {info}\n{body}\n```\n" for info in infos)


def test_everything_runs_and_the_run_succeeds(book):
    ran = book(cells("a", "b --dep a"))

    assert ran.outcomes == {"a": "succeeded", "b": "succeeded"}
    assert ran.result.exit_code == 0


def test_tasks_without_dependencies_run_at_once(book):
    ran = book(cells("a", "b", "c"))

    assert [ran.at(TaskStarted, name) for name in "abc"] == [[0], [0], [0]]


def test_there_is_no_barrier_between_layers(book):
    ran = book(cells("fast", "slow", "next --dep fast"), {"slow": Play(lasts=9)})

    assert ran.at(TaskFinished, "next") < ran.at(TaskFinished, "slow")


def test_no_more_than_jobs_run_at_once(book):
    ran = book(cells("a", "b", "c"), jobs=1)

    assert [ran.at(TaskStarted, name)[0] for name in "abc"] == [0, 1, 2]


def test_a_failure_skips_exactly_its_descendants(book):
    ran = book(cells("a", "b --dep a", "c --dep b", "d"), {"a": BAD})

    assert ran.outcomes == {"a": "failed", "b": "skipped", "c": "skipped", "d": "succeeded"}
    assert ran.result.exit_code == 1


def test_output_is_told_as_it_comes_with_its_stream(book):
    ran = book(cells("a"), {"a": Play(stdout=b"out", stderr=b"err")})

    told = [(event.stream, event.data) for event in ran.events if isinstance(event, TaskOutput)]
    assert told == [("stdout", b"out"), ("stderr", b"err")]


def test_events_come_in_order_and_fold_to_the_result(book):
    ran = book(cells("a", "b --dep a"), {"b": BAD})

    assert [type(event).__name__ for event in ran.events] == [
        "RunStarted", "TaskStarted", "TaskFinished", "TaskStarted", "TaskFinished", "RunFinished",
    ]  # fmt: skip
    assert fold(ran.events) == ran.result


def test_a_retry_waits_and_tries_again(book):
    ran = book(cells("a --retry 3@5s"), {"a": [BAD, BAD, Play()]})

    assert ran.at(TaskStarted, "a") == [0, 6, 12]
    assert [event.attempt for event in ran.events if isinstance(event, TaskRetrying)] == [1, 2]
    assert ran.result.exit_code == 0


def test_a_timeout_stops_the_attempt_politely_first(book):
    ran = book(cells("a --timeout 5s"), {"a": Play(lasts=99)}, grace=2.0)

    assert ran.executor.stopped == [(5.0, "a", 2.0)]
    assert str(ran.result.finished["a"].reason) == "timeout"
    assert ran.result.exit_code == 124


def test_fail_fast_stops_what_runs_and_starts_nothing_new(book):
    ran = book(cells("a", "b", "c --dep b"), {"a": BAD, "b": Play(lasts=9)}, fail_fast=True)

    assert ran.outcomes == {"a": "failed", "b": "cancelled", "c": "cancelled"}


def test_the_first_signal_cancels_and_finally_tasks_still_run(book):
    text = cells("a", "b --dep a", "clean --dep b --finally")
    ran = book(text, {"a": Play(lasts=9)}, signals=[(1.0, signal.SIGINT)])

    assert ran.outcomes == {"a": "cancelled", "b": "cancelled", "clean": "succeeded"}
    assert ran.result.exit_code == 130


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGQUIT, 131)])
def test_each_signal_has_its_exit_code(book, number, code):
    assert book(cells("a"), {"a": Play(lasts=9)}, signals=[(1.0, number)]).result.exit_code == code


def test_the_second_signal_kills(book):
    text = cells("a", "clean --dep a --finally")
    plays = {"a": Play(lasts=99, obeys=False), "clean": Play(lasts=99)}
    ran = book(text, plays, signals=[(1.0, signal.SIGINT), (2.0, signal.SIGINT)], grace=5.0)

    assert (2.0, "a", 0.0) in ran.executor.stopped
    assert ran.result.finished["a"].duration == 2.0


def test_a_task_without_a_body_is_a_group_that_needs_no_process(book):
    ran = book(cells("a", "b") + "```bash all --dep a,b\n```\n")

    assert ran.outcomes["all"] == "succeeded"
    assert [attempt.task for _, attempt in ran.executor.started] == ["a", "b"]


def test_an_env_cell_is_lent_and_never_started(book):
    ran = book("```env base\nexport GREETING='hello $USER'\n```\n" + cells("a --dep base", "b"))

    assert ran.env("a")[b"GREETING"] == b"hello $USER"
    assert b"GREETING" not in ran.env("b")
    assert "base" not in [attempt.task for _, attempt in ran.executor.started]


def test_a_capture_travels_in_the_environment_and_not_in_the_script(book):
    hostile = b'$(touch pwned); "`x`'
    ran = book(cells("a -C v") + cells("b -I", body='echo "${captured.v}"'), {"a": Play(stdout=hostile + b"\n\n")})

    attempt = ran.executor.started[1][1]
    assert hostile in attempt.env.values()
    assert not any("pwned" in word for word in attempt.argv)


def test_a_capture_of_a_failed_attempt_is_forgotten(book):
    plays = {"a": [Play(1, stdout=b"bad"), Play(stdout=b"good")]}
    ran = book(cells("a -C v --retry 2") + cells("b -I", body='echo "${captured.v}"'), plays)

    assert b"good" in ran.env("b").values()


def test_a_captured_file_is_written_on_success_only(book, tmp_path):
    book(cells("a -C ./out/a.txt", "b -C ./out/b.txt"), {"a": Play(stdout=b"x\ny"), "b": Play(1, stdout=b"z")})

    assert (tmp_path / "out/a.txt").read_bytes() == b"x\ny"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.txt"]


def test_a_captured_file_is_added_to_gitignore_once(book, tmp_path):
    (tmp_path / ".gitignore").write_text("other")
    for _ in range(2):
        book(cells("a -C ./out.txt --gitignore"), {"a": Play(stdout=b"x")})

    assert (tmp_path / ".gitignore").read_text() == "other\nout.txt\n"


def test_a_capture_that_cannot_be_kept_fails_the_task(book, tmp_path):
    (tmp_path / "out").write_text("in the way")
    ran = book(cells("a -C ./out/x", "b --dep a"), {"a": Play(stdout=b"x")})

    assert ran.outcomes == {"a": "failed", "b": "skipped"}
    assert str(ran.result.finished["a"].reason) == "artifacts"


def test_a_missing_value_fails_the_task_before_it_starts(book):
    ran = book(cells("a") + cells("b -I --dep a", body='echo "${captured.nope}"'))

    assert [attempt.task for _, attempt in ran.executor.started] == ["a"]
    assert "${captured.nope}" in ran.result.finished["b"].message


def test_output_values_are_there_for_direct_dependents(book, tmp_path):
    class Writes(FakeExecutor):
        pass

    original = FakeExecutor.start

    def start(self, attempt):
        if attempt.task == "a":
            with open(attempt.env[b"SPRY_OUTPUT"], "a") as stream:
                stream.write("k=1\nlong<<END\none\ntwo\nEND\n")
        original(self, attempt)

    FakeExecutor.start = start
    try:
        ran = book(cells("a") + cells("b --dep a -I", body='echo "${captured.k} ${captured.long}"'))
    finally:
        FakeExecutor.start = original

    assert {b"1", b"one\ntwo"} <= set(ran.env("b").values())


def test_what_cannot_start_is_a_failure_of_the_host(book):
    ran = book(cells("a", "b --dep a"), {"a": Play(error="EAGAIN: no more processes")})

    assert ran.outcomes == {"a": "failed", "b": "skipped"}
    assert ran.result.exit_code == 3


def test_a_question_is_asked_and_a_yes_starts_the_task(book):
    ran = book(cells("a --confirm 'Sure?'"), answers={"a": True})

    assert [event.text for event in ran.events if isinstance(event, ConfirmationAsked)] == ["Sure?"]
    assert ran.outcomes == {"a": "succeeded"}


def test_a_no_cancels_the_task_and_its_dependents(book):
    ran = book(cells("a --confirm", "b --dep a", "c"), answers={"a": False})

    assert ran.outcomes == {"a": "cancelled", "b": "cancelled", "c": "succeeded"}
    assert str(ran.result.finished["a"].reason) == "declined"
    assert ran.result.exit_code == 1


def test_yes_answers_every_question_unseen(book):
    ran = book(cells("a --confirm"), yes=True)

    assert ran.outcomes == {"a": "succeeded"}
    assert not ran.at(ConfirmationAsked, "a")


def test_a_listener_that_raises_cannot_fail_a_task_but_is_not_passed_over(book):
    def broken(event):
        raise RuntimeError("screen on fire")

    ran = book(cells("a", "b --dep a"), listeners=[broken])

    assert ran.outcomes == {"a": "succeeded", "b": "succeeded"}
    assert ran.result.exit_code == 3
    assert len(ran.warnings) == 1


@pytest.mark.parametrize(("play", "said"), [(Play(), True), (BAD, False)])
def test_a_run_whose_end_a_listener_cannot_take_is_not_called_good(book, play, said):
    def broken(event):
        if isinstance(event, RunFinished):
            raise OSError("no room for the last line")

    ran = book(cells("a"), {"a": play}, listeners=[broken])

    assert ran.events[-1].ok is said
    assert not ran.result.ok
    assert ran.result.exit_code == 3


def test_a_listener_that_fails_at_a_beat_is_told_no_more_and_the_others_are(book):
    class Frail:
        refresh = 1.0

        def __init__(self, strength):
            self.strength, self.beats, self.events = strength, 0, 0

        def __call__(self, event):
            self.events += 1

        def beat(self, now):
            self.beats += 1
            if self.beats == self.strength:
                raise RuntimeError("no more")

    frail, strong = Frail(2), Frail(99)
    ran = book(cells("a"), {"a": Play(lasts=5)}, listeners=[frail, strong])

    assert (frail.beats, frail.events) == (2, 2)
    assert strong.beats >= 5
    assert strong.events == 4
    assert ran.result.exit_code == 3


def test_a_listener_is_told_to_beat_while_tasks_run(book):
    class Drawn:
        refresh = 1.0

        def __init__(self):
            self.beats = []

        def __call__(self, event):
            pass

        def beat(self, now):
            self.beats.append(now)

    drawn = Drawn()
    book(cells("a"), {"a": Play(lasts=3.5)}, listeners=[drawn])

    assert drawn.beats[:3] == [1.0, 2.0, 3.0]


def test_the_runs_own_timeout_stops_everything(book):
    ran = book(cells("a", "b --dep a"), {"a": Play(lasts=99)}, timeout=5.0)

    assert ran.outcomes == {"a": "failed", "b": "cancelled"}
    assert ran.result.exit_code == 124


def test_tasks_see_what_run_they_belong_to(book, tmp_path):
    env = book(cells("a --cwd sub --env X=1"), {}).env("a")

    assert (env[b"SPRY"], env[b"SPRY_RUN_ID"], env[b"SPRY_TASK"], env[b"SPRY_ATTEMPT"]) == (b"1", b"r1", b"a", b"1")
    assert env[b"SPRY_FILE"].decode() == str(tmp_path / "r.md")
    assert env[b"SPRY_DIR"].decode() == str(tmp_path)
    assert env[b"X"] == b"1"


def test_the_end_of_the_run_counts_outcomes(book):
    ran = book(cells("a", "b --dep a", "c"), {"a": BAD})
    (end,) = [event for event in ran.events if isinstance(event, RunFinished)]

    assert end.counts == {"failed": 1, "skipped": 1, "succeeded": 1}
    assert not end.ok


def test_nothing_is_left_in_the_scratch_folder(book, tmp_path):
    book(cells("a -C v", "b --dep a"), {"a": Play(stdout=b"x" * 3_000_000)})

    assert not (tmp_path / "scratch").exists()
