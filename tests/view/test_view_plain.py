"""Whole blocks of output, outcome lines, summaries, --verbose."""

from io import BytesIO

import pytest
from golden import check
from showing import (
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

from spry.core.events import Outcome, Reason
from spry.core.model import Settings, Task
from spry.view.plain import MODES, output
from spry.view.screen import Screen

STEPS = plan("step1", Task("step2", "bash", "exit 1\n", timeout=5.0), "step3", step2=("step1",), step3=("step2",))


def line(event, **options):
    """The outcome line of one event."""
    return show("group", event, **options).stderr.removesuffix("\n")


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (succeeded("step1"), "✓ step1 completed (1.2s)"),
        (succeeded("step1", attempt=2), "✓ step1 completed (1.2s, attempt 2)"),
        (succeeded("step1", reason=Reason.UP_TO_DATE), "✓ step1 up to date"),
        (failed("step2"), "✗ step2 failed with exit code 1 (0.3s)"),
        (failed("step2", message="no value for x"), "✗ step2 failed with exit code 1 (0.3s): no value for x"),
        (failed("step2", optional=True), "✗ step2 failed with exit code 1 (0.3s) (optional)"),
        (failed("step2", None, reason=Reason.HANDLER, message="boom"), "✗ step2 failed (0.3s): boom"),
        (failed("step2", None, reason=Reason.SIGNAL, signal=9), "✗ step2 killed by signal 9 (SIGKILL) after 0.3s"),
        (failed("step2", None, reason=Reason.SIGNAL, signal=200), "✗ step2 killed by signal 200 after 0.3s"),
        (failed("step2", None, reason=Reason.TIMEOUT, signal=15), "✗ step2 timed out after 5s (0.3s)"),
        (failed("other", None, reason=Reason.TIMEOUT, signal=15), "✗ other timed out (0.3s)"),
        (
            failed("step2", None, reason=Reason.TIMEOUT, message="the run's time was over"),
            "✗ step2 timed out (0.3s): the run's time was over",
        ),
        (
            failed("step2", None, reason=Reason.LIMIT, signal=9, message="memory 600M of 512M"),
            "✗ step2 went over a limit: memory 600M of 512M (0.3s)",
        ),
        (failed("step2", None, reason=Reason.LOST), "✗ step2 lost: spry ended while it ran (0.3s)"),
        (
            ended("step3", Outcome.SKIPPED, Reason.DEPENDENCY, '"step2" failed'),
            "⊘ step3 skipped (dependency failed)",
        ),
        (ended("step3", Outcome.CANCELLED, Reason.INTERRUPTED), "⊘ step3 cancelled (interrupted)"),
        (ended("step3", Outcome.CANCELLED, Reason.DECLINED), "⊘ step3 cancelled (declined)"),
        (
            ended("step3", Outcome.CANCELLED, Reason.TIMEOUT, "the run's time was over"),
            "⊘ step3 cancelled (the run's time was over)",
        ),
        (retrying("step2"), "↻ step2 retrying (2 of 3) in 1s: failed with exit code 1"),
        (retrying("step2", attempt=2, delay=0.0), "↻ step2 retrying (3 of 3): failed with exit code 1"),
    ],
)
def test_how_a_task_ended_is_told_in_one_line(event, text):
    assert line(event, of=STEPS) == text


def test_outcomes_are_coloured_where_colours_are_wanted():
    shown = show("group", failed("a"), environ={"FORCE_COLOR": "1"})

    assert shown.stderr == "\x1b[1;31m✗\x1b[0m \x1b[1ma\x1b[0m failed with exit code 1\x1b[2m (0.3s)\x1b[0m\n"


def test_output_of_several_tasks_appears_whole_above_each_outcome():
    shown = together(
        "group",
        started("a", "b"),
        begun("a"),
        begun("b"),
        said("a", "a1\n"),
        said("b", "b1\n"),
        said("a", "a2\n", "stderr"),
        succeeded("b"),
        said("a", "a3\n"),
        succeeded("a"),
        over(succeeded=2),
    )

    assert shown == "b1\n✓ b completed (1.2s)\na1\na2\na3\n✓ a completed (1.2s)\n2 succeeded in 3.4s\n"


