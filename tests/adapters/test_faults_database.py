"""Faults of the history, cases 59 to 66 of the catalogue: many at once, killed, damaged, newer, far away."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from shapes import runner
from stage import PATIENCE, ROOT, Stage, cell

from spry.core.events import Outcome, RunFinished, RunStarted, TaskFinished, TaskStarted
from spry.store import database
from spry.store.archive import Archive
from spry.store.history import Beginning, History, Left

RUN = "1795238277859122139"
WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE", "CREATE")


@pytest.fixture
def stage(tmp_path, forks):
    return Stage(tmp_path, forks)


@pytest.fixture
def ran(stage):
    """A stage with one run in a history of its own."""
    stage.own()
    stage.write(cell("bash t", "echo here", "touch ran"))
    assert stage.spry("task", "t").code == 0
    (stage.folder / "ran").unlink()
    return stage


def whole(path: Path) -> bool:
    """Whether SQLite finds nothing wrong with a database."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def live(folder: Path, run: str, names: tuple[str, ...], trace=None) -> None:
    """A run as the engine tells it, straight into the history."""
    connection = database.connect(str(folder), create=True)
    if trace is not None:
        connection.set_trace_callback(trace)
    listener = History(str(folder), connection, Beginning(run, {}, "/a"), lambda _: Left(), print)
    listener(RunStarted(1.0, run, names, 1))
    for name in names:
        listener(TaskStarted(1.0, run, name, 1))
        listener(TaskFinished(2.0, run, name, 1, Outcome.SUCCEEDED, None, 0, None, 1.0))
    listener(RunFinished(2.0, run, True, {"succeeded": len(names)}, 1.0, 0))
    listener.close()


# 59, 60: many at once


@pytest.mark.parametrize("many", [2, 6])
def test_case_59_runs_at_once_in_one_folder_are_all_whole(stage, many):
    stage.own()
    stage.write(*(cell(f"bash t{number}", 'echo "$SPRY_RUN_ID"') for number in range(20)))
    processes = [stage.start("runbook", "--output", "raw") for _ in range(many)]
    told = [process.communicate(timeout=PATIENCE) for process in processes]
    runs = stage.runs()
    logs = {run["run"]: stage.look("logs", run["run"]).out for run in runs}

    assert [process.returncode for process in processes] == [0] * many
    assert not any(b"spry:" in err for _, err in told)
    assert [(run["status"], run["counts"]) for run in runs] == [("completed", {"succeeded": 20})] * many
    assert logs == {run: f"{run}\n".encode() * 20 for run in logs}
    assert len(logs) == many


AT_WORK = """
import sys
sys.path[:0] = [{tests!r}]
from pathlib import Path
from test_faults_database import live
for number in range(3):
    live(Path(sys.argv[1]), str(int(sys.argv[2]) * 1000 + number + 1), tuple(f"t{{n}}" for n in range(400)))
"""


