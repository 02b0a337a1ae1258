"""Streams, colours, encodings, sizes."""

import os
import pty
import subprocess
import sys
from fcntl import ioctl
from io import BytesIO, TextIOWrapper
from struct import pack
from termios import TIOCSWINSZ

import pytest
from showing import TERMINAL, Terminal

from spry.view.screen import Screen, Size, coloured, encoded, paint, standard


@pytest.mark.parametrize(
    ("environ", "terminal", "no_color", "on"),
    [
        ({"TERM": "xterm"}, True, False, True),
        ({"TERM": "xterm"}, False, False, False),
        ({"TERM": "xterm"}, True, True, False),
        ({"TERM": "dumb"}, True, False, False),
        ({}, True, False, False),
        ({"TERM": "xterm", "NO_COLOR": "1"}, True, False, False),
        ({"TERM": "xterm", "NO_COLOR": ""}, True, False, True),
        ({"FORCE_COLOR": "1"}, False, False, True),
        ({"FORCE_COLOR": "0", "TERM": "xterm"}, True, False, False),
        ({"FORCE_COLOR": "1"}, False, True, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, False, False),
    ],
)
def test_whether_we_colour(environ, terminal, no_color, on):
    assert coloured(environ, terminal=terminal, no_color=no_color) is on


def test_our_lines_go_to_stderr_and_answers_to_stdout():
    stdout, stderr = BytesIO(), BytesIO()
    screen = Screen(stdout, stderr, environ={})
    screen.show("answer\n")
    screen.say("line ", ("good", "styled"))
    screen.close()

    assert stdout.getvalue() == b"answer\n"
    assert stderr.getvalue() == b"line styled\n"


def test_ready_text_goes_to_either_stream():
    stdout, stderr = BytesIO(), BytesIO()
    screen = Screen(stdout, stderr, encoding="ascii", environ={})
    screen.show("a → b\n", "stderr")
    screen.close()

    assert (stdout.getvalue(), stderr.getvalue()) == (b"", b"a -> b\n")


def test_each_stream_has_its_own_colours():
    stdout, stderr = BytesIO(), Terminal()
    screen = Screen(stdout, stderr, environ=TERMINAL)
    screen.say(("good", "styled"))
    screen.close()

    assert screen.colours == {"stdout": False, "stderr": True}
    assert stderr.getvalue() == b"\x1b[32mstyled\x1b[0m\n"


def test_a_line_of_ours_begins_on_a_line_of_its_own():
    both = BytesIO()
    screen = Screen(both, both, environ={})
    screen.write("stdout", b"unfinished")
    screen.say("ours")
    screen.say("again")
    screen.close()

    assert both.getvalue() == b"unfinished\nours\nagain\n"


def test_a_line_of_ours_adds_nothing_to_another_stream():
    stdout, stderr = BytesIO(), BytesIO()
    screen = Screen(stdout, stderr, environ={})
    screen.write("stdout", b"unfinished")
    screen.say("ours")
    screen.close()

    assert stdout.getvalue() == b"unfinished"


def test_control_characters_in_our_lines_are_written_out():
    stderr = Terminal()
    screen = Screen(BytesIO(), stderr, environ=TERMINAL, no_color=True)
    screen.say("evil \x1b]0;title\x07")
    screen.close()

    assert stderr.getvalue() == b"evil \\x1b]0;title\\x07\n"


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("utf-8", "✓ é → 日".encode()),
        ("UTF8", "✓ é → 日".encode()),
        ("ascii", rb"+ \xe9 -> \u65e5"),
        ("iso-8859-1", b"+ \xe9 -> \\u65e5"),
    ],
)
def test_signs_that_the_encoding_lacks_become_ascii(encoding, data):
    assert encoded("✓ é → 日", encoding) == data


@pytest.mark.parametrize(("text", "data"), [("\udcff.md", b"\xff.md"), ("\ud800", rb"\ud800")])
def test_file_names_that_are_no_text_stay_exact(text, data):
    assert encoded(text, "utf-8") == data


def test_a_pipe_gets_a_tasks_bytes_unchanged():
    screen = Screen(BytesIO(), BytesIO(), environ={})

    assert screen.clean("t", "stdout", b"\x1b[2J\x00\xff") == b"\x1b[2J\x00\xff"


def test_a_terminal_gets_a_tasks_colours_and_their_end():
    stdout = Terminal()
    screen = Screen(stdout, BytesIO(), environ=TERMINAL)
    screen.write("stdout", screen.clean("t", "stdout", b"\x1b[2J\x1b[31mred"))
    screen.end("t")
    screen.close()

    assert stdout.getvalue() == b"\x1b[31mred\x1b[0m"


def test_the_size_is_the_terminals_and_never_narrower_than_forty():
    leader, follower = pty.openpty()
    screen = Screen(1, follower, environ=TERMINAL)
    sizes = []
    for columns in (100, 20):
        ioctl(follower, TIOCSWINSZ, pack("HHHH", 30, columns, 0, 0))
        sizes.append(screen.size("stderr"))
    screen.close()
    os.close(leader)
    os.close(follower)

    assert sizes == [Size(100, 30), Size(40, 30)]


def test_nothing_but_a_terminal_has_a_size():
    assert Screen(BytesIO(), None, environ={}).size("stderr") is None


def test_paint_without_colours_is_the_text():
    assert paint("x", "bad", on=False) == "x"
    assert paint("x", "bad") == "\x1b[1;31mx\x1b[0m"


def test_the_standard_screen_takes_streams_without_descriptor(monkeypatch):
    stdout, stderr = BytesIO(), BytesIO()
    monkeypatch.setattr("sys.stdout", TextIOWrapper(stdout, "utf-8"))
    monkeypatch.setattr("sys.stderr", TextIOWrapper(stderr, "ascii"))
    screen = standard()
    screen.show("é\n")
    screen.say("✓")
    screen.close()

    assert stderr.getvalue() == b"+\n"
    assert stdout.getvalue() == rb"\xe9" + b"\n"


PROGRAM = """
import sys
from spry.view.screen import standard
screen = standard()
screen.write("stdout", b"x" * 100000)
screen.say("said")
screen.close()
sys.exit(3 if screen.error else 0)
"""


@pytest.mark.parametrize(
    ("shell", "code"),
    [
        ("{} > /dev/full", 3),
        ("{} > /dev/null", 0),
        ("{} >&-", 3),
        ("{} 2> /dev/full > /dev/null", 3),
        ("set -o pipefail; {} | head -c 1 > /dev/null", 0),
        ("set -o pipefail; {} 2>&1 | true", 0),
        ("{} 2>&1 | tail -n 1 | grep -q said", 0),
    ],
)
def test_a_full_disk_is_an_error_and_a_reader_that_left_is_not(shell, code):
    command = shell.format(f"'{sys.executable}' -c '{PROGRAM}'")
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (code, "")
    assert "Traceback" not in done.stderr
