"""In front of a real terminal: the live view, questions, Ctrl-C; and what is refused where there is none."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios

import pytest
from book import cell
from glass import Glass

PATIENCE = 30  # seconds until a terminal that says nothing more is given up


class Terminal:
    """A command in the foreground of a terminal of its own."""

    def __init__(self, book, *argv: str, columns: int = 80, env: dict[str, str] | None = None, **options) -> None:
        self.columns = columns
        self.glass, end = pty.openpty()
        fcntl.ioctl(self.glass, termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0, 0))
        streams = {"stdin": end, "stdout": end, "stderr": end, **options}
        self.process = book.start(
            *argv,
            env={"TERM": "xterm-256color", **(env or {})},
            preexec_fn=lambda: fcntl.ioctl(end, termios.TIOCSCTTY, 0),
            pass_fds=(end,),
            **streams,
        )
        os.close(end)
        self.seen = b""

    def until(self, words: str) -> None:
        """Read until these words appear."""
        while words.encode() not in self.seen:
            assert self._read(), self.seen

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self.glass, keys.encode())

    def end(self) -> str:
        """Everything that was written, once the command has ended."""
        while self._read():
            pass
        os.close(self.glass)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        self.process.wait(timeout=PATIENCE)
        return self.seen.decode()

    def screen(self) -> str:
        """What stands on the screen at the end."""
        return Glass(self.columns).feed(self.end().encode()).text

    def _read(self) -> bool:
        ready, _, _ = select.select([self.glass], [], [], PATIENCE)
        data = b""
        with contextlib.suppress(OSError):  # nobody has the other end open any more
            data = os.read(self.glass, 65536) if ready else b""
        self.seen += data
        return bool(data)


def plain(text: str) -> str:
    """Text without colours."""
    return re.sub(r"\x1b\[[\d;]*m", "", text)


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_the_live_view_leaves_outcomes_and_output_and_nothing_else(book, columns):
    book(*(cell(f"bash task-{number}", f"echo output-{number}") for number in range(6)))
    screen = plain(Terminal(book, "runbook", columns=columns).screen())

    assert sorted(re.findall(r"output-\d", screen)) == [f"output-{number}" for number in range(6)]
    assert len(re.findall(r"^✓ task-\d completed", screen, re.MULTILINE)) == 6
    assert screen.strip().splitlines()[-1].startswith("6 succeeded in")


def test_the_live_view_shows_what_runs_while_it_runs(book):
    book.fifo("gate")
    book(cell("bash first", "true"), cell("bash waiting", "read x < gate"), cell("bash then --dep waiting", "true"))
    terminal = Terminal(book, "runbook", "-j", "2")
    terminal.until("waiting")
    running = terminal.process.poll()
    book.path("gate").write_text("x\n")
    screen = plain(terminal.screen())

    assert running is None
    assert "✓ waiting completed" in screen
    assert terminal.process.returncode == 0


def test_the_output_of_a_failure_is_on_the_screen(book):
    book(cell("bash good", "true"), cell("bash bad", "echo the reason >&2", "exit 4"))
    terminal = Terminal(book, "runbook")
    screen = plain(terminal.screen())

    assert "the reason" in screen
    assert "✗ bad failed with exit code 4" in screen
    assert terminal.process.returncode == 1


def test_a_task_keeps_its_colours_and_nothing_else_that_acts_on_the_terminal(book):
    book(cell("bash a", r"printf '\033[31mred\033[0m \033[2J\033]0;title\007\033[10;10Hend\n'"), cell("bash b", "true"))
    told = Terminal(book, "runbook").end()

    assert "\x1b[31mred" in told
    assert "\x1b[2J" not in told
    assert "title" not in told
    assert "10H" not in told


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_colours_where_nobody_wants_them(book, env):
    told = Terminal(book(cell("bash a", "true"), cell("bash b", "exit 1")), "runbook", env=env).end()

    assert not re.search(r"\x1b\[[\d;]*m", told)


@pytest.mark.parametrize(
    ("keys", "code", "ran"),
    [("y\n", 0, True), ("yes\n", 0, True), ("n\n", 1, False), ("\n", 1, False), ("\x04", 1, False)],
)
def test_a_question_is_answered_on_the_terminal(book, keys, code, ran):
    book(
        cell("bash deploy --confirm 'Deploy to production?'", "touch ran"),
        cell("bash after --dep deploy", "touch after"),
    )
    terminal = Terminal(book, "runbook")
    terminal.until("Deploy to production? [y/N]")
    terminal.type(keys)
    told = terminal.end()

    assert terminal.process.returncode == code
    assert (book.has("ran"), book.has("after")) == (ran, ran)
    assert ran or "declined" in told


def test_a_question_comes_only_when_its_task_is_ready(book):
    book(cell("bash build", "exit 1"), cell("bash deploy --dep build --confirm", "touch ran"))
    terminal = Terminal(book, "runbook")
    told = terminal.end()

    assert terminal.process.returncode == 1
    assert "[y/N]" not in told


def test_two_questions_are_asked_one_after_the_other(book):
    book(cell("bash one --confirm 'First?'", "touch one"), cell("bash two --confirm 'Second?'", "touch two"))
    terminal = Terminal(book, "runbook", "-j", "2")
    terminal.until("[y/N]")
    terminal.type("y\n")
    while terminal.seen.count(b"[y/N]") < 2:
        assert terminal._read()
    terminal.type("y\n")
    terminal.end()

    assert terminal.process.returncode == 0
    assert book.has("one")
    assert book.has("two")


def test_a_question_is_asked_on_the_terminal_also_when_output_is_piped(book):
    book(cell("bash deploy --confirm 'Really?'", "echo deployed > out"))
    terminal = Terminal(book, "task", "deploy", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    terminal.until("Really? [y/N]")
    terminal.type("y\n")
    terminal.end()

    assert terminal.process.returncode == 0
    assert book.read("out") == "deployed\n"


def test_without_a_terminal_a_question_is_refused_before_anything_runs(book):
    done = book(cell("bash build", "touch built"), cell("bash deploy --dep build --confirm", "touch ran")).run(
        "runbook"
    )

    assert done.exit_code == 2
    assert "--yes" in done.stderr
    assert not book.has("built")


@pytest.mark.parametrize("yes", ["-y", "--yes"])
def test_yes_answers_every_question(book, yes):
    assert book(cell("bash deploy --confirm", "touch ran")).run("runbook", yes).exit_code == 0
    assert book.has("ran")


def test_a_dry_run_asks_nothing(book):
    terminal = Terminal(book(cell("bash deploy --confirm 'Really?'", "touch ran")), "runbook", "-n")
    told = terminal.end()

    assert terminal.process.returncode == 0
    assert "[y/N]" not in told
    assert not book.has("ran")


def test_control_c_stops_the_run_and_cleans_up(book):
    book.fifo("started")
    book.fifo("idle")
    book(cell("bash long", "echo x > started", "read x < idle"), cell("bash tidy --finally", "touch tidied"))
    terminal = Terminal(book, "runbook")
    book.path("started").read_text()
    terminal.type("\x03")
    told = terminal.end()

    assert terminal.process.returncode == 130
    assert "interrupted" in plain(told)
    assert book.has("tidied")


def test_control_c_at_a_question_ends_the_run(book):
    book(cell("bash deploy --confirm", "touch ran"))
    terminal = Terminal(book, "runbook")
    terminal.until("[y/N]")
    terminal.type("\x03")
    terminal.end()

    assert terminal.process.returncode == 130
    assert not book.has("ran")


def test_the_terminal_is_left_as_it_was(book):
    book(cell("bash a", "true"), cell("bash b", "true"))
    terminal = Terminal(book, "runbook")
    before = termios.tcgetattr(terminal.glass)
    told = terminal.end()

    assert told.count("\x1b[?25l") == told.count("\x1b[?25h")
    assert before[3] & termios.ECHO


@pytest.mark.parametrize("columns", [40, 60, 120])
@pytest.mark.parametrize("line", ["ls", "dag", "runbook --show-dag"])
def test_pictures_and_lists_fit_the_width_of_the_terminal(book, line, columns):
    words = "a description of quite some length that does not fit into forty columns at all"
    book(*(cell(f"bash task-{n} --descr '{words}' {f'--dep task-{n - 1}' if n else ''}", "true") for n in range(6)))
    text = plain(Terminal(book, *line.split(), columns=columns).end())
    free = [row for row in text.splitlines() if str(book.folder) not in row]  # paths are never broken

    assert max(map(len, free)) <= columns, text


def test_a_run_in_a_terminal_that_hangs_up_ends(book):
    book.fifo("started")
    book.fifo("idle")
    book(cell("bash long", "echo x > started", "read x < idle"), cell("bash tidy --finally", "touch tidied"))
    terminal = Terminal(book, "runbook")
    book.path("started").read_text()
    os.close(terminal.glass)
    terminal.process.wait(timeout=PATIENCE)

    assert terminal.process.returncode == 129
    assert book.has("tidied")