@pytest.mark.stress
def test_case_60_eight_that_write_without_pause_never_find_it_locked(stage):
    program = AT_WORK.format(tests=str(Path(__file__).parent))
    paths = os.pathsep.join((str(ROOT), *(str(ROOT / "tests" / name) for name in ("adapters", "cli"))))
    env = stage.env | {"PYTHONPATH": paths}
    argv = [sys.executable, "-c", program, str(stage.folder / "state")]
    processes = [
        subprocess.Popen([*argv, str(number)], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for number in range(8)
    ]
    told = [process.communicate(timeout=PATIENCE)[0] for process in processes]

    assert told == [b""] * 8
    with closing(sqlite3.connect(stage.folder / "state" / "spry.db")) as connection:
        assert connection.execute("SELECT count(*) FROM runs WHERE state = 'finished'").fetchone() == (24,)
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (24 * 802,)


def test_case_60_every_transaction_says_at_its_start_that_it_will_write(tmp_path):
    said = []
    live(tmp_path, RUN, tuple(f"t{number}" for number in range(600)), said.append)
    with closing(Archive(str(tmp_path), database.connect(str(tmp_path)))) as found:
        found._connection.set_trace_callback(said.append)
        found.mark_lost(print)
        found.tidy(1e12)
    begun = [line for line in said if line.startswith("BEGIN")]
    outside, inside = [], False
    for line in said:
        inside = line.startswith("BEGIN") or (inside and line not in ("COMMIT", "ROLLBACK"))
        if line.startswith(WRITES) and not inside:
            outside.append(line)

    assert len(begun) > 3
    assert set(begun) == {"BEGIN IMMEDIATE"}
    assert outside == []


# 61: killed while it writes


@pytest.mark.parametrize("after", [1, 7, 20, 33])
def test_case_61_what_was_shown_before_a_kill_is_remembered(stage, after):
    own = stage.own()
    stage.write(cell("bash waits", "sleep 600"), *(cell(f"bash t{number}", f"echo {number}") for number in range(40)))
    process = stage.start("runbook", "--json", "-j", "4")
    victim = runner(stage, process.pid)
    told = []
    for line in process.stdout:
        told.append(json.loads(line))
        finished = [event for event in told if event["event"] == "task_finished"]
        if finished[after - 1 :] == [told[-1]]:
            os.kill(victim, signal.SIGKILL)
    process.communicate()
    shown = {event["task"] for event in told if event["event"] == "task_finished"}
    said = {event["task"]: event["text"].encode() for event in told if event["event"] == "task_output"}
    run = stage.runs()[0]
    tasks = stage.look("status", run["run"], "--json").json["tasks"]

    assert run["status"] == "lost"
    assert shown <= {task["task"] for task in tasks if task["outcome"] == "succeeded"}
    assert all(stage.log(task) == text for task, text in list(said.items())[-3:])
    assert whole(own / "spry.db")


# 62: no database


def garbage(path: Path) -> None:
    path.write_bytes(b"this is no database\n" * 1000)


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def torn(path: Path) -> None:
    """Its first page is sound, and nothing else."""
    data = path.read_bytes()
    path.write_bytes(data[:4096] + b"\xa5" * (len(data) - 4096))


def zeros(path: Path) -> None:
    path.write_bytes(bytes(100))


@pytest.mark.parametrize("harm", [garbage, cut_off, torn, zeros])
def test_case_62_a_damaged_database_is_named_kept_and_stops_no_run(ran, harm):
    path = ran.folder / ".spry" / "spry.db"
    harm(path)
    before = path.read_bytes()
    done = ran.spry("task", "t")
    looked = ran.spry("runs")

    assert (done.code, done.out) == (0, b"here\n")
    assert [str(path) in line for line in done.lines if "goes on without history" in line] == [True]
    assert "Traceback" not in done.err + looked.err
    assert looked.code == 3
    assert f"mv {path} {path}.damaged" in looked.err
    assert path.read_bytes() == before


def test_case_62_the_advice_that_is_given_helps(ran):
    path = ran.folder / ".spry" / "spry.db"
    garbage(path)
    advice = next(line for line in ran.spry("runs").lines if "mv " in line)
    subprocess.run(["bash", "-c", advice[advice.index("mv ") :]], check=True)

    assert ran.spry("task", "t").code == 0
    assert len(ran.runs()) == 1


def test_case_62_a_folder_in_its_place_is_named(stage):
    stage.write(cell("bash t", "touch ran"))
    (stage.own() / "spry.db").mkdir()
    done = stage.spry("task", "t")

    assert done.code == 3
    assert "spry.db" in done.lines[0]
    assert "Traceback" not in done.err
    assert not (stage.folder / "ran").exists()


# Locked


@pytest.mark.stress
def test_case_60_a_database_that_another_program_keeps_locked_is_named_and_stops_no_run(ran):
    path = ran.folder / ".spry" / "spry.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        done = ran.spry("task", "t")
        other.execute("ROLLBACK")

    assert (done.code, done.out) == (0, b"here\n")
    assert [str(path) in line for line in done.lines if "goes on without history" in line] == [True]
    assert len(ran.runs()) == 1


@pytest.mark.stress
def test_case_60_a_lock_that_is_never_given_back_hangs_nobody(ran):
    lock = ran.folder / ".spry" / "spry.lock"
    with subprocess.Popen(["flock", str(lock), "sleep", "60"], start_new_session=True) as holder:
        while subprocess.run(["flock", "-n", str(lock), "true"], check=False).returncode == 0:
            pass
        done = ran.spry("task", "t")
        os.killpg(holder.pid, signal.SIGKILL)

    assert (done.code, done.out) == (0, b"here\n")
    assert "locked" in done.err


# 63: far away

MOUNT = "36 35 0:52 / /far rw,noatime shared:1 - {kind} server:/share rw\n25 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
FAR = (
    "nfs",
    "nfs4",
    "cifs",
    "smb2",
    "smb3",
    "fuse",
    "fuse.sshfs",
    "fuse.glusterfs",
    "9p",
    "lustre",
    "gpfs",
    "ceph",
    "afs",
)
NEAR = ("ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "f2fs", "fuseblk", "virtiofs")


@pytest.mark.parametrize(("kind", "far"), [*((kind, True) for kind in FAR), *((kind, False) for kind in NEAR)])
def test_case_63_a_file_system_across_a_network_is_known_by_its_kind(kind, far):
    assert database.remote(MOUNT.format(kind=kind), os.makedev(0, 52)) is far
    assert not database.remote(MOUNT.format(kind=kind), os.makedev(8, 1))


def test_case_63_with_the_rollback_journal_everything_works(tmp_path):
    with closing(database.connect(str(tmp_path), create=True)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
    live(tmp_path, RUN, ("a", "b"))

    with closing(Archive(str(tmp_path), database.connect(str(tmp_path)))) as found:
        assert found._connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert [task.outcome for task in found.tasks(RUN)] == ["succeeded"] * 2


# 64: one who empties the log


@pytest.mark.skipif(database.SAFE, reason="this SQLite may checkpoint as it likes")
def test_case_64_where_sqlite_is_too_old_only_who_holds_the_lock_moves_the_log(tmp_path):
    import fcntl

    rows = ((RUN, number) for number in range(5000))
    with closing(database.connect(str(tmp_path), create=True)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO events (run, number, event, at) VALUES (?, ?, '', 0)", rows)
        connection.execute("COMMIT")
        small = (tmp_path / "spry.db").stat().st_size
        with open(tmp_path / "spry.lock", "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            database.checkpoint(connection, str(tmp_path))
        held = (tmp_path / "spry.db").stat().st_size
        database.checkpoint(connection, str(tmp_path))
        free = (tmp_path / "spry.db").stat().st_size

        assert connection.execute("PRAGMA wal_autocheckpoint").fetchone() == (0,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert small == held < free


# 65: written by a newer spry


def test_case_65_a_newer_database_is_named_never_written_and_stops_no_run(ran):
    path = ran.folder / ".spry" / "spry.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version={database.VERSION + 1}")
    before = path.read_bytes()
    done = ran.spry("task", "t")
    looked = ran.spry("runs")

    assert (done.code, done.out) == (0, b"here\n")
    assert "goes on without history" in done.err
    assert f"it has format {database.VERSION + 1}, this spry knows {database.VERSION}" in looked.lines[0]
    assert looked.code == 3
    assert path.read_bytes() == before


# 66: what a commit costs


def test_case_66_only_the_end_of_a_run_waits_for_the_disk_and_few_transactions_are_made(tmp_path):
    said = []
    live(tmp_path, RUN, tuple(f"t{number}" for number in range(600)), said.append)
    level, commits = "NORMAL", []
    for line in said:
        level = line.rpartition("=")[2] if line.startswith("PRAGMA synchronous=") else level
        if line == "COMMIT":
            commits.append(level)

    with closing(database.connect(str(tmp_path))) as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (1,)
    assert set(commits[:-1]) == {"NORMAL"}
    assert commits[-1] == "FULL"
    assert len(commits) < 10