def test_stdout_and_stderr_of_a_task_stay_apart():
    shown = show("group", started("a", "b"), said("a", "out\n"), said("a", "err\n", "stderr"), succeeded("a"))

    assert shown.stdout == "out\n"
    assert shown.stderr == "err\n✓ a completed (1.2s)\n"


def test_nothing_of_a_task_shows_before_it_ends():
    screen_events = [started("a", "b"), begun("a"), said("a", "early\n")]
    shown = []
    screen = Screen(stdout := Terminal(), stdout, environ={})
    listener = output("group", screen)
    for event in screen_events:
        listener(event)
        shown.append(stdout.getvalue())

    assert shown == [b"", b"", b""]


@pytest.mark.parametrize("events", [(started("a"),), (started("a", "b", jobs=1),)])
def test_one_task_at_a_time_streams(events):
    screen = Screen(stdout := Terminal(), stdout, environ={})
    listener = output("group", screen)
    for event in (*events, begun("a"), said("a", "early")):
        listener(event)

    assert stdout.getvalue() == b"early"


@pytest.mark.parametrize("mode", ["group", "auto"])
def test_a_runbook_may_ask_that_nothing_is_shown_before_a_task_ends(mode):
    of = plan("one")._replace(settings={"runbook.md": Settings(stream=False)})
    stdout = BytesIO()
    listener = output(mode, Screen(stdout, BytesIO(), environ={}), of)
    shown = []
    for event in (started("one"), begun("one"), said("one", "1\n"), succeeded("one")):
        listener(event)
        shown.append(stdout.getvalue())

    assert shown == [b"", b"", b"", b"1\n"]


def test_a_single_task_has_no_summary():
    assert "succeeded in" not in show("group", started("a"), succeeded("a"), over(succeeded=1)).stderr


def test_a_pipe_gets_exactly_the_bytes_of_a_single_task():
    data = b"1.0\x00\xff\x1b[31m no line end"
    stdout = BytesIO()
    screen = Screen(stdout, BytesIO(), environ={})
    listener = output("group", screen)
    for event in (started("a"), begun("a"), said("a", data), succeeded("a"), over(succeeded=1)):
        listener(event)
    listener.close()
    screen.close()

    assert stdout.getvalue() == data


def test_output_without_line_end_does_not_run_into_the_next_tasks():
    shown = show(
        "group",
        started("a", "b"),
        said("a", "one"),
        succeeded("a"),
        said("b", "two"),
        succeeded("b"),
    )

    assert shown.stdout == "one\ntwo"


def test_attempts_do_not_run_into_each_other():
    events = (
        started("a"),
        begun("a"),
        said("a", "one"),
        retrying("a"),
        begun("a", 2),
        said("a", "two"),
        succeeded("a"),
    )

    assert show("group", *events).stdout == "one\ntwo"


def test_output_beyond_memory_is_shown_whole():
    lines = b"".join(b"%06d\n" % number for number in range(50_000))
    chunks = [said("a", lines[start : start + 9_999]) for start in range(0, len(lines), 9_999)]
    shown = show("group", started("a", "b"), *chunks, succeeded("a"))

    assert shown.stdout == lines.decode()


