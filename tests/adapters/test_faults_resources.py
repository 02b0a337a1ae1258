"""Faults of resources and of the environment, cases 44 to 58 of the catalogue: a named reason, and never a hang."""

from __future__ import annotations

import json
import os
import resource
import shlex
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from stage import ROOT, SPRY, Stage, cell, small_disk

ROOT_USER = os.geteuid() == 0


@pytest.fixture
def stage(tmp_path, forks):
    return Stage(tmp_path, forks)


def tasks(count: int, *lines: str) -> list[str]:
    return [cell(f"bash t{number}", *lines) for number in range(count)]


def counts(stage: Stage) -> dict[str, int]:
    """How the latest run ended, by outcome."""
    return stage.runs()[0]["counts"]


# 44: descriptors


@pytest.mark.parametrize("few", [64, 32])
def test_case_44_with_few_descriptors_everything_runs_in_turn(stage, few):
    stage.own()
    stage.write(*tasks(120, "read -rt 0.02 <> <(:) || true", "echo here"))
    done = stage.spry("runbook", "-j", "60", prelude=f"ulimit -n {few}")

    assert done.code == 0, done.err
    assert done.out == b"here\n" * 120
    assert counts(stage) == {"succeeded": 120}


@pytest.mark.stress
def test_case_44_without_any_descriptor_the_reason_is_named(stage):
    stage.write(*tasks(2, "echo here"))
    done = stage.spry("runbook", "--no-history", prelude="ulimit -n 11")

    assert done.code == 3
    assert "Too many open files" in done.err
    assert "Traceback" not in done.err


# 45: processes


@contextmanager
def few_processes(most: int):
    """A line of shell after which so many processes can be at once."""
    group = Path("/sys/fs/cgroup/pids") / f"spry-test-{os.getpid()}"
    if not ROOT_USER:
        mine = len([name for name in os.listdir("/proc") if name.isdigit() and _owner(name) == os.getuid()])
        yield f"ulimit -u {mine + most}"
        return
    try:
        group.mkdir()
        (group / "pids.max").write_text(f"{most}\n")
    except OSError:
        pytest.skip("no limit of processes counts for root here: the pids group cannot be written")
    try:
        yield f"echo $$ > {group}/cgroup.procs"
    finally:
        group.rmdir()


def _owner(process: str) -> int:
    try:
        return os.stat(f"/proc/{process}").st_uid
    except OSError:
        return -1


def test_case_45_what_cannot_fork_now_is_started_when_something_has_ended(stage):
    os.mkfifo(stage.folder / "quiet")
    stage.write(*tasks(40, "read -rt 0.05 <> quiet || true", "echo here"))
    with few_processes(8) as prelude:
        done = stage.spry("runbook", "-j", "30", prelude=prelude)

    assert done.code == 0, done.err
    assert done.out == b"here\n" * 40


@pytest.mark.stress
def test_case_45_what_can_never_fork_is_named(stage):
    stage.write(cell("bash t", "echo here"))
    with few_processes(2) as prelude:  # as many as a run is, and none for its task
        done = stage.spry("task", "t", prelude=prelude)

    assert done.code == 3
    assert "EAGAIN" in done.err
    assert "Traceback" not in done.err
    assert stage.left_behind() == []


def test_case_45_a_run_that_cannot_become_a_pair_is_named_and_runs_nothing(stage):
    stage.write(cell("bash t", "echo here"))
    with few_processes(1) as prelude:
        done = stage.spry("task", "t", prelude=prelude)

    assert (done.code, done.out) == (3, b"")
    assert "cannot start the process that runs the tasks" in done.err
    assert "Traceback" not in done.err
    assert stage.left_behind() == []


# 46: a full disk for the log

FULL_LOG = (cell("bash big", "head -c 6M /dev/zero", "touch finished"), cell("bash after --dep big", "echo after"))


