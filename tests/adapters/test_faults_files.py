"""What becomes of files that tasks save: spry killed in the middle, and trees that mean harm."""

from __future__ import annotations

import hashlib
import os
import random
import select
import subprocess
import sys
import time

import pytest
from stage import ROOT, Stage, cell
from trees import Shelf, described, make

from spry.artifacts import holds
from spry.artifacts.restoring import Owned, remove, restore
from spry.artifacts.snapshots import FILE, FOLDER, LINK, Entry, load, snapshot
from spry.errors import SpryError

SAVE = """
from spry.artifacts import holds, saving, snapshots
from spry.artifacts.blobs import Blobs
from spry.core.saving import parse
store, tree = sys.argv[1:]
blobs = Blobs(store)
begin()
with blobs.adding():
    found = saving.save(blobs, tree, [parse("**")])
    holds.hold(store, "7", holds.Hold("task", snapshots.recorded(found, blobs)))
"""
RESTORE = """
from spry.artifacts import holds, restoring, snapshots
from spry.artifacts.blobs import Blobs
store, out = sys.argv[1:]
blobs = Blobs(store)
found = snapshots.load(holds.held(store, "7")["task"].record, blobs)
begin()
restoring.restore(blobs, [restoring.Owned("task", found)], out)
"""
PRELUDE = "import sys\ndef begin(): print('begun', flush=True)\n"


def killed(script, *args, after=None):
    """Run a script and kill it so many seconds after it has begun; the seconds it took if it is left alone."""
    argv = [sys.executable, "-c", PRELUDE + script, *map(str, args)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, env={"PYTHONPATH": str(ROOT)}) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        begun = time.monotonic()
        if after is not None:
            select.select([], [], [], after)  # the moment is what is staged: nothing is waited for
            process.kill()
    assert process.returncode in ((0,) if after is None else (0, -9))
    return time.monotonic() - begun


@pytest.fixture
def tree(tmp_path):
    root = make(tmp_path / "tree", **{f"d{number % 7}__f{number}": f"{number}" * 500 for number in range(400)})
    (root / "big").write_bytes(os.urandom(1000) * 12_000)
    return root


def sound(shelf):
    """Whether every blob in the store is what its name says."""
    files = shelf.blob_files()
    names = [path.parent.name + path.name for path in files]
    return names == [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]


def test_a_save_that_is_killed_leaves_the_store_whole_and_refers_to_all_or_nothing(tmp_path, tree):
    shelf, store = Shelf(tmp_path), tmp_path / "store"
    seconds = killed(SAVE, tmp_path / "other", tree)
    for number in range(8):
        killed(SAVE, store, tree, after=seconds * (number + random.random()) / 8)
        assert sound(shelf)
        for one in holds.held(str(store), "7").values():
            shelf.saved = [Owned("task", load(one.record, shelf.blobs))]
            assert described(shelf.restore(f"out{number}")) == described(tree)
    killed(SAVE, store, tree)
    holds.sweep(str(store), lambda owner, one: True)

    assert [*(store / "parts").iterdir()] == []
    shelf.saved = [Owned("task", load(holds.held(str(store), "7")["task"].record, shelf.blobs))]
    assert described(shelf.restore()) == described(tree)


def test_a_restore_that_is_killed_leaves_its_destination_whole_or_absent(tmp_path, tree):
    store, out = tmp_path / "store", tmp_path / "out"
    killed(SAVE, store, tree)
    seconds = killed(RESTORE, store, tmp_path / "first")
    absent = 0
    for number in range(8):
        killed(RESTORE, store, out / str(number), after=seconds * (number + random.random()) / 8)
        if (out / str(number)).exists():
            assert described(out / str(number)) == described(tree)
        else:
            absent += 1

    assert absent


