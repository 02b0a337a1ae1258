"""Signals to a running spry: the first stops politely, clean-up runs, the second kills, nobody survives."""

from __future__ import annotations

import os
import signal
import sys
import uuid

import pytest
from book import Book, cell

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

WAITS = ("trap 'echo stopped > stopped; exit 1' TERM", "echo x > started", "while :; do read -t 5 x <> idle || :; done")


def survivors(mark: str) -> list[int]:
    """The processes that have this mark in their environment."""
    found = []
    for name in os.listdir("/proc"):
        try:
            with open(f"/proc/{name}/environ", "rb") as stream:
                if name.isdigit() and mark.encode() in stream.read():
                    found.append(int(name))
        except OSError:
            continue
    return found


class Running:
    """A command whose task has started, marked so that every process of it can be found."""

    def __init__(self, book, *argv: str, grace: str = "5") -> None:
        self.mark = f"mark-{uuid.uuid4().hex}"
        self.process = book.start(*argv, env={"MARK": self.mark, "SPRY_GRACE": grace})
        book.path("started").read_text()

    def end(self) -> tuple[int, str]:
        """Wait for it; its exit code and stderr."""
        _, stderr = self.process.communicate(timeout=30)
        return self.process.returncode, stderr.decode()


@pytest.fixture
def waiting(book):
    """A book with pipes that the tasks of `WAITS` use."""
    book.fifo("started")
    book.fifo("idle")
    return book


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGQUIT, 131)],
    ids=["INT", "TERM", "HUP", "QUIT"],
)
def test_a_signal_stops_the_run_and_is_its_exit_code(waiting, number, code):
    waiting(
        cell("bash long", *WAITS),
        cell("bash after --dep long", "touch after"),
        cell("bash tidy --dep long --finally", "touch tidied"),
    )
    running = Running(waiting, "runbook", "-j", "4")
    running.process.send_signal(number)
    ended, told = running.end()

    assert ended == code, told
    assert waiting.read("stopped") == "stopped\n"
    assert waiting.has("tidied")
    assert not waiting.has("after")
    assert "⊘ long cancelled (interrupted)" in told
    assert survivors(running.mark) == []


def test_a_finally_task_without_dependencies_cleans_up_after_an_interrupt(waiting):
    waiting(cell("bash long", *WAITS), cell("bash never", "touch never"), cell("bash tidy --finally", "touch tidied"))
    running = Running(waiting, "runbook", "-j", "1")
    running.process.send_signal(signal.SIGINT)
    ended, told = running.end()

    assert ended == 130, told
    assert waiting.has("tidied")
    assert not waiting.has("never")


def test_the_second_interrupt_kills_what_does_not_stop(waiting):
    stubborn = ("trap '' TERM INT", "echo x > started", "while :; do read -t 5 x <> idle || :; done")
    waiting(cell("bash long", *stubborn), cell("bash tidy --dep long --finally", "touch tidied"))
    running = Running(waiting, "runbook", grace="60")
    running.process.send_signal(signal.SIGINT)
    running.process.send_signal(signal.SIGTERM)
    ended, told = running.end()

    assert ended in {130, 143}, told
    assert not waiting.has("tidied")
    assert survivors(running.mark) == []


def test_the_second_interrupt_stops_clean_up_as_well(waiting):
    waiting.fifo("cleaning")
    waiting(
        cell("bash long", *WAITS),
        cell("bash tidy --dep long --finally", "echo x > cleaning", "read x < idle", "touch tidied"),
    )
    running = Running(waiting, "runbook")
    running.process.send_signal(signal.SIGINT)
    waiting.path("cleaning").read_text()
    running.process.send_signal(signal.SIGINT)
    ended, _ = running.end()

    assert ended == 130
    assert not waiting.has("tidied")
    assert survivors(running.mark) == []


def test_what_ignores_the_polite_stop_is_killed_after_the_grace(waiting):
    waiting(cell("bash long", "trap '' TERM", "echo x > started", "while :; do read -t 5 x <> idle || :; done"))
    running = Running(waiting, "runbook", grace="0.2")
    running.process.send_signal(signal.SIGINT)
    ended, _ = running.end()

    assert ended == 130
    assert survivors(running.mark) == []