def check_full_log(stage: Stage, done) -> None:
    told = [line for line in done.lines if "the log of this run is incomplete" in line]
    assert done.code == 3
    assert len(told) == 1, done.err
    assert done.out.endswith(b"after\n")
    assert len(done.out) == (6 << 20) + len("after\n")
    assert (stage.folder / "finished").exists()
    assert stage.left_behind() == []


def test_case_46_a_log_without_room_is_told_and_the_run_goes_on(stage):
    stage.write(*FULL_LOG)
    with small_disk(stage.own(), "1500k"):
        done = stage.spry("runbook", "--output", "raw")
        run = stage.runs()[0]
        kept = stage.look("logs", run["run"], "--raw")

    check_full_log(stage, done)
    assert (run["status"], run["exit_code"]) == ("failed", 3)
    assert kept.out == b"\0" * len(kept.out) != b""


def test_case_46_a_log_at_the_limit_of_a_file_is_told_and_the_run_goes_on(stage):
    stage.write(*FULL_LOG)
    done = stage.spry("runbook", "--output", "raw", prelude="ulimit -f 1024")

    check_full_log(stage, done)
    assert counts(stage) == {"succeeded": 2}


@pytest.mark.parametrize(("ending", "code"), [("exit 1", 1), ("true", 3)])
def test_case_46_a_full_disk_never_turns_a_failure_into_success(stage, ending, code):
    stage.write(cell("bash big", "head -c 6M /dev/zero", ending))
    done = stage.spry("task", "big", "-q", prelude="ulimit -f 1024")

    assert done.code in (code, 3)
    assert done.code != 0


# 47: a full disk for the database


def test_case_47_a_database_without_room_from_the_start_is_told_and_the_run_goes_on(stage):
    stage.write(cell("bash t", "echo here"))
    with small_disk(stage.own(), "16k"):
        done = stage.spry("task", "t")

    assert done.code == 3
    assert done.out == b"here\n"
    assert "goes on without history" in done.err
    assert "Traceback" not in done.err


def test_case_47_a_disk_that_fills_up_in_mid_run_is_told_and_how_the_run_ended_is_recorded(stage):
    own = stage.own()
    fill = f"head -c 4M /dev/zero > {own}/filler || true"
    stage.write(cell("bash fill", fill), *(cell(f"bash t{number} --dep fill", "echo here") for number in range(40)))
    with small_disk(own, "1M"):
        done = stage.spry("runbook")
        recorded = stage.runs()[0]
        resumed = stage.spry("resume")
        with closing(sqlite3.connect(own / "spry.db")) as connection:
            faults = connection.execute("PRAGMA integrity_check").fetchall()

    assert done.code == 3
    assert done.out == b"here\n" * 40
    assert "No space left on device" in done.err
    assert "Traceback" not in done.err + resumed.err
    assert (recorded["exit_code"], recorded["counts"]) == (3, {"succeeded": 41})
    assert "41 of 41 tasks need not run again" in resumed.err
    assert faults == [("ok",)]


# 48: a full disk for the task


def test_case_48_a_task_without_room_fails_and_cleaning_up_still_runs(stage):
    stage.write(
        cell("bash fill", "head -c 4M /dev/zero > much"),
        cell("bash tidy --dep fill --finally", "rm much", "echo tidied"),
    )
    text = (stage.folder / "Spryfile.md").read_bytes()
    with small_disk(stage.folder, "1M"):
        (stage.folder / "Spryfile.md").write_bytes(text)
        done = stage.spry("runbook")

    assert done.code == 1
    assert "No space left on device" in done.err
    assert "tidied" in done.out.decode()
    assert stage.left_behind() == []


# 49: nowhere to write


def check_refused(stage: Stage, done) -> None:
    assert done.code == 3
    assert done.lines[0].startswith("Error: the history cannot be kept: ")
    assert "--no-history" in done.lines[1]
    assert len(done.lines) == 2
    assert not (stage.folder / "ran").exists()
    assert stage.left_behind() == []