def test_output_that_cannot_be_kept_is_shown_at_once(monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    data = "x" * 99 + "\n"
    shown = show("group", started("a", "b"), *[said("a", data) for _ in range(2000)], succeeded("a"))

    assert shown.stdout == data * 2000


def test_a_run_that_breaks_off_loses_no_output():
    assert show("group", started("a", "b"), begun("a"), said("a", "so far\n")).stdout == "so far\n"


def test_silent_tasks_show_nothing_when_they_succeed():
    steps = plan(Task("a", "bash", "x\n", silent=True), "b")
    shown = show("group", started("a", "b"), said("a", "out\n"), said("a", "err\n", "stderr"), succeeded("a"), of=steps)

    assert shown == ("", "✓ a completed (1.2s)\n")


@pytest.mark.parametrize("mode", ["group", "prefix", "raw", "quiet"])
def test_silent_tasks_show_their_last_errors_when_they_fail(mode):
    steps = plan(Task("a", "bash", "x\n", silent=True), "b")
    shown = show(mode, started("a", "b"), said("a", "secret\n"), said("a", "why\n", "stderr"), failed("a"), of=steps)

    assert shown == ("", "✗ a failed with exit code 1 (0.3s)\n    why\n")


def test_a_long_run_names_its_failures_again_at_the_end():
    names = [f"t{number}" for number in range(30)]
    shown = show("group", started(*names), *map(failed, names), over(ok=False, failed=30))

    assert shown.stderr.splitlines()[-2] == "30 failed in 3.4s"
    assert shown.stderr.splitlines()[-1] == f"failed: {', '.join(names[:20])} and 10 more"


def test_a_terminal_obeys_only_the_colours_of_a_task():
    shown = together("group", started("a"), said("a", b"\x1b[2J\x1b[31mred"), succeeded("a"), stream=Terminal())

    assert shown == "\x1b[31mred\x1b[0m\n✓ a completed (1.2s)\n"


def test_the_summary_lists_every_outcome_that_occurred():
    shown = show("group", started("a", "b"), over(ok=False, succeeded=5, failed=1, skipped=2, cancelled=1))

    assert shown.stderr == "5 succeeded, 1 failed, 2 skipped, 1 cancelled in 3.4s\n"


STORY = (
    started("step1", "step2", "step3", "step4"),
    begun("step1", at=0.1),
    said("step1", "Step 1 complete\n"),
    succeeded("step1"),
    begun("step2", at=1.5),
    said("step2", "boom\n", "stderr"),
    retrying("step2", attempts=2),
    begun("step2", 2, at=2.5),
    said("step2", "boom again\n", "stderr", attempt=2),
    failed("step2", attempt=2),
    ended("step3", Outcome.SKIPPED, Reason.DEPENDENCY, '"step2" failed'),
    begun("step4", at=3.0),
    failed("step4", None, reason=Reason.TIMEOUT, signal=15, duration=5.0),
    over(ok=False, succeeded=1, failed=2, skipped=1),
)
TOLD = plan(
    "step1",
    Task("step2", "bash", "exit 1\n", "docs/x.md", line=12, attempts=2, cwd="sub", interpreter="bash -x"),
    "step3",
    Task("step4", "bash", "sleep 9\n", timeout=5.0),
    step2=("step1",),
    step3=("step2", "step1"),
)._replace(kinds={("step1", "step3"): "capture:VERSION"})


@pytest.mark.parametrize("mode", ["group", "prefix", "raw", "quiet"])
def test_the_story_of_a_run(mode):
    check(f"view/run-{mode}.txt", together(mode, *STORY, of=TOLD))


def test_the_verbose_story_of_a_run():
    check("view/run-verbose.txt", together("group", *STORY, of=TOLD, verbose=True))


def test_a_verbose_run_without_a_plan_tells_what_the_events_say():
    shown = show("group", *STORY, verbose=True)

    assert "4 tasks in 1 layer, up to 4 at a time:" in shown.stderr


@pytest.mark.parametrize(
    ("stdout", "stderr", "environ", "live"),
    [
        (Terminal, Terminal, TERMINAL, True),
        (Terminal, Terminal, {"TERM": "dumb"}, False),
        (BytesIO, Terminal, TERMINAL, False),
        (Terminal, BytesIO, TERMINAL, False),
    ],
)
def test_auto_is_live_only_where_both_streams_are_a_terminal(stdout, stderr, environ, live):
    listener = output("auto", Screen(stdout(), stderr(), environ=environ))

    assert (type(listener).__name__ == "Live") is live


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_has_a_way_to_show_a_run(mode):
    assert show(mode, started("a"), succeeded("a")).stdout == ""
