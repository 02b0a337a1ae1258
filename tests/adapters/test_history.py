"""The history on a real disk: who may read it, what it does when it cannot be written, and what a crash leaves."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing

import pytest

from spry.core.events import Outcome, RunFinished, RunStarted, TaskFinished, TaskOutput, TaskStarted
from spry.errors import HostError, UsageError
from spry.store import database, journal
from spry.store.archive import Archive
from spry.store.history import Beginning, History, Left, durations, work_of
from spry.store.lock import alive, claimed

RUN = "1795238277859122139"
LATER = "1795238277859122140"


def history(folder, run=RUN, warn=print, resumed=""):
    request = {"files": ["/a/Spryfile.md"], "selection": {"tasks": []}}
    connection = database.connect(str(folder), create=True)
    return History(str(folder), connection, Beginning(run, request, "/a", ["abc"], resumed), lambda _: Left(), warn)


def archive(folder):
    return closing(Archive(str(folder), database.connect(str(folder))))


def live(listener, run=RUN, code=0, at=10.0, *, end=True):
    """A run of one task."""
    listener(RunStarted(at, run, ("build",), 1))
    work(listener, run, code, at, end=end)


def work(listener, run=RUN, code=0, at=10.0, *, end=True):
    """What comes after its start."""
    outcome = Outcome.FAILED if code else Outcome.SUCCEEDED
    listener(TaskStarted(at, run, "build", 1))
    listener(TaskOutput(at, run, "build", 1, "stdout", b"one\x00\xff\n"))
    if end:
        listener(TaskFinished(at + 2, run, "build", 1, outcome, None, code, None, 2.0))
        listener(RunFinished(at + 2, run, code == 0, {outcome.value: 1}, 2.0, code))
        listener.close()


def test_files_and_folders_are_private(tmp_path):
    live(history(tmp_path / "state"))

    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "state").rglob("*") if path.is_file()}
    folders = [tmp_path / "state", *(path for path in (tmp_path / "state").rglob("*") if path.is_dir())]
    assert modes == {0o600}
    assert {path.stat().st_mode & 0o777 for path in folders} == {0o700}


def test_output_comes_back_byte_for_byte(tmp_path):
    live(history(tmp_path))

    with archive(tmp_path) as found, closing(found.log(RUN)) as log:
        assert [data for piece in log.pieces() for data in log.data(piece)] == [b"one\x00\xff\n"]


def test_a_run_whose_process_died_is_lost_and_so_is_the_attempt_it_left(tmp_path):
    listener = history(tmp_path)
    live(listener, end=False)
    listener.close()
    swept = []

    with archive(tmp_path) as found:
        assert found.mark_lost(swept.append) == [RUN] == swept
        assert found.run(RUN).state == "lost"
        assert [(one.outcome, one.reason) for one in found.tasks(RUN)] == [("failed", "lost")]
        assert found.mark_lost(swept.append) == []


def test_a_run_under_way_is_not_lost(tmp_path):
    listener = history(tmp_path)
    live(listener, end=False)

    with archive(tmp_path) as found:
        assert found.mark_lost(print) == []
    assert alive(str(tmp_path), RUN)
    listener.close()
    assert not alive(str(tmp_path), RUN)


def test_two_runs_never_share_an_id(tmp_path):
    claims = [claimed(str(tmp_path), 7) for _ in range(3)]
    for _, lock in claims:
        os.close(lock)

    assert [run for run, _ in claims] == ["7", "8", "9"]
    assert claimed(str(tmp_path), 7)[0] == "10"


def test_what_was_made_good_later_is_not_the_last_unsuccessful_run(tmp_path):
    live(history(tmp_path), code=1)

    with archive(tmp_path) as found:
        assert found.last_unsuccessful().run == RUN
    live(history(tmp_path, LATER), LATER)
    with archive(tmp_path) as found:
        assert found.last_unsuccessful() is None


def test_tidying_keeps_what_can_be_resumed(tmp_path):
    live(history(tmp_path, RUN), RUN)
    live(history(tmp_path, LATER), LATER, code=1)

    with archive(tmp_path) as found:
        assert found.tidy(1e9) == [RUN]
        assert [run.run for run in found.runs()] == [LATER]
    assert os.listdir(tmp_path / "runs") == [LATER]


def test_the_usual_time_of_a_task_is_known_after_a_run(tmp_path):
    listener = history(tmp_path)
    same = work_of({"files": ["/a/Spryfile.md"], "selection": {"tasks": []}})
    live(listener)

    with closing(database.connect(str(tmp_path))) as connection:
        assert durations(connection, same) == {"build": 2.0}


@pytest.mark.parametrize("end", ["22139", RUN])
def test_an_id_may_be_shortened_to_its_end(tmp_path, end):
    live(history(tmp_path))

    with archive(tmp_path) as found:
        assert found.run(end).run == RUN


@pytest.mark.parametrize("end", ["22138", "build", "%"])
def test_an_id_that_nothing_has_is_refused(tmp_path, end):
    live(history(tmp_path))

    with archive(tmp_path) as found, pytest.raises(UsageError):
        found.run(end)


def test_a_newer_database_is_refused_and_left_alone(tmp_path):
    live(history(tmp_path))
    with closing(sqlite3.connect(tmp_path / database.NAME)) as connection:
        connection.execute("PRAGMA user_version=99")

    with pytest.raises(HostError, match=f"format 99, this spry knows {database.VERSION}"):
        database.connect(str(tmp_path))
    with closing(sqlite3.connect(tmp_path / database.NAME)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (99,)


def test_a_damaged_database_is_named_and_kept(tmp_path):
    (tmp_path / database.NAME).write_bytes(b"this is no database" * 100)

    with pytest.raises(HostError, match="damaged") as caught:
        database.connect(str(tmp_path))
    assert "mv " in caught.value.hint
    assert (tmp_path / database.NAME).read_bytes().startswith(b"this is no")


def test_a_run_that_finds_the_database_locked_at_its_end_says_so_and_is_brought_in_by_the_next(tmp_path, monkeypatch):
    monkeypatch.setattr(database, "PATIENCE", 0.05)
    said = []
    listener = history(tmp_path, warn=said.append)
    listener(RunStarted(1.0, RUN, ("build",), 1))
    with closing(sqlite3.connect(tmp_path / database.NAME, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        work(listener, code=4)

    assert len(said) == 1
    assert "locked" in said[0]
    assert not listener.incomplete
    with archive(tmp_path) as found:
        assert found.mark_lost(print) == [RUN]
        assert found.run(RUN).state == "finished"
        assert found.run(RUN).exit_code == 4
        assert [task.outcome for task in found.tasks(RUN)] == ["failed"]


def test_a_run_that_finds_the_database_locked_at_its_start_goes_on_without_history(tmp_path, monkeypatch):
    monkeypatch.setattr(database, "PATIENCE", 0.05)
    said = []
    listener = history(tmp_path, warn=said.append)
    with closing(sqlite3.connect(tmp_path / database.NAME, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        live(listener)

    assert len(said) == 1
    assert "without history" in said[0]


def test_whoever_asks_sees_what_a_run_under_way_has_done_so_far(tmp_path):
    listener = history(tmp_path)
    live(listener, end=False)

    with archive(tmp_path) as found:
        assert [type(event) for event in found.events(RUN)] == [RunStarted, TaskStarted]
    listener.close()


def test_a_long_run_is_whole_however_it_came_into_the_database(tmp_path):
    listener = history(tmp_path)
    names = tuple(f"task{number}" for number in range(700))
    events = [RunStarted(1.0, RUN, names, 1)]
    for name in names:
        events += [
            TaskStarted(1.0, RUN, name, 1),
            TaskFinished(1.0, RUN, name, 1, Outcome.SUCCEEDED, None, 0, None, 0.0),
        ]
    for event in events[:900]:
        listener(event)
    with archive(tmp_path) as found:
        halfway = list(found.events(RUN))
    for event in events[900:]:
        listener(event)
    listener.close()

    with archive(tmp_path) as found:
        assert halfway == events[:900]
        assert list(found.events(RUN)) == events


def test_a_journal_that_was_cut_off_or_damaged_counts_up_to_there(tmp_path):
    listener = history(tmp_path)
    live(listener, end=False)
    listener(TaskFinished(12.0, RUN, "build", 1, Outcome.SUCCEEDED, None, 0, None, 2.0))
    listener.close()
    path = tmp_path / "runs" / RUN / journal.NAME
    path.write_bytes(path.read_bytes()[:-1])

    with archive(tmp_path) as found:
        assert [type(event) for event in found.events(RUN)] == [RunStarted, TaskStarted]


def test_a_journal_without_room_is_told_once_and_the_run_is_remembered_at_its_end(tmp_path):
    said = []
    full = tmp_path / "runs" / RUN / journal.NAME
    listener = history(tmp_path, warn=said.append)
    listener._ledger._journal._descriptor = os.open("/dev/full", os.O_WRONLY)
    live(listener)

    assert len(said) == 1
    assert "No space left" in said[0]
    assert not full.exists()
    with archive(tmp_path) as found:
        assert [task.outcome for task in found.tasks(RUN)] == ["succeeded"]


def test_output_that_cannot_be_written_is_told_once_and_makes_the_record_incomplete(tmp_path):
    said = []
    listener = history(tmp_path, warn=said.append)
    (tmp_path / "runs" / RUN / "output").symlink_to("/dev/full")
    live(listener)

    assert listener.incomplete
    assert len(said) == 1


@pytest.mark.skipif(database.SAFE, reason="this SQLite checkpoints safely by itself")
def test_nobody_checkpoints_unasked_where_sqlite_is_too_old_for_it(tmp_path):
    with closing(database.connect(str(tmp_path), create=True)) as connection:
        assert connection.execute("PRAGMA wal_autocheckpoint").fetchone() == (0,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


MOUNTS = "36 35 98:0 /m1 /m2 rw,noatime master:1 - {kind} /dev/root rw,errors=continue\n"


@pytest.mark.parametrize(
    ("kind", "is_remote"),
    [("nfs4", True), ("cifs", True), ("fuse.sshfs", True), ("9p", True), ("ext4", False), ("tmpfs", False)],
)
def test_network_file_systems_are_known_by_their_mounts(kind, is_remote):
    assert database.remote(MOUNTS.format(kind=kind), os.makedev(98, 0)) is is_remote
    assert not database.remote(MOUNTS.format(kind=kind), os.makedev(98, 1))