def test_case_49_a_state_folder_that_cannot_be_written_is_named_and_nothing_runs(stage):
    stage.write(cell("bash t", "touch ran"))
    with small_disk(stage.own(), "1M") as own:
        subprocess.run(["mount", "-o", "remount,ro", str(own)], check=True)
        done = stage.spry("task", "t")

    check_refused(stage, done)


def test_case_49_with_a_history_in_it_that_holds_too(stage):
    stage.write(cell("bash t", "touch ran"))
    with small_disk(stage.own(), "1M") as own:
        stage.spry("task", "t")
        (stage.folder / "ran").unlink()
        subprocess.run(["mount", "-o", "remount,ro", str(own)], check=True)
        done = stage.spry("task", "t")

    check_refused(stage, done)


@pytest.mark.skipif(ROOT_USER, reason="root may write everywhere")
def test_case_49_a_folder_without_permission_is_named_too(stage):
    stage.write(cell("bash t", "touch ran"))
    stage.own().chmod(0o500)
    done = stage.spry("task", "t")

    check_refused(stage, done)


def test_case_49_a_file_in_the_place_of_the_folder_is_named_too(stage):
    stage.write(cell("bash t", "touch ran"))
    (stage.home / ".local").write_text("")
    done = stage.spry("task", "t")

    check_refused(stage, done)


def test_case_49_without_history_the_run_goes_ahead(stage):
    stage.write(cell("bash t", "echo here"))
    (stage.home / ".local").write_text("")

    assert stage.spry("task", "t", "--no-history")[:2] == (0, b"here\n")


# 50: the state folder goes away


@pytest.mark.parametrize("what", [".spry", ".spry/spry.db"])
def test_case_50_a_history_that_is_removed_in_mid_run_is_told_and_the_run_ends(stage, what):
    stage.own()
    stage.write(cell("bash clear", f'rm -r "$SPRY_DIR/{what}"'), cell("bash after --dep clear", "echo here"))
    done = stage.spry("runbook")

    assert done.code == 3
    assert done.out == b"here\n"
    assert "the history was removed in mid-run" in done.err
    assert "Traceback" not in done.err


def test_case_50_a_history_that_is_replaced_in_mid_run_is_left_to_its_owner(stage):
    stage.own()
    stage.write(
        cell("bash clear", 'rm -r "$SPRY_DIR/.spry"; mkdir "$SPRY_DIR/.spry"'),
        cell("bash other --dep clear", f'cd "$SPRY_DIR" && {shlex.join(SPRY)} task inner', "echo here"),
        cell("bash inner --graph inner", "echo inner"),
    )
    done = stage.spry("runbook")
    runs = stage.runs()

    assert done.code == 3
    assert [run["counts"] for run in runs] == [{"succeeded": 1}]


# 51: odd surroundings


@pytest.mark.parametrize(
    "odd",
    [{"HOME": None}, {"LC_ALL": "C", "LANG": "C"}, {"LC_ALL": "xx_YY.odd"}, {"TERM": None}, {"PATH": "/usr/bin:/bin"},
     {"XDG_RUNTIME_DIR": "/no/such"}, {"XDG_STATE_HOME": "relative"}, {"XDG_CACHE_HOME": "relative"}, {"PWD": "/no"}],
    ids=str,
)  # fmt: skip
def test_case_51_odd_variables_change_nothing(stage, odd):
    stage.own()
    stage.write(cell("bash t -d grün", "echo grün"))
    done = stage.spry("runbook", env=odd)

    assert (done.code, done.out.decode()) == (0, "grün\n"), done.err
    assert sorted(os.listdir(stage.folder)) == [".spry", "Spryfile.md"]


def test_case_51_a_temporary_folder_that_is_not_there_is_named(stage):
    stage.write(cell("bash t", "f() { echo here; }", "f"))
    done = stage.spry("task", "t", env={"TMPDIR": "/no/such/folder"})

    assert (done.code, done.out) == (3, b"")
    assert "/no/such/folder" in done.err


