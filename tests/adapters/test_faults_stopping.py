"""Stopping, cases 1 to 18 of the catalogue: whatever a task has left behind, nobody survives, and the code says why."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time

import pytest
from shapes import (
    FOREGROUND,
    SHAPES,
    UNHEARD,
    Ready,
    alive,
    kill_all,
    prepare,
    runner,
    script,
    state,
    stays,
    survivors,
    until,
)
from stage import PATIENCE, SPRY, Stage, cell

GRACE = {"SPRY_GRACE": "0.3"}
OBEDIENT = ("trap 'echo bye; exit 7' TERM", "echo >> $READY", "while :; do sleep 60 & wait $!; done")
STUBBORN = ("trap '' TERM INT", "echo >> $READY", "while :; do sleep 60 & wait $!; done")

pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks into /proc")


@pytest.fixture
def stage(tmp_path, forks):
    made = prepare(Stage(tmp_path, forks))
    made.env["READY"] = str(tmp_path / "ready")
    yield made
    kill_all(made)


class Run:
    """A command of which so many processes have said that they run."""

    def __init__(self, stage: Stage, *argv: str, ready: int = 1, env=GRACE, **how) -> None:
        self.stage = stage
        pipe = Ready(stage)
        self.process = stage.start(*argv, env=env, **how)
        pipe.wait(ready)
        pipe.close()

    def end(self) -> tuple[int, str]:
        """Wait for it; its exit code and what it said on stderr."""
        _, told = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, (told or b"").decode()


def everything(stage: Stage, flags: str = "") -> int:
    """A runbook whose tasks make every shape and stay; how many processes will say that they run."""
    stage.write(*(stays(stage, shape, f"bash t{number} {flags}") for number, shape in enumerate(SHAPES)))
    return 2 * len(SHAPES) - len(FOREGROUND) - len(UNHEARD)


def to_all(run: Run, number: int) -> None:
    """As a terminal does: to the whole group."""
    os.killpg(run.process.pid, number)


def to_spry(run: Run, number: int) -> None:
    """As a service manager does: to the process that it started."""
    run.process.send_signal(number)


def as_id(value) -> str:
    """A parameter as one word."""
    return str(value).replace(" ", "-")


# Every shape, however the run ends


@pytest.mark.parametrize(
    ("send", "number", "code"),
    [
        (to_all, signal.SIGINT, 130),
        (to_spry, signal.SIGINT, 130),
        (to_spry, signal.SIGTERM, 143),
        (to_spry, signal.SIGHUP, 129),
        (to_spry, signal.SIGQUIT, 131),
    ],
    ids=["Ctrl-C", "INT", "TERM", "HUP", "QUIT"],
)
def test_no_shape_survives_a_signal(stage, send, number, code):
    run = Run(stage, "runbook", "-j", "40", ready=everything(stage))
    send(run, number)

    assert run.end()[0] == code
    assert survivors(stage) == []


def test_no_shape_survives_a_timeout(stage):
    everything(stage, "--timeout 0.5s")
    done = stage.spry("runbook", "-j", "40", env=GRACE)

    assert done.code == 124, done.err
    assert survivors(stage) == []


@pytest.mark.parametrize("jobs", ["1", "40"])
def test_no_shape_survives_the_end_of_its_task(stage, jobs):
    shapes = [shape for shape in SHAPES if shape not in FOREGROUND]
    stage.write(*(cell(f"bash t{number}", script(stage, shape)) for number, shape in enumerate(shapes)))
    done = stage.spry("runbook", "-j", jobs)

    assert done.code == 0, done.err
    assert survivors(stage) == []


LEAVING = [shape for shape in SHAPES if shape not in FOREGROUND]


@pytest.fixture(scope="module")
def one_by_one(tmp_path_factory, forks):
    """A run in which each task makes a shape, and the next one looks for what is left of it."""
    stage = prepare(Stage(tmp_path_factory.mktemp("one-by-one"), forks))
    look = f'pgrep -af "{stage.place}/([b]eat|[a]gain)" || :'
    cells = []
    for number, shape in enumerate(LEAVING):
        before = f"--dep after{number - 1}" if number else ""
        cells += [cell(f"bash leaky{number} {before}", script(stage, shape))]
        cells += [cell(f"bash after{number} --dep leaky{number}", look)]
    yield stage.write(*cells).spry("runbook", "--json", "--no-history")
    kill_all(stage)


@pytest.mark.parametrize("shape", LEAVING, ids=as_id)
def test_what_a_task_leaves_behind_is_gone_before_its_dependents_start(one_by_one, shape):
    done, number = one_by_one, LEAVING.index(shape)
    leaked = {event["task"]: event["leaked"] for event in done.events if event["event"] == "task_finished"}
    told = [event for event in done.events if event["event"] == "task_output"]

    assert done.code == 0, done.err
    assert [event for event in told if event["task"] in {f"leaky{number}", f"after{number}"}] == []
    assert leaked[f"leaky{number}"] >= 1
    assert leaked[f"after{number}"] == 0


def test_what_is_left_behind_is_named_and_counted(stage):
    pause = "read -rt 0.2 x <> <(:) || :"  # until they are the programs that they start
    stage.write(
        cell("bash server", "sleep 300 >/dev/null 2>&1 & setsid -f sleep 300 >/dev/null 2>&1", pause),
        cell("bash both", "sleep 300 >/dev/null 2>&1 & tail -f /dev/null >/dev/null 2>&1 &", pause, "false"),
        cell("bash tidy", ":"),
    )
    done = stage.spry("runbook", "-j", "1")

    told = re.sub(r" \(\d.*s\)", "", done.err)

    assert "✓ server completed, 2 leaky: sleep (2) kept running\n" in told
    assert "✗ both failed with exit code 1, 2 leaky: sleep, tail kept running\n" in told
    assert "✓ tidy completed\n" in told
    assert done.lines[-2].endswith(", 2 leaky") or done.lines[-1].endswith(", 2 leaky")


# Case by case


@pytest.mark.parametrize("send", [to_all, to_spry], ids=["group", "spry-alone"])
def test_case_1_ctrl_c_ends_all_and_starts_no_dependent(stage, send):
    stage.write(cell("bash long", *OBEDIENT), cell("bash after --dep long", "touch after"))
    run = Run(stage, "task", "after")
    send(run, signal.SIGINT)
    code, told = run.end()

    assert code == 130
    assert "⊘ long cancelled (interrupted)" in told
    assert not (stage.folder / "after").exists()
    assert survivors(stage) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_case_2_a_signal_to_both_of_the_pair_counts_once(stage, number):
    stage.write(cell("bash long", *OBEDIENT), cell("bash tidy --dep long --finally", "touch tidied"))
    run = Run(stage, "runbook")
    to_all(run, number)
    code, _ = run.end()

    assert code == 128 + number
    assert (stage.folder / "tidied").exists(), "the second signal would have killed this"


def test_case_2_a_signal_to_the_inner_one_of_the_pair_counts_too(stage):
    stage.write(cell("bash long", *OBEDIENT), cell("bash tidy --dep long --finally", "touch tidied"))
    run = Run(stage, "runbook")
    os.kill(runner(stage, run.process.pid), signal.SIGINT)
    code, _ = run.end()

    assert code == 130
    assert (stage.folder / "tidied").exists()


def test_case_3_term_ends_all_and_cleans_up(stage):
    stage.write(cell("bash long", *OBEDIENT), cell("bash tidy --dep long --finally", "touch tidied"))
    run = Run(stage, "runbook")
    to_spry(run, signal.SIGTERM)

    assert run.end()[0] == 143
    assert (stage.folder / "tidied").exists()
    assert survivors(stage) == []


class Terminal:
    """A command in the foreground of a terminal; with `shell` as the job of a shell that knows job control."""

    def __init__(self, stage: Stage, *argv: str, shell: str = "") -> None:
        self.ready = Ready(stage)
        self.glass, end = pty.openpty()
        words = ("/bin/bash", "-c", shell, "bash", *SPRY, *argv) if shell else (*SPRY, *argv)
        self.process = subprocess.Popen(
            words,
            cwd=stage.folder,
            env={**stage.env, **GRACE, "TERM": "xterm"},
            stdin=end,
            stdout=end,
            stderr=end,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(end, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - no threads here
        )
        os.close(end)

    def read(self, words: bytes = b"") -> bytes:
        """Read until these words appear, or nobody writes any more."""
        seen = b""
        while not words or words not in seen:
            ready, _, _ = select.select([self.glass], [], [], PATIENCE)
            try:
                data = os.read(self.glass, 65536) if ready else b""
            except OSError:
                data = b""
            if not data:
                break
            seen += data
        return seen

    def close(self) -> None:
        self.ready.close()
        self.process.wait(timeout=PATIENCE)


def test_case_4_a_terminal_that_is_closed_ends_all(stage):
    stage.write(cell("bash long", *OBEDIENT), cell("bash tidy --dep long --finally", "touch tidied"))
    terminal = Terminal(stage, "runbook")
    terminal.ready.wait(1)
    os.close(terminal.glass)
    terminal.close()

    assert terminal.process.returncode == 129
    assert (stage.folder / "tidied").exists()
    assert survivors(stage) == []


def test_case_5_quit_is_like_term_and_leaves_no_core(stage):
    stage.write(cell("bash long", *OBEDIENT))
    run = Run(stage, "runbook", prelude="ulimit -c unlimited")
    to_spry(run, signal.SIGQUIT)

    assert run.end()[0] == 131
    assert [path.name for path in stage.folder.iterdir() if "core" in path.name] == []
    assert survivors(stage) == []


JOB = 'set -m; "$@" & fg %1 >/dev/null; echo "[stopped $?]"; read -r; fg %1 >/dev/null; echo "[ended $?]"'


@pytest.mark.slow
def test_case_6_ctrl_z_stops_everything_and_fg_goes_on_with_its_time(stage):
    lines = ("setsid -f bash $STAY $BEAT $READY", "echo >> $READY", "read -rt 0.6 x <> <(:) || :", "echo over")
    stage.env |= {"STAY": str(stage.place / "stay"), "BEAT": str(stage.place / "beat")}
    stage.write(cell("bash long --timeout 3s", *lines))
    terminal = Terminal(stage, "task", "long", shell=JOB)
    terminal.ready.wait(2)
    os.write(terminal.glass, b"\x1a")
    assert b"[stopped " in terminal.read(b"[stopped ")
    ours = [pid for pid, words in alive(stage.place).items() if "set -m" not in words]
    states = {state(pid) for pid in ours}
    time.sleep(3)  # more than the task has: time that must not count
    os.write(terminal.glass, b"\n")
    told = terminal.read(b"[ended ")
    terminal.close()
    os.close(terminal.glass)

    assert len(ours) >= 4
    assert states == {"T"}
    assert b"over" in told
    assert b"[ended 0]" in told + b"]", told
    assert survivors(stage) == []


def test_case_6_where_nobody_could_continue_us_ctrl_z_does_nothing(stage):
    stage.write(cell("bash long", "echo >> $READY", "read -rt 0.3 x <> <(:) || :", "echo over"))
    run = Run(stage, "task", "long")
    to_all(run, signal.SIGTSTP)

    assert run.process.communicate(timeout=PATIENCE)[0] == b"over\n"
    assert run.process.returncode == 0


@pytest.mark.parametrize(
    ("case", "shape"),
    [
        (7, "a child in the background, waited for"),
        (8, "setsid in the background"),
        (9, "a daemon"),
        (11, "one that stands still"),
        (12, "one that starts itself again"),
    ],
    ids=as_id,
)
def test_case_7_to_12_one_by_one(stage, case, shape):
    stage.write(stays(stage, shape, "bash t"))
    ready = 1 if shape in FOREGROUND or shape in UNHEARD else 2
    run = Run(stage, "task", "t", ready=ready)
    to_all(run, signal.SIGINT)

    assert run.end()[0] == 130, case
    assert survivors(stage) == []


def test_case_10_the_second_ctrl_c_kills_what_ignores_the_first(stage):
    stage.write(cell("bash long", *STUBBORN), cell("bash tidy --dep long --finally", "touch tidied"))
    run = Run(stage, "runbook", env={"SPRY_GRACE": "60"})
    to_all(run, signal.SIGINT)
    runs = runner(stage, run.process.pid)
    until(lambda: b"00000002" not in pending(run.process.pid) + pending(runs))
    to_all(run, signal.SIGINT)
    code, _ = run.end()

    assert code == 130
    assert not (stage.folder / "tidied").exists()
    assert survivors(stage) == []


def pending(pid: int) -> bytes:
    """The signals that a process has been sent and has not taken so far."""
    try:
        with open(f"/proc/{pid}/status", "rb") as stream:
            return b"".join(line[-9:] for line in stream if line.startswith(b"ShdPnd"))
    except OSError:
        return b""


def test_case_13_a_trap_runs_to_its_end_within_the_grace(stage):
    trap = "trap 'sleep 0.3; touch cleaned; exit' TERM"
    stage.write(cell("bash long", trap, *OBEDIENT[1:]))
    run = Run(stage, "task", "long", env={"SPRY_GRACE": "30"})
    to_all(run, signal.SIGINT)

    assert run.end()[0] == 130
    assert (stage.folder / "cleaned").exists()


TRIES = """import os, time
try:
    print(file=open(os.environ["READY"], "w"))
    time.sleep(300)
