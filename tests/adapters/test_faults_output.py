"""Faults of output, cases 33 to 43 of the catalogue in docs/reference/faults.md: every byte is in the log, always."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import time
import tty
from pathlib import Path

import pytest
from stage import PATIENCE, SPRY, Stage, cell

MOST = 64  # MB of memory, whatever a task writes
COLOUR = re.compile(rb"\x1b\[[0-9;:]*m")


@pytest.fixture
def stage(tmp_path, forks):
    return Stage(tmp_path, forks)


def same(stage: Stage, task: str, command: str) -> bool:
    """Whether the log of a task is, byte for byte, what a command writes."""
    script = f'"$@" | cmp - <({command})'
    logs = ("bash", "-c", script, "cmp", *SPRY, "logs", f"{stage.last()}/{task}", "--raw")
    return subprocess.run(logs, cwd=stage.folder, env=stage.env, check=False).returncode == 0


class Glass:
    """A terminal that is read only when a test says so."""

    def __init__(self, *, raw: bool = False) -> None:
        self.ours, self.theirs = pty.openpty()
        if raw:
            tty.setraw(self.theirs)

    def give_away(self) -> None:
        """The command has it now; when that ends, there is nothing more to read."""
        os.close(self.theirs)

    def read(self) -> bytes:
        """Everything until the end."""
        seen = bytearray()
        while select.select([self.ours], [], [], PATIENCE)[0]:
            try:
                data = os.read(self.ours, 1 << 16)
            except OSError:
                data = b""
            if not data:
                break
            seen += data
        os.close(self.ours)
        return bytes(seen)


def shown(stage: Stage, *argv: str, raw: bool = False) -> bytes:
    """What a command writes on a terminal."""
    glass = Glass(raw=raw)
    process = stage.start(*argv, stdout=glass.theirs, env={"TERM": "xterm-256color"})
    glass.give_away()
    seen = glass.read()
    process.communicate()
    return seen


# 33: much of it


@pytest.mark.parametrize("last", [14_000_000, pytest.param(37_000_000, marks=pytest.mark.stress)])
def test_case_33_hundreds_of_megabytes_are_in_the_log_to_the_byte_and_take_no_memory(stage, last):
    stage.write(cell("bash big", f"seq {last}"))
    done, peak = stage.measured("task", "big")

    assert done.code == 0
    assert peak < MOST
    assert same(stage, "big", f"seq {last}")


@pytest.mark.stress
def test_case_33_2_gigabytes_take_no_memory_either(stage):
    stage.write(cell("bash big", "head -c 2G /dev/zero"))
    done, peak = stage.measured("task", "big")

    assert done.code == 0
    assert peak < MOST
    assert sum(path.stat().st_size for path in stage.home.rglob("output")) == 2 << 30


def test_reports_of_200_megabytes_take_no_memory_and_little_room(stage):
    stage.write(cell("bash big", "head -c 200000000 /dev/zero | tr '\\0' x; echo; echo end"))
    done, peak = stage.measured(
        "task", "big", "-q", "--no-history", "--report", "json=r.json", "--report", "junit=r.xml"
    )

    assert done.code == 0
    assert peak < MOST
    assert json.loads((stage.folder / "r.json").read_bytes())["tasks"][0]["attempts"][0]["bytes"] == 200_000_005
    assert (stage.folder / "r.xml").stat().st_size < 200_000


@pytest.mark.stress
def test_case_33_looking_at_300_megabytes_takes_no_memory(stage):
    stage.write(cell("bash big", "head -c 300M /dev/zero | tr '\\0' x"))
    stage.spry("task", "big", "-q")
    run = stage.last()
    peaks = [
        stage.measured(*argv, run)[1] for argv in (("logs",), ("logs", "--json"), ("result",), ("result", "--json"))
    ]

    assert max(peaks) < MOST


# 34: not text

ODD = {
    "invalid UTF-8": rb"\xff\xfe\xc3(\xed\xa0\x80 \xf0\x9f",
    "NUL": rb"a\0b\0\0c",
    "ANSI": rb"\e[1;31mred\e[0m \e[2J\e]0;title\a",
    "a progress bar": rb"10%\r20%\r100%\rdone",
    "no last newline": rb"one\ntwo",
    "every byte": "".join(f"\\x{byte:02x}" for byte in range(256)).encode(),
}


@pytest.mark.parametrize("odd", ODD)
def test_case_34_bytes_that_are_no_text_are_kept_as_they_are_and_told_as_text(stage, odd):
    stage.write(cell("bash odd", f"printf %b '{ODD[odd].decode()}'"))
    done = stage.spry("task", "odd", "--json")
    exact = subprocess.run(["bash", "-c", f"printf %b '{ODD[odd].decode()}'"], capture_output=True, check=True).stdout
    texts = [event["text"] for event in done.events if event["event"] == "task_output"]

    assert done.code == 0
    assert stage.log("odd") == exact
    assert stage.spry("task", "odd", "--output", "raw").out == exact
    assert "".join(texts) == exact.decode("utf-8", "replace")


@pytest.mark.parametrize("mode", ["auto", "prefix", "raw", "quiet"])
def test_case_34_one_line_of_100_megabytes_takes_no_memory(stage, mode):
    stage.write(cell("bash line", "head -c 100M /dev/zero | tr '\\0' x"))
    done, peak = stage.measured("task", "line", "--output", mode)

    assert done.code == 0
    assert peak < MOST


def test_case_34_one_line_of_100_megabytes_is_whole_in_the_log(stage):
    stage.write(cell("bash line", "head -c 100M /dev/zero | tr '\\0' x"))
    stage.spry("task", "line", "-q")

    assert same(stage, "line", "head -c 100M /dev/zero | tr '\\0' x")


# 35: the last bytes


def test_case_35_the_last_bytes_before_the_end_of_300_tasks_are_there(stage):
    stage.write(*(cell(f"bash t{number}", f"printf 'last words of {number}'") for number in range(300)))
    done = stage.spry("runbook", "--json", "-j", "8")
    told = {event["task"]: event["text"] for event in done.events if event["event"] == "task_output"}

    assert done.code == 0
    assert told == {f"t{number}": f"last words of {number}" for number in range(300)}
    assert sorted(stage.look("logs", stage.last(), "--raw").out) == sorted("".join(told.values()).encode())


# 36, 37: nobody reads, or nobody can


def test_case_36_a_reader_that_leaves_changes_nothing(stage):
    stage.write(cell("bash t", "seq 200000", "touch finished"))
    reading, writing = os.pipe()
    reader = subprocess.Popen(["head", "-1"], stdin=reading, stdout=subprocess.PIPE)
    os.close(reading)
    done = stage.spry("task", "t", stdout=writing)
    os.close(writing)
    line, _ = reader.communicate()

    assert line == b"1\n"
    assert done.code == 0
    assert "Traceback" not in done.err
    assert (stage.folder / "finished").exists()
    assert same(stage, "t", "seq 200000")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(("ending", "code"), [("true", 3), ("exit 1", 1)])
def test_case_37_output_that_cannot_be_written_is_told_and_never_good(stage, ending, code):
    stage.write(cell("bash t", "echo words", "touch finished", ending))
    with open("/dev/full", "wb") as full:
        done = stage.spry("task", "t", stdout=full)

    assert done.code == code
    assert "no space left on device" in done.err.lower()
    assert (stage.folder / "finished").exists()
    assert stage.log("t") == b"words\n"


# 38: a reader that waits


@pytest.mark.parametrize("mode", ["auto", "raw", "prefix"])
def test_case_38_a_terminal_that_nobody_reads_slows_no_task(stage, mode):
    stage.write(
        cell("bash flood", "seq 1500000", "touch finished"), cell("bash after --dep flood", "touch after", "echo end")
    )
    glass = Glass()
    process = stage.start(
        "runbook", "--output", mode, stdout=glass.theirs, stderr=glass.theirs, env={"TERM": "xterm-256color"}
    )
    glass.give_away()
    end = time.monotonic() + PATIENCE
    while not (stage.folder / "after").exists() and time.monotonic() < end:
        time.sleep(0.01)
    ended_unread = (stage.folder / "after").exists()
    seen = glass.read()

    assert ended_unread
    assert process.wait() == 0
    assert seen.count(b"1500000\r\n") == 1
    assert same(stage, "flood", "seq 1500000")


def test_case_38_a_slow_pipe_slows_no_task(stage):
    stage.write(cell("bash flood", "seq 1500000", "touch finished"))
    process = stage.start("task", "flood", stderr=subprocess.DEVNULL)
    end = time.monotonic() + PATIENCE
    while not (stage.folder / "finished").exists() and time.monotonic() < end:
        time.sleep(0.01)
    ended_unread = (stage.folder / "finished").exists()
    out, _ = process.communicate(timeout=PATIENCE)

    assert ended_unread
    assert process.returncode == 0
    assert out == "".join(f"{number}\n" for number in range(1, 1_500_001)).encode()


# 39: no cap


def test_case_39_no_log_is_cut_and_what_never_stops_writing_is_stopped_by_its_timeout(stage):
    stage.write(cell("bash endless --timeout 0.3s", "exec yes"))
    done = stage.spry("task", "endless", "--output", "quiet", env={"SPRY_GRACE": "0.1"})
    log = stage.log("endless")

    assert done.code == 124
    assert len(log) > 1 << 20
    assert log.removesuffix(b"y") == b"y\n" * (len(log) // 2)


# 40: two streams


def test_case_40_neither_stream_loses_its_order(stage):
    stage.write(cell("bash both", 'for ((i = 0; i < 10000; i++)); do echo "o$i"; echo "e$i" >&2; done'))
    done = stage.spry("task", "both")
    log = stage.log("both").split()

    assert done.out.split() == [f"o{number}".encode() for number in range(10_000)]
    assert [line for line in done.lines if line.startswith("e")] == [f"e{number}" for number in range(10_000)]
    assert [line for line in log if line[:1] == b"o"] == done.out.split()
    assert len(log) == 20_000


# 41: stdin


def test_case_41_a_task_finds_the_end_of_its_input_at_once_also_where_spry_waits_for_nothing(stage):
    stage.write(cell("bash asks --no-strict", "cat", "read -r line || echo nothing", "readlink /proc/self/fd/0"))
    reading, writing = os.pipe()  # stays open, and nothing is ever written
    done = stage.spry("task", "asks", stdin=reading)
    os.close(reading)
    os.close(writing)

    assert (done.code, done.out) == (0, b"nothing\n/dev/null\n")


def test_case_41_an_interactive_task_is_refused_where_there_is_no_terminal_and_nothing_runs(stage):
    stage.write(cell("bash first", "touch ran"), cell("bash asks --interactive --dep first", "read -r line"))
    done = stage.spry("runbook")

    assert done.code == 2
    assert "terminal" in done.err
    assert not (stage.folder / "ran").exists()


# 42: what a terminal would obey

HOSTILE = [
    b"\x1b]0;title\x07", b"\x1b]2;title\x1b\\", b"\x1b]52;c;ZXZpbA==\x07", b"\x1b]8;;http://evil\x1b\\x\x1b]8;;\x1b\\",
    b"\x1b]4;1;rgb:00/00/00\x07", b"\x1b]10;?\x07", b"\x1b]1337;File=name=x:eA==\x07", b"\x1b]777;notify;a;b\x07",
    b'\x1bP$q"p\x1b\\', b"\x1bPtmux;x\x1b\\", b"\x1b_Gf=100;AAAA\x1b\\", b"\x1b^private\x1b\\", b"\x1bXstring\x1b\\",
    b"\x1b[2J", b"\x1b[H", b"\x1b[10;10H", b"\x1b[5A", b"\x1b[5B", b"\x1b[5C", b"\x1b[5D", b"\x1b[K", b"\x1b[1K",
    b"\x1b[?1049h", b"\x1b[?25l", b"\x1b[?1000h", b"\x1b[?2004h", b"\x1b[6n", b"\x1b[c", b"\x1b[>c", b"\x1b[18t",
    b"\x1b[8;1;1t", b"\x1b[3g", b"\x1b[1;2r", b"\x1b[4h", b"\x1b[20h", b"\x1b[5i", b"\x1b[!p", b"\x1bc", b"\x1b7",
    b"\x1b8", b"\x1bM", b"\x1bD", b"\x1b#8", b"\x1b(0", b"\x1b=", b"\x1b>", b"\xc2\x9b2J", b"\xc2\x9d0;t\x07", b"\x07",
    b"\x0e", b"\x0f", b"\x05", b"\x1b[", b"\x1b]0;never ended", b"\x1b",
]  # fmt: skip


@pytest.mark.parametrize("command", ["logs", "result"])
def test_case_42_a_stored_log_cannot_act_on_the_terminal_that_shows_it(stage, command):
    told = b"\n".join(b"line %d %s" % (number, text) for number, text in enumerate(HOSTILE))
    (stage.folder / "hostile").write_bytes(b"\x1b[1;32mgreen\x1b[0m\n" + told)
    stage.write(cell("bash hostile", "cat hostile"))
    stage.spry("task", "hostile", "-q")
    seen = shown(stage, command, stage.last())

    assert COLOUR.findall(seen)[:2] == [b"\x1b[1;32m", b"\x1b[0m"]
    assert b"\x1b" not in COLOUR.sub(b"", seen)
    assert b"\xc2\x9b" not in seen
    assert not set(seen).intersection(b"\x05\x07\x0e\x0f")
    assert [line.split()[1] for line in seen.splitlines()[1:] if line[:4] == b"line"] == [
        b"%d" % number for number in range(len(HOSTILE))
    ]


def test_case_42_raw_gives_every_byte_to_who_asks_for_them(stage):
    everything = b"\n".join(HOSTILE)
    (stage.folder / "hostile").write_bytes(everything)
    stage.write(cell("bash hostile", "cat hostile"))
    stage.spry("task", "hostile", "-q")

    assert shown(stage, "logs", stage.last(), "--raw", raw=True) == everything
    assert stage.look("logs", stage.last()).out == everything


# 43: words that other tools obey


def test_case_43_no_line_of_output_is_an_order(stage):
    orders = ("::set-output name=k::v", "::set-env name=PATH::/evil", "::add-path::/evil", "k=v", "##vso[task.x]")
    stage.write(
        cell("bash speaks", *(f"echo '{order}'; echo '{order}' >&2" for order in orders)),
        cell("bash looks --dep speaks", 'echo "$PATH"', 'cat "$SPRY_UPSTREAM"'),
    )
    done = stage.spry("runbook", "--json")
    said = "".join(one["text"] for one in done.events if one["event"] == "task_output" and one["task"] == "looks")

    assert done.code == 0
    assert said.splitlines()[0] == stage.env["PATH"]
    assert '"outputs": {}' in said
    assert '"captured": {}' in said