@pytest.mark.stress
def test_a_run_that_is_killed_while_it_saves_and_restores_is_resumed_to_the_same_files(tmp_path, forks):
    stage = Stage(tmp_path, forks)
    own = stage.own()
    script = ("for i in {1..300}; do echo $i > f$i; done", "head -c 9M /dev/zero > z")
    stage.write(
        cell("bash make --isolated --save '**'", *script),
        cell("bash use --dep make --restore --save '**:copy'", "ls | wc -l"),
        cell("bash last --dep use --restore", "ls copy | wc -l; cat f299 copy/f300; stat -c %s z copy/z"),
    )
    begun = time.monotonic()
    whole = stage.spry("runbook")
    seconds = time.monotonic() - begun
    assert (whole.code, whole.out.split()) == (0, b"301 301 299 300 9437184 9437184".split())
    for number in range(6):
        process = stage.start("runbook")
        select.select([], [], [], seconds * (number + random.random()) / 6)
        process.kill()
        process.communicate()
        done = stage.spry("resume")
        assert done.code == 0, done.err
        assert [*(own / "artifacts" / "work").glob("*/*")] == []
        done = stage.spry("runbook")
        assert (done.code, done.out) == (0, whole.out)


# Trees that mean harm: what no save of ours writes down, and a damaged or forged record may hold

HARM = {
    "parent": [Entry(b"../x", FILE, 0o644, 0)],
    "absolute": [Entry(b"/tmp/x", FILE, 0o644, 0)],
    "parent in the middle": [Entry(b"a/../../x", FILE, 0o644, 0)],
    "the folder itself": [Entry(b".", FOLDER, 0o000, 0)],
    "an empty name": [Entry(b"a//x", FILE, 0o644, 0)],
    "NUL": [Entry(b"a\0b", FILE, 0o644, 0)],
    "a link out": [Entry(b"l", LINK, 0o777, 0, target=b"../../x")],
    "an absolute link": [Entry(b"l", LINK, 0o777, 0, target=b"/tmp")],
    "through a link": [Entry(b"l", LINK, 0o777, 0, target=b"d"), Entry(b"l/x", FILE, 0o644, 0)],
    "a chain of links": [
        Entry(b"a/b/c", LINK, 0o777, 0, target=b"../../d"),
        Entry(b"a/b/e", LINK, 0o777, 0, target=b"c/../../x"),
    ],
    "a folder over a link": [Entry(b"l", LINK, 0o777, 0, target=b"d"), Entry(b"l", FOLDER, 0o755, 0)],
    "a file twice": [Entry(b"x", FILE, 0o644, 0), Entry(b"x", FILE, 0o755, 0)],
    "a name that is too long": [Entry(b"n" * 300, FILE, 0o644, 0, digest=hashlib.sha256().hexdigest())],
}


@pytest.mark.parametrize("name", HARM)
def test_case_81_a_tree_that_means_harm_is_refused_and_nothing_is_written(tmp_path, name):
    shelf = Shelf(tmp_path / "place")
    blob = shelf.blobs.add_bytes(b"")
    entries = [one._replace(blob=blob, digest=blob) if one.kind == FILE else one for one in HARM[name]]

    with pytest.raises(SpryError):
        restore(shelf.blobs, [Owned("task", snapshot(entries))], str(tmp_path / "place" / "out"))
    assert [path.name for path in (tmp_path / "place").iterdir()] == ["store"]
    assert [path.name for path in tmp_path.iterdir()] == ["place"]


def test_case_81_a_file_is_never_set_user_id_and_no_special_file_is_made(tmp_path):
    shelf = Shelf(tmp_path)
    blob = shelf.blobs.add_bytes(b"")
    entries = [Entry(b"s", FILE, 0o6755, 0, digest=blob, blob=blob), Entry(b"d", FOLDER, 0o7777, 0)]
    restore(shelf.blobs, [Owned("task", snapshot(entries))], str(tmp_path / "out"))

    assert oct(os.stat(tmp_path / "out" / "s").st_mode) == oct(0o100755)
    assert oct(os.stat(tmp_path / "out" / "d").st_mode) == oct(0o040777)


def test_case_81_a_path_longer_than_any_call_takes_stays_inside(tmp_path):
    shelf = Shelf(tmp_path)
    blob = shelf.blobs.add_bytes(b"")
    path = b"/".join([b"n" * 200] * 40)
    restore(
        shelf.blobs,
        [Owned("task", snapshot([Entry(path, FILE, 0o644, 0, digest=blob, blob=blob)]))],
        str(tmp_path / "out"),
    )

    assert sorted(os.listdir(tmp_path)) == ["out", "store"]
    assert os.listdir(tmp_path / "out") == ["n" * 200]
    remove(str(tmp_path / "out"))
    assert os.listdir(tmp_path) == ["store"]
