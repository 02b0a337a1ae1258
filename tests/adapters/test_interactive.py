"""A task that has the terminal: a real terminal, its user at the keyboard, and what is left of it afterwards."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 10  # seconds until a terminal that says nothing more is given up


class User:
    """Somebody who runs a command in the foreground of a terminal of 30 lines and 70 columns."""

    def __init__(self, folder: Path, *argv: str, **options) -> None:
        self.keyboard, self.end = pty.openpty()
        termios.tcsetwinsize(self.end, (30, 70))
        self.before = termios.tcgetattr(self.end)
        self.seen = b""
        env = {**os.environ, "TERM": "xterm", "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(folder / "cache")}
        path = os.ttyname(self.end)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "spry", *argv],
            cwd=folder,
            env=env,
            start_new_session=True,
            preexec_fn=lambda: os.close(os.open(path, os.O_RDWR)),  # noqa: PLW1509 - opens its terminal, nothing else
            **{"stdin": self.end, "stdout": self.end, "stderr": self.end, **options},
        )

    def until(self, words: str) -> str:
        """Read until these words appear; all that was seen."""
        while words.encode() not in self.seen:
            assert self._read(), self.seen
        return self.text

    def type(self, keys: str) -> None:
        os.write(self.keyboard, keys.encode())

    def resize(self, lines: int, columns: int) -> None:
        termios.tcsetwinsize(self.keyboard, (lines, columns))

    def ended(self) -> int:
        """Wait for the end of the command, reading on; its exit code."""
        while self.process.poll() is None:
            self._read(0.05)
        while self._read(0):
            pass
        return self.process.returncode

    def back(self) -> bool:
        """Whether the terminal has become what it was."""
        for _ in range(PATIENCE * 20):
            if termios.tcgetattr(self.end) == self.before:
                return True
            self._read(0.05)
        return False

    @property
    def text(self) -> str:
        return re.sub(r"\x1b\[[\d;]*m", "", self.seen.decode()).replace("\r\n", "\n")

    def _read(self, patience: float = PATIENCE) -> bool:
        ready, _, _ = select.select([self.keyboard], [], [], patience)
        data = os.read(self.keyboard, 65536) if ready else b""
        self.seen += data
        return bool(data)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.end)
        os.close(self.keyboard)


@pytest.fixture
def user(tmp_path):
    """Called with the body of an interactive task, and options of the command line: somebody who runs it."""
    users = []

    def run(body: str, *argv: str, flags: str = "", more: str = "", **options) -> User:
        text = f"```bash talk --interactive {flags}\n{body}\n```\n{more}"
        (tmp_path / "Spryfile.md").write_text(text)
        users.append(User(tmp_path, *(argv or ("runbook",)), **options))
        return users[-1]

    yield run
    for one in users:
        one.close()


def test_it_has_a_terminal_of_the_same_size_in_which_it_is_the_foreground(user):
    shown = user("test -t 0 && test -t 1 && test -t 2 && stty size && ps -o stat= -p $$; true")
    code = shown.ended()

    assert code == 0
    assert re.search(r"^30 70\nS\S*s\S*\+\n", shown.text)


def test_a_password_is_asked_for_without_an_echo(user):
    asked = user("read -rsp 'Password: ' word; echo; echo \"${#word} signs\"")
    asked.until("Password: ")
    asked.type("sesame\r")
    code = asked.ended()

    assert code == 0
    assert "6 signs" in asked.text
    assert "sesame" not in asked.text


def test_what_is_typed_is_seen_once(user):
    asked = user("read -rp 'Name: ' name; echo \"hello $name\"")
    asked.until("Name: ")
    asked.type("Ada\r")
    asked.ended()

    assert "Name: Ada\nhello Ada\n" in asked.text
    assert asked.text.count("hello") == 1


def test_control_c_goes_to_the_task_alone(user):
    shown = user("trap 'echo caught; exit 0' INT; echo ready; while :; do sleep 60 & wait $!; done")
    shown.until("ready")
    shown.type("\x03")
    code = shown.ended()

    assert code == 0
    assert "caught" in shown.text


def test_control_c_that_ends_the_task_fails_it_and_no_more(user):
    shown = user("echo ready; exec sleep 60", more="```bash other --finally\ntouch tidied\n```\n")
    shown.until("ready")
    shown.type("\x03")
    code = shown.ended()

    assert code == 1
    assert "killed by signal 2" in shown.text
    assert shown.back()


def test_control_z_stops_nothing(user):
    shown = user('echo ready; read -r line; echo "$line"')
    shown.until("ready")
    shown.type("\x1ago\r")

    assert shown.ended() == 0


def test_a_new_size_of_the_window_reaches_the_task(user):
    shown = user("trap 'stty size; exit' WINCH; echo ready; while :; do sleep 60 & wait $!; done")
    shown.until("ready")
    shown.resize(40, 100)

    assert shown.ended() == 0
    assert "40 100" in shown.text


def test_every_byte_of_the_task_reaches_the_terminal_in_order_and_before_the_outcome(user):
    shown = user("seq 30000; printf 'the end'")
    code = shown.ended()

    assert code == 0
    assert "".join(f"{n}\n" for n in range(1, 30001)) in shown.text
    assert re.search(r"the end\n. talk completed", shown.text)


def test_cursor_movements_are_the_tasks_own_business(user):
    shown = user(r"printf '\033[2J\033[5;5Hhere'")
    shown.ended()

    assert b"\x1b[2J\x1b[5;5Hhere" in shown.seen


def test_what_it_writes_is_told_in_events_too(user, tmp_path):
    with open(tmp_path / "events", "wb") as events:
        code = user("echo hello", "runbook", "--json", stdout=events).ended()
    told = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]

    assert code == 0
    assert "".join(one["text"] for one in told if one["event"] == "task_output") == "hello\r\n"


@pytest.mark.parametrize("mode", ["live", "group", "prefix", "raw", "quiet"])
def test_it_is_shown_once_in_every_way_of_showing_output(user, mode):
    shown = user("echo hello", "runbook", "--output", mode, more="```bash other\ntrue\n```\n")

    assert shown.ended() == 0
    assert shown.text.count("hello") == 1


def test_the_terminal_is_as_before_after_a_success(user):
    shown = user("true")
    shown.ended()

    assert shown.back()


def test_the_terminal_is_as_before_after_a_timeout(user):
    shown = user("echo ready; sleep 60", flags="--timeout 0.3s")

    assert shown.ended() == 124
    assert shown.back()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_the_terminal_is_as_before_however_spry_ends(user, number):
    shown = user("echo ready; exec sleep 60")
    shown.until("ready")
    during = termios.tcgetattr(shown.end)
    shown.process.send_signal(number)
    shown.ended()

    assert during != shown.before
    assert shown.back()


def test_it_runs_alone(user):
    shown = user(
        "ls running-* 2>/dev/null || echo alone",
        more="".join(f"```bash t{n}\ntouch running-{n}; sleep 0.05; rm running-{n}\n```\n" for n in range(4)),
    )

    assert shown.ended() == 0
    assert "running-" not in shown.text
    assert "alone" in shown.text


def test_each_attempt_has_the_terminal_anew(user):
    asked = user('read -rp "word $SPRY_ATTEMPT: " word; test "$word" = open', flags="--retry 2")
    asked.until("word 1: ")
    asked.type("shut\r")
    asked.until("word 2: ")
    asked.type("open\r")

    assert asked.ended() == 0


def test_it_answers_a_question_first_if_there_is_one(user):
    asked = user('read -r line; echo "<$line>"', flags="--confirm Really?")
    asked.until("Really? [y/N]")
    asked.type("y\n")
    asked.until("y")
    asked.type("go\r")
    code = asked.ended()

    assert code == 0
    assert "<go>" in asked.text


def test_without_a_terminal_it_is_refused_before_anything_runs(tmp_path):
    (tmp_path / "Spryfile.md").write_text(
        "```bash first\ntouch ran\n```\n```bash talk --interactive --dep first\n:\n```\n"
    )
    argv = [sys.executable, "-m", "spry", "runbook", "--yes"]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = subprocess.run(argv, cwd=tmp_path, env=env, capture_output=True, start_new_session=True, check=False)

    assert done.returncode == 2
    assert b"--interactive" in done.stderr
    assert not (tmp_path / "ran").exists()