finally:
    open("cleaned", "w").close()
"""
HEEDS_NOT = """import os, signal, time
signal.signal(signal.SIGINT, lambda *_: open("heard", "w").close())
print(file=open(os.environ["READY"], "w"))
while True:
    time.sleep(300)
"""


@pytest.mark.parametrize(
    "lines",
    [
        ("trap 'touch cleaned; exit' INT", *OBEDIENT[1:]),
        ("trap 'touch cleaned' EXIT", *OBEDIENT[1:]),
        ("python3 tries.py", ":"),
        ("(trap 'touch cleaned; exit' TERM; echo >> $READY; while :; do sleep 60 & wait $!; done) & wait",),
    ],
    ids=["INT", "EXIT", "a-child-in-python", "a-child-in-the-background"],
)
def test_case_13_who_is_prepared_for_int_or_term_cleans_up_after_ctrl_c(stage, lines):
    (stage.folder / "tries.py").write_text(TRIES)
    stage.write(cell("bash long", *lines))
    run = Run(stage, "task", "long", env={"SPRY_GRACE": "60"})
    to_all(run, signal.SIGINT)
    begun = time.monotonic()

    assert run.end()[0] == 130
    assert (stage.folder / "cleaned").exists()
    assert time.monotonic() - begun < 20, "TERM came when half of the grace was over"
    assert survivors(stage) == []


def test_case_13_who_does_not_heed_int_gets_term_before_kill(stage):
    (stage.folder / "heeds_not.py").write_text(HEEDS_NOT)
    stage.write(cell("bash long", "exec python3 heeds_not.py"))
    run = Run(stage, "task", "long", env={"SPRY_GRACE": "2"})
    to_all(run, signal.SIGINT)
    begun = time.monotonic()

    assert run.end()[0] == 130
    assert (stage.folder / "heard").exists()
    assert 0.9 < time.monotonic() - begun < 1.9


def test_case_14_a_reader_that_dies_of_the_same_ctrl_c_spoils_no_clean_up(stage):
    stage.write(
        cell("bash long", *OBEDIENT),
        cell("bash tidy --dep long --finally", "head -c 300000 /dev/zero", "touch tidied"),
    )
    pipe = Ready(stage)
    pair = subprocess.Popen(
        ["/bin/bash", "-c", '"$@" 2>&1 | cat; exit ${PIPESTATUS[0]}', "bash", *SPRY, "runbook", "--output", "raw"],
        cwd=stage.folder,
        env={**stage.env, **GRACE},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
    )
    pipe.wait(1)
    pipe.close()
    os.killpg(pair.pid, signal.SIGINT)
    pair.wait(timeout=PATIENCE)
    until(lambda: survivors(stage) == [], "somebody is left")

    assert (stage.folder / "tidied").exists()


@pytest.mark.parametrize("prelude", ["trap '' INT QUIT HUP", "trap '' HUP", "trap '' CHLD TSTP INT"], ids=as_id)
def test_case_15_a_caller_that_ignores_signals_keeps_none_from_tasks_and_term_still_works(stage, prelude):
    lines = ("grep SigIgn /proc/self/status", *OBEDIENT)
    stage.write(cell("bash long", *lines))
    run = Run(stage, "task", "long", "--output", "raw", prelude=prelude)
    for number in (signal.SIGHUP, signal.SIGTSTP):
        if f"{number.name[3:]} " in f"{prelude.removeprefix('trap')} ":
            to_all(run, number)
    to_spry(run, signal.SIGTERM)
    out, _ = run.process.communicate(timeout=PATIENCE)

    assert run.process.returncode == 143
    assert [number for number in signal.valid_signals() if int(out.split()[1], 16) >> number - 1 & 1] == []
    assert out.endswith(b"bye\n")
    assert survivors(stage) == []


@pytest.mark.parametrize("delay", [0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3])
def test_case_16_a_signal_at_any_moment_of_the_start_is_obeyed(stage, delay):
    stage.write(*(cell(f"bash t{number}", "exec sleep 300") for number in range(3)))
    process = stage.start("runbook", "-j", "2", env=GRACE)
    time.sleep(delay)
    to = process.send_signal if delay < 0.1 else lambda number: os.killpg(process.pid, number)
    to(signal.SIGINT)
    _, told = process.communicate(timeout=PATIENCE)

    assert is_interrupted(process, told)
    assert survivors(stage) == []


def is_interrupted(process: subprocess.Popen, told: bytes) -> bool:
    """Whether a command ended by INT; before our first line it is Python that says so, in its own way."""
    return process.returncode in (130, -signal.SIGINT) or b"KeyboardInterrupt" in told


@pytest.mark.stress
def test_case_16_two_hundred_signals_at_random_moments_are_obeyed(stage):
    stage.write(*(cell(f"bash t{number}", "exec sleep 300") for number in range(3)))
    for number in range(200):
        process = stage.start("runbook", "-j", "2", "--no-history", env=GRACE)
        time.sleep(number * 7919 % 300 / 1000)
        os.killpg(process.pid, signal.SIGINT) if number % 2 else process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=PATIENCE)

        assert is_interrupted(process, told), told
        assert survivors(stage) == []


def test_case_16_a_flood_of_output_does_not_drown_a_signal(stage):
    stage.write(*(cell(f"bash t{number}", "echo >> $READY", "exec yes") for number in range(4)))
    run = Run(stage, "runbook", "-j", "4", "--no-history", ready=4, stdout=subprocess.DEVNULL)
    begun = time.monotonic()
    to_spry(run, signal.SIGINT)

    assert run.end()[0] == 130
    assert time.monotonic() - begun < 10
    assert survivors(stage) == []


def test_case_17_a_timeout_goes_the_same_way_and_keeps_what_was_written(stage):
    stage.own()
    stage.write(cell("bash slow --timeout 0.3s", "trap 'echo cleaned; exit 0' TERM", *OBEDIENT[1:]))
    pipe = Ready(stage)
    done = stage.spry("task", "slow", env={"SPRY_GRACE": "30"})
    pipe.close()

    assert done.code == 124
    assert stage.log("slow") == b"cleaned\n"
    assert survivors(stage) == []


def test_case_18_stopping_one_task_spares_the_strays_of_another(stage):
    up = f"setsid -f bash {stage.place}/stay {stage.place}/beat {stage.place}/ready"
    mine = f"pgrep -fc 'tail -f {stage.place}/beat$'"
    stage.write(
        cell("bash short --timeout 0.3s", up, "exec sleep 300"),
        cell("bash long", up, f"until [ $({mine}) = 2 ]; do :; done", f"until [ $({mine}) = 1 ]; do :; done"),
    )
    pipe = Ready(stage)
    done = stage.spry("runbook", "-j", "2", env=GRACE)
    pipe.close()

    assert "long completed" in done.err
    assert "1 leaky: tail kept running" in done.err
    assert done.code == 124
    assert survivors(stage) == []
