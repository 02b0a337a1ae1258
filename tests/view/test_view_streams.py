"""Output line by line, byte by byte, or not at all."""

from io import BytesIO

from hypothesis import given
from hypothesis import strategies as st
from showing import (
    TERMINAL,
    Terminal,
    begun,
    failed,
    over,
    retrying,
    said,
    show,
    started,
    succeeded,
    together,
)

from examples import examples
from spry.view.outcomes import LAST_BYTES, Account
from spry.view.screen import Screen


def test_every_line_carries_the_name_of_its_task():
    shown = show("prefix", started("a", "b"), said("a", "1\n2\n"), said("b", "x\n", "stderr"), succeeded("a"))

    assert shown.stdout == "[a] 1\n[a] 2\n"
    assert shown.stderr == "[b] x\n✓ a completed (1.2s)\n"


def test_lines_of_two_tasks_never_mix():
    shown = together("prefix", started("a", "b"), said("a", "one "), said("b", "two\n"), said("a", "line\n"))

    assert shown == "[b] two\n[a] one line\n"


def test_a_last_line_without_end_is_completed():
    shown = together("prefix", started("a", "b"), said("a", "no end"), succeeded("a"))

    assert shown == "[a] no end\n✓ a completed (1.2s)\n"


def test_a_run_that_breaks_off_completes_its_lines():
    assert show("prefix", started("a", "b"), said("a", "no end")).stdout == "[a] no end\n"


def test_attempts_do_not_share_a_line():
    shown = show("prefix", started("a"), said("a", "one"), retrying("a"), said("a", "two\n"), succeeded("a"))

    assert shown.stdout == "[a] one\n[a] two\n"


def test_a_line_beyond_memory_is_shown_whole():
    chunk = "x" * 65536
    shown = show("prefix", started("a"), *[said("a", chunk) for _ in range(64)], said("a", "\nend\n"))

    assert shown.stdout == f"[a] {chunk * 64}\n[a] end\n"


def test_a_line_that_cannot_be_kept_is_shown_in_pieces(monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    chunk = "x" * 65536
    shown = show("prefix", started("a"), *[said("a", chunk) for _ in range(3)], said("a", "\n"))

    assert shown.stdout.replace("\n[a] ", "").removeprefix("[a] ").strip() == chunk * 3


def test_empty_lines_and_line_ends_are_kept():
    assert show("prefix", started("a"), said("a", "\n\r\n \n")).stdout == "[a] \n[a] \r\n[a]  \n"


def test_a_colour_ends_with_its_line_on_a_terminal():
    stdout = Terminal()
    show("prefix", started("a"), said("a", "\x1b[31mred\n"), streams=(stdout, BytesIO()), environ={})

    assert stdout.getvalue() == b"[a] \x1b[31mred\x1b[0m\n"


def test_names_are_coloured_on_a_terminal():
    stdout = Terminal()
    show("prefix", started("a", "b"), said("a", "1\n"), said("b", "2\n"), streams=(stdout, BytesIO()), environ=TERMINAL)

    assert stdout.getvalue() == b"\x1b[36m[a]\x1b[0m 1\n\x1b[35m[b]\x1b[0m 2\n"


@examples(100)
@given(st.lists(st.binary(max_size=30), max_size=10))
def test_without_the_prefixes_every_byte_is_there(chunks):
    data = b"".join(chunks)
    stdout = BytesIO()
    show("prefix", started("a"), *[said("a", chunk) for chunk in chunks if chunk], streams=(stdout, BytesIO()))
    lines = stdout.getvalue().split(b"\n")

    assert b"\n".join(line.removeprefix(b"[a] ") for line in lines) == data + (
        b"\n" if data and not data.endswith(b"\n") else b""
    )


def test_raw_passes_every_byte_untouched_and_at_once():
    data = b"\x1b[2J\x00\xff\x1b]0;t\x07 no end"
    stdout, stderr = Terminal(), BytesIO()
    show("raw", started("a", "b"), said("a", data), succeeded("a"), streams=(stdout, stderr), environ=TERMINAL)

    assert stdout.getvalue() == data
    assert stderr.getvalue().decode() == "✓ a completed (1.2s)\n"


def test_a_failure_repeats_its_last_lines_if_others_spoke_since():
    shown = together("raw", started("a", "b"), said("a", "why\n"), said("b", "noise\n"), failed("a"), succeeded("b"))

    assert shown == ("why\nnoise\n✗ a failed with exit code 1 (0.3s)\n    why\n✓ b completed (1.2s)\n")


def test_a_failure_does_not_repeat_what_was_just_shown():
    shown = together("prefix", started("a", "b"), said("b", "noise\n"), said("a", "why\n"), failed("a"))

    assert shown == "[b] noise\n[a] why\n✗ a failed with exit code 1 (0.3s)\n"


def test_quiet_says_nothing_of_a_good_run():
    shown = show("quiet", started("a", "b"), begun("a"), said("a", "x\n"), succeeded("a"), over(succeeded=2))

    assert shown == ("", "")


def test_quiet_shows_the_last_lines_of_a_failure():
    lines = "".join(f"line {number}\n" for number in range(1000))
    shown = show("quiet", started("a"), said("a", lines), failed("a"), over(ok=False, failed=1))
    told = shown.stderr.splitlines()

    assert shown.stdout == ""
    assert told[0] == "✗ a failed with exit code 1 (0.3s)"
    assert told[1:] == [f"    line {number}" for number in range(980, 1000)]


def test_last_lines_are_those_of_the_last_attempt():
    shown = show("quiet", started("a"), said("a", "first\n"), retrying("a"), said("a", "second\n"), failed("a"))

    assert "first" not in shown.stderr
    assert shown.stderr.endswith("    second\n")


def test_last_lines_show_no_sequences_and_no_overwritten_progress():
    shown = show("quiet", started("a"), said("a", b"10%\r20%\r\n\x1b[31mred\x1b[0m\x1b[2J\n"), failed("a"))

    assert shown.stderr.splitlines()[1:] == ["    20%", "    red"]


def test_last_lines_told_late_are_those_of_the_last_attempt():
    events = (said("a", "first\n"), retrying("a"), said("a", "second\n"), said("b", "noise\n"), failed("a"))
    shown = show("raw", started("a", "b"), *events)

    assert shown.stderr.endswith("✗ a failed with exit code 1 (0.3s)\n    second\n")


def test_an_unfinished_sequence_ends_with_its_attempt():
    stdout = Terminal()
    events = (said("a", b"one\x1b]0;"), retrying("a"), said("a", "two\n"), succeeded("a"))
    show("prefix", started("a"), *events, streams=(stdout, BytesIO()))

    assert stdout.getvalue() == b"[a] one\x1b[0m\n[a] two\n"


def test_last_lines_take_little_memory_whatever_a_task_writes():
    account = Account(Screen(None, None, environ={}), {}, {})
    for _ in range(100):
        account.remember(said("a", b"x" * 60_000))
        account.remember(said("a", b"x" * 100))

    assert len(account._tails["a"]) <= 2 * LAST_BYTES