def test_case_51_where_nobody_knows_a_home_the_variable_is_named(stage):
    if not ROOT_USER:
        pytest.skip("only root can become a user that no list of users has")
    someone = ["setpriv", "--reuid", "54321", "--regid", "54321", "--clear-groups"]
    reach = [*someone, sys.executable, "-c", "import spry.cli.app"]
    if subprocess.run(reach, env=stage.env, capture_output=True, check=False).returncode:
        pytest.skip("nobody but root can start this Python")
    away = Path(f"/tmp/spry-stage-{os.getpid()}")  # below a folder that only root may enter, nobody else gets anywhere
    away.mkdir()
    away.chmod(0o777)
    (away / "Spryfile.md").write_text(cell("bash t", "echo here"))
    env = {"HOME": None, "TMPDIR": str(away), "XDG_RUNTIME_DIR": None}
    prelude = f'cd {away}; exec {shlex.join(someone)} "$@"'
    try:
        done = stage.spry("task", "t", "--yes", prelude=prelude, env=env)
        without = stage.spry("task", "t", "--yes", "--no-history", prelude=prelude, env=env)
        left = sorted(os.listdir(away))
    finally:
        (away / "Spryfile.md").unlink()
        away.rmdir()

    assert done.code == 3
    assert "HOME" in done.err
    assert without[:2] == (0, b"here\n")
    assert left == ["Spryfile.md"]


def test_case_51_a_current_folder_that_is_gone_is_named(stage):
    stage.write(cell("bash t", "echo here"))
    done = stage.spry("task", "t", prelude="mkdir gone; cd gone; rmdir ../gone")

    assert done.code == 3
    assert "current folder" in done.err


# 52, 53: what the caller's environment may and may not do


@pytest.mark.parametrize("language", ["bash", "sh"])
def test_case_52_what_makes_a_shell_run_something_else_is_not_passed_on(stage, language):
    trap = stage.folder / "trap"
    trap.write_text("touch trapped\n")
    stage.write(cell(f"{language} t", "env", "set -x", "echo"))
    odd = {
        "BASH_ENV": str(trap), "ENV": str(trap), "SHELLOPTS": "xtrace:noexec", "BASHOPTS": "extdebug",
        "BASH_FUNC_echo%%": "() { touch trapped; }", "PS4": "$(touch trapped)", "BASH_XTRACEFD": "1",
    }  # fmt: skip
    done = stage.spry("task", "t", env=odd)

    assert done.code == 0
    assert not (stage.folder / "trapped").exists()
    assert not any(f"{name}=" in done.out.decode() for name in odd)


def test_case_53_what_belongs_to_the_user_is_passed_on_and_env_i_keeps_it_away(stage):
    own = {"LD_LIBRARY_PATH": "/opt/lib", "PYTHONDONTWRITEBYTECODE": "1", "GIT_AUTHOR_NAME": "Ada", "EDITOR": "ed"}
    stage.write(cell("bash t", *(f'echo "{name}=${{{name}-}}"' for name in own)))
    done = stage.spry("task", "t", env=own)
    clean = stage.spry(
        "task", "t", env=own, prelude=f'exec env -i PATH="$PATH" PYTHONPATH={ROOT} HOME={stage.home} "$@"'
    )

    assert done.out.decode() == "".join(f"{name}={value}\n" for name, value in own.items())
    assert clean.out.decode() == "".join(f"{name}=\n" for name in own)


# 54: a long script


def test_case_54_a_script_of_any_length_runs(stage):
    stage.write(cell("bash long", "x=1", *(f": {'x' * 100} {number}" for number in range(3000)), "echo end $x"))
    done = stage.spry("task", "long")

    assert (stage.folder / "Spryfile.md").stat().st_size > 300_000
    assert (done.code, done.out) == (0, b"end 1\n")


# 55: the clock