CHILDREN = {
    "in the background": "sleep 300 &",
    "of a subshell": "(sleep 300 & sleep 300) &",
    "deaf to TERM": "(trap '' TERM; sleep 300) &",
    "that keeps the pipe": "sleep 300 | cat &",
}


@pytest.mark.parametrize("child", CHILDREN.values(), ids=CHILDREN)
def test_no_child_survives_an_interrupt(waiting, child):
    waiting(cell("bash long", child, "echo x > started", "read x < idle"))
    running = Running(waiting, "runbook", grace="0.3")
    running.process.send_signal(signal.SIGINT)
    ended, told = running.end()

    assert ended == 130, told
    assert survivors(running.mark) == []


@pytest.fixture(scope="module")
def side_by_side(tmp_path_factory, forks):
    """Runs a task for each kind of child, all at the same time; how it went, and who has survived."""

    def run(flags, last):
        marks = {child: f"mark-{uuid.uuid4().hex}" for child in CHILDREN}
        kinds = enumerate(CHILDREN.items())
        cells = [cell(f"bash t{n} {flags} --env MARK={marks[name]}", child, last) for n, (name, child) in kinds]
        book = Book(tmp_path_factory.mktemp("side-by-side"), forks)
        done = book(*cells).run("runbook", "--json", "-j", "4", env={"SPRY_GRACE": "0.3"})
        return done, {name: survivors(mark) for name, mark in marks.items()}

    return run


@pytest.fixture(scope="module")
def ended(side_by_side):
    return side_by_side("", "echo out")


@pytest.fixture(scope="module")
def timed_out(side_by_side):
    return side_by_side("--timeout 0.3s", "sleep 300")


@pytest.mark.parametrize("child", CHILDREN)
def test_no_child_survives_the_end_of_its_task(ended, child):
    done, left = ended
    task = f"t{list(CHILDREN).index(child)}"
    said = [event["text"] for event in done.events if event["event"] == "task_output" and event["task"] == task]

    assert (done.exit_code, done.outcomes[task], said) == (0, "succeeded", ["out\n"])
    assert left[child] == []


@pytest.mark.parametrize("child", CHILDREN)
def test_no_child_survives_a_timeout(timed_out, child):
    done, left = timed_out

    assert done.exit_code == 124
    assert done.outcomes[f"t{list(CHILDREN).index(child)}"] == "failed"
    assert left[child] == []


def test_a_run_in_the_background_of_a_script_can_still_be_interrupted(waiting):
    """A script's `&` starts a command with INT ignored; TERM must work there, and INT must not be lost to tasks."""
    waiting(cell("bash long", *WAITS))
    mark = f"mark-{uuid.uuid4().hex}"
    process = waiting.start(
        "runbook", env={"MARK": mark}, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)
    )
    waiting.path("started").read_text()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)

    assert process.returncode == 143
    assert survivors(mark) == []


def test_tasks_start_with_default_signals_and_no_descriptors_of_ours(book):
    """An ignored signal, a blocked one or an open file of spry's would be there in the task as well."""
    script = (
        "import os, signal",
        "print([s for s in (signal.SIGINT, signal.SIGPIPE, signal.SIGHUP) if signal.getsignal(s) == signal.SIG_IGN])",
        "print(signal.pthread_sigmask(signal.SIG_BLOCK, []))",
        "print(sorted(os.listdir('/proc/self/fd'))[:3], len(os.listdir('/proc/self/fd')))",
        "print(os.getsid(0) == os.getpid() or os.getsid(0) == os.getppid())",
    )
    book(cell("bash t", f'{sys.executable} -S -E <<"END"', *script, "END"))
    process = book.start("task", "t", preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_IGN), close_fds=False)
    stdout, stderr = process.communicate(timeout=30)
    lines = stdout.decode().splitlines()

    assert process.returncode == 0, stderr
    assert lines[1:] == ["set()", "['0', '1', '2'] 4", "True"]