CLOCK = """
import os, sys, time
def back(real, unit):
    return lambda: real() - 7200 * unit * os.path.exists("back")
time.time, time.time_ns = back(time.time, 1), back(time.time_ns, 10**9)
from spry.cli.main import main
main()
"""


def with_clock(stage: Stage, *argv: str):
    """Run a command for which the time of day is two hours earlier as soon as there is a file `back`."""
    prelude = f'shift 3; exec {sys.executable} -c {shlex.quote(CLOCK)} "$@"'
    return stage.spry(*argv, prelude=prelude)


def test_case_55_a_clock_that_goes_back_changes_no_duration_and_no_timeout(stage):
    stage.write(
        cell("bash a", "touch back", "sleep 0.2"), cell("bash b --dep a --timeout 0.3s --retry 2@0.1", "exec sleep 30")
    )
    done = with_clock(stage, "runbook", "--json")
    moments = [event["at"] for event in done.events]
    seconds = {event["task"]: event["duration"] for event in done.events if event["event"] == "task_finished"}

    assert done.code == 124
    assert moments == sorted(moments)
    assert 0.2 <= seconds["a"] < 20
    assert 0.3 <= seconds["b"] < 20


def test_case_55_a_run_after_the_clock_went_back_is_still_the_latest(stage):
    stage.write(cell("bash a", "touch back", "test -e mended"))
    failed = with_clock(stage, "runbook")
    (stage.folder / "mended").touch()
    good = with_clock(stage, "runbook")
    runs = stage.runs()
    nothing = with_clock(stage, "resume")

    assert (failed.code, good.code) == (1, 0)
    assert [run["status"] for run in runs] == ["completed", "failed"]
    assert "nothing to resume" in nothing.err


# 56: many at once


@pytest.mark.stress
def test_case_56_more_than_a_thousand_tasks_run_at_once(stage):
    most = 1100
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < 4 * most:
        pytest.skip("this user may not open descriptors for so many")
    os.mkfifo(stage.folder / "gate")
    last = f"until (( $(wc -c < started) >= {most} )); do read -rt 0.05 <> quiet || true; done; : > gate"
    os.mkfifo(stage.folder / "quiet")
    (stage.folder / "started").touch()
    stage.write(*tasks(most, "printf . >> started; read -r < gate || true"), cell("bash last", last))
    done = stage.spry("runbook", "-q", "-j", str(most + 1), prelude=f"ulimit -n {4 * most}")

    assert done.code == 0, done.err
    assert counts(stage) == {"succeeded": most + 1}


# 57: a caller that ignores the end of its children


def test_case_57_a_caller_that_ignores_its_children_costs_no_exit_code(stage):
    stage.write(cell("bash bad", "exit 7"), cell("bash good", "(exit 3) || echo $?"))
    done = stage.spry("runbook", "--json", prelude="trap '' CHLD")
    codes = {event["task"]: event["exit_code"] for event in done.events if event["event"] == "task_finished"}

    assert done.code == 1
    assert codes == {"bad": 7, "good": 0}
    assert "3\n" in [event.get("text") for event in done.events]


# 58: memory


def test_case_58_a_task_over_its_memory_is_stopped_and_the_reason_is_named(stage):
    pytest.importorskip("psutil")
    hog = "x = bytearray(400 << 20)\nimport time; time.sleep(60)"
    stage.write(cell("python hog --limit memory=100M", hog))
    done = stage.spry("task", "hog", "--json")
    end = next(event for event in done.events if event["event"] == "task_finished")

    assert done.code == 1
    assert (end["outcome"], end["reason"]) == ("failed", "limit")
    assert "memory" in json.dumps(end)


def test_case_58_a_limit_of_the_callers_shell_is_the_tasks_own_failure(stage):
    stage.write(cell("python hog --tag big", "x = bytearray(4 << 30)"), cell("bash good", "echo here"))
    done = stage.spry("runbook", prelude="ulimit -v 2000000")

    assert done.code == 1
    assert "MemoryError" in done.err
    assert "here" in done.out.decode()
