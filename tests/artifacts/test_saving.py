"""A save and its restore: nothing is lost, nothing is added, nothing lies outside, and faults are named."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trees import Shelf, described, make, patterns

from examples import examples
from spry.artifacts import holds, memory, packing, saving
from spry.artifacts.blobs import Blobs
from spry.artifacts.filling import check_cases
from spry.artifacts.restoring import Owned
from spry.artifacts.snapshots import load, recorded, shown
from spry.errors import HostError, SpryError

NAME = st.binary(min_size=1, max_size=12).filter(lambda name: b"/" not in name and b"\0" not in name)
NAMES = NAME.filter(lambda name: name not in (b".", b"..")) | st.sampled_from(
    [b"a\nb", b"\xff\xfe", b" ", b"-rf", b"\xc3\xa9"]
)
CONTENT = st.binary(max_size=200) | st.integers(0, 3).map(lambda n: bytes([n]) * 70_000)
MODE = st.sampled_from([0o600, 0o644, 0o755, 0o400, 0o777])
TIME = st.integers(0, 2**33 * 10**9)
LEAF = st.tuples(st.just("file"), CONTENT, MODE, TIME) | st.tuples(st.just("link"), NAMES, MODE, TIME)


def folders(inner):
    return st.tuples(st.just("folder"), st.dictionaries(NAMES, inner, max_size=4), MODE, TIME)


TREE = st.recursive(LEAF, folders, max_leaves=12)


def grow(path: bytes, node: tuple) -> None:
    """Make what a strategy has drawn."""
    kind, content, mode, time = node
    if kind == "link":
        os.symlink(content, path)
        os.utime(path, ns=(time, time), follow_symlinks=False)
        return
    if kind == "file":
        Path(os.fsdecode(path)).write_bytes(content)
    else:
        os.mkdir(path)
        for name, inner in content.items():
            grow(os.path.join(path, name), inner)
        mode |= 0o500
    os.chmod(path, mode)
    os.utime(path, ns=(time, time))


@examples(40)
@given(st.dictionaries(NAMES, TREE, min_size=1, max_size=4))
def test_save_then_restore_is_the_identity_on_any_tree(tree):
    place = Path(tempfile.mkdtemp())
    try:
        (place / "tree").mkdir()
        for name, node in tree.items():
            grow(os.path.join(os.fsencode(place / "tree"), name), node)
        shelf = Shelf(place)
        record = recorded(shelf.save(place / "tree", "**"), shelf.blobs)
        assert load(record, shelf.blobs) == shelf.saved[0].snapshot

        assert described(shelf.restore()) == described(place / "tree")
    finally:
        shutil.rmtree(place)


@examples(40)
@given(st.lists(CONTENT | st.binary(max_size=3), min_size=1, max_size=12), st.sampled_from([1, 100, 70_000]))
def test_small_and_large_files_come_back_however_many_blobs_the_small_ones_fill(contents, full):
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        place = Path(name)
        patch.setattr(packing, "FULL", full)
        for number, content in enumerate(contents):
            make(place / "tree" / f"d{number % 2}")
            (place / "tree" / f"d{number % 2}" / f"f{number}").write_bytes(content)
        shelf = Shelf(place)
        first = shelf.save(place / "tree", "**")
        assert described(shelf.restore()) == described(place / "tree")
        patch.undo()

        assert shelf.save(place / "tree", "**").tree == first.tree


@pytest.mark.parametrize("count", [1, 4, 5])
def test_a_blob_of_small_files_that_cannot_be_written_fails_the_save(tmp_path, shelf, monkeypatch, count):
    monkeypatch.setattr(packing, "FULL", 1)
    root = make(tmp_path / "tree", **{f"f{number}": str(number) * 9 for number in range(count)})

    def full(*_: object) -> str:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Blobs, "add_bytes", full)

    with pytest.raises(HostError, match="No space left on device"):
        shelf.save(root, "**")
    assert not [thread for thread in threading.enumerate() if thread.name == "spry-pack"]


def test_a_save_that_fails_leaves_no_thread_that_still_writes(tmp_path, shelf, monkeypatch):
    monkeypatch.setattr(packing, "FULL", 1)
    root = make(tmp_path / "tree", a="1")
    os.mkfifo(root / "b")
    add, failed = Blobs.add_bytes, threading.Event()

    def slowly(blobs: Blobs, data: bytes) -> str:
        failed.wait(0.2)  # nobody sets it: the pipe is met meanwhile
        return add(blobs, data)

    monkeypatch.setattr(Blobs, "add_bytes", slowly)

    with pytest.raises(SpryError, match="'b' is a named pipe"):
        shelf.save(root, "**")
    assert not [thread for thread in threading.enumerate() if thread.name == "spry-pack"]


def test_a_small_file_that_changes_while_it_is_read_is_read_again_or_an_error_that_names_it(
    tmp_path, shelf, monkeypatch
):
    root = make(tmp_path / "tree", a="one")
    read, changes = packing.Packing.read, ["two of them", "three"]

    def changed(packer: packing.Packing, descriptor: int, size: int) -> memoryview:
        data = read(packer, descriptor, size)
        if changes:
            (root / "a").write_text(changes.pop(0))
        return data

    monkeypatch.setattr(packing.Packing, "read", changed)
    shelf.save(root, "a")
    assert described(shelf.restore())[b"a"][3] == b"three"

    changes += ["1", "22", "333", "4444"]
    with pytest.raises(SpryError, match="'a' changed while it was saved"):
        shelf.save(root, "a")


def test_a_tree_saved_on_two_machines_has_one_digest(tmp_path):
    """A14: neither times nor the order of the directory nor the store are part of it."""
    digests = []
    for number, names in enumerate((["a", "b", "c"], ["c", "a", "b"])):
        root = tmp_path / str(number)
        for name in names:
            make(root, **{f"d__{name}": name, name: "1"})
        os.utime(root / "a", (number, number))
        shelf = Shelf(tmp_path / f"place{number}")
        (tmp_path / f"place{number}").mkdir()
        digests.append(shelf.save(root, "**").tree)
    make(tmp_path / "0", a="2")

    assert digests[0] == digests[1] != Shelf(tmp_path).save(tmp_path / "0", "**").tree


def test_the_order_of_patterns_is_no_part_of_the_digest(tmp_path, shelf):
    root = make(tmp_path / "tree", a__b="1", **{"a.txt": "2"}, c="3")

    assert len({shelf.save(root, *order).tree for order in (("a/", "a.txt", "c"), ("c", "a/", "a.txt"), ("**",))}) == 1


def test_permissions_are_part_of_the_digest(tmp_path, shelf):
    root = make(tmp_path / "tree", a="1")
    first = shelf.save(root, "a").tree
    os.chmod(root / "a", 0o755)

    assert shelf.save(root, "a").tree != first


def test_who_a_program_runs_as_is_not_kept(tmp_path, shelf):
    root = make(tmp_path / "tree", a="1")
    os.chmod(root / "a", 0o6755)
    shelf.save(root, "a")

    assert os.stat(shelf.restore() / "a").st_mode & 0o7777 == 0o755


def test_the_restored_file_is_not_the_one_in_the_store(tmp_path, shelf):
    root = make(tmp_path / "tree", a="1", b="2" * 2_000_000)
    shelf.save(root, "**")
    out = shelf.restore()
    for name in ("a", "b"):
        with open(out / name, "r+b") as stream:
            stream.write(b"changed")

    assert described(shelf.restore("again")) == described(root)


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 1_048_576, 1_048_577, 20_000_000])
def test_a_file_of_any_size_comes_back(tmp_path, shelf, size):
    root = tmp_path / "tree"
    root.mkdir()
    (root / "a").write_bytes(os.urandom(size))
    shelf.save(root, "a")

    assert described(shelf.restore()) == described(root)


def test_holes_stay_holes(tmp_path, shelf):
    root = tmp_path / "tree"
    root.mkdir()
    with open(root / "a", "wb") as stream:
        stream.seek(10_000_000)
        stream.write(b"middle")
        stream.truncate(50_000_000)
    shelf.save(root, "a")
    out = shelf.restore() / "a"

    assert out.read_bytes() == (root / "a").read_bytes()
    assert out.stat().st_blocks * 512 < 5_000_000
    assert shelf.blob_files()[0].stat().st_blocks * 512 < 5_000_000


def test_the_same_content_is_kept_once(tmp_path, shelf):
    root = make(tmp_path / "tree", a="x" * 100_000, b="x" * 100_000, c="small", d="small")
    shelf.save(root, "**")
    before = {path: path.stat().st_ino for path in shelf.blob_files()}
    shelf.save(make(tmp_path / "other", a="x" * 100_000), "a")

    assert len(before) == 2
    assert {path: path.stat().st_ino for path in shelf.blob_files()} == before


# Hostile trees


@pytest.mark.parametrize(
    ("target", "others"),
    [
        ("/etc/passwd", {}),
        ("../outside", {}),
        ("sub/../../outside", {}),
        ("d/../../x", {"p/q/r/d": "../../../s"}),
    ],
)
def test_a_link_that_leaves_the_tree_is_an_error_that_names_it(tmp_path, shelf, target, others):
    root = make(tmp_path / "tree", s__t="1", p__q__r__f="1")
    for name, where in others.items():
        (root / name).symlink_to(where)
    link = root / ("p/q/r/evil" if others else "evil")
    link.symlink_to(target)

    with pytest.raises(SpryError, match=r"the link '.*evil' leads out of the tree"):
        shelf.save(root, "**")


def test_links_inside_the_tree_survive_also_those_that_lead_nowhere_or_in_circles(tmp_path, shelf):
    root = make(tmp_path / "tree", d__file="1")
    for name, target in {
        "to-file": "d/file",
        "to-folder": "d",
        "d/up": "../to-file",
        "gone": "nowhere",
        "loop": "loop",
    }.items():
        (root / name).symlink_to(target)
    shelf.save(root, "**")

    assert described(shelf.restore()) == described(root)


def test_a_loop_of_folders_by_links_is_walked_once(tmp_path, shelf):
    root = make(tmp_path / "tree", d__file="1")
    (root / "d" / "again").symlink_to("..")
    shelf.save(root, "**")

    assert shelf.names() == ["d/again", "d/file"]


@pytest.mark.parametrize("pattern", ["link/file", "link/**", "link/*"])
def test_a_pattern_does_not_reach_through_a_link(tmp_path, shelf, pattern):
    root = make(tmp_path / "tree", d__file="1")
    (root / "link").symlink_to("d")

    with pytest.raises(SpryError, match="'link' is no folder, or a link"):
        shelf.save(root, pattern)


def test_pipes_sockets_and_devices_are_errors_that_name_them(tmp_path, shelf, monkeypatch):
    root = make(tmp_path / "tree", a="1")
    os.mkfifo(root / "pipe")
    with pytest.raises(SpryError, match="'pipe' is a named pipe") as found:
        shelf.save(root, "**")
    assert found.value.hint == "add --save '!pipe'"
    shelf.save(root, "**", "!pipe")

    os.unlink(root / "pipe")
    monkeypatch.chdir(root)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as plug:
        plug.bind("plug")
        with pytest.raises(SpryError, match="'plug' is a socket"):
            shelf.save(root, "**")


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read everything")
def test_a_file_that_cannot_be_read_is_an_error_that_names_it(tmp_path, shelf):
    root = make(tmp_path / "tree", secret="1")
    os.chmod(root / "secret", 0)

    with pytest.raises(SpryError, match="'secret' cannot be read: Permission denied"):
        shelf.save(root, "**")


def test_a_file_that_changes_while_it_is_saved_is_an_error_that_names_it(tmp_path, shelf):
    root, size = tmp_path / "tree", 3_000_000
    root.mkdir()
    (root / "busy").write_bytes(b"x" * size)
    over = threading.Event()

    def write() -> None:
        while not over.is_set():
            with open(root / "busy", "ab") as stream:
                stream.write(b"y" * 50)
                stream.flush()
                os.ftruncate(stream.fileno(), size)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with pytest.raises(SpryError, match="'busy' changed while it was saved"):
            save_again_and_again(shelf, root)
    finally:
        over.set()
        writer.join()


def save_again_and_again(shelf, root):
    for _ in range(500):
        shelf.save(root, "busy")


def test_more_files_than_a_save_may_hold_are_an_error(tmp_path, shelf, monkeypatch):
    root = make(tmp_path / "tree", a="1", b="2", c="3")
    monkeypatch.setattr(saving, "MOST", 2)

    with pytest.raises(SpryError, match="more than 2 files in one save"):
        shelf.save(root, "**")


def test_a_file_of_a_terabyte_of_nothing_is_an_error(tmp_path, shelf):
    root = tmp_path / "tree"
    root.mkdir()
    with open(root / "bomb", "wb") as stream:
        stream.truncate((1 << 40) + 1)

    with pytest.raises(SpryError, match="more than 1 TiB in one save: 'bomb'"):
        shelf.save(root, "**")


def test_names_that_differ_in_capitals_or_accents_only_clash_where_disks_take_them_for_one():
    check_cases([b"a", b"b"])
    for one, other in ((b"lib/X", b"lib/x"), (b"\xc3\xa9", b"e\xcc\x81")):
        with pytest.raises(SpryError, match="are one name on this disk"):
            check_cases([one, other])


def test_case_85_the_longest_name_is_kept(tmp_path, shelf):
    root = make(tmp_path / "tree", **{"n" * 255: "1"})
    shelf.save(root, "**")

    assert shelf.names() == ["n" * 255]


# Conflicts


def test_the_same_path_of_two_tasks_is_a_conflict_also_with_the_same_content(tmp_path, shelf):
    root = make(tmp_path / "tree", x="1")
    shelf.save(root, "x:bin/x", owner="a")
    shelf.save(root, "x:bin/x", owner="b")

    with pytest.raises(SpryError, match=r"^artifact conflict: 'bin/x' saved by 'a' and 'b'$"):
        shelf.restore()
    assert sorted(os.listdir(tmp_path)) == ["store", "tree"]


@pytest.mark.parametrize("names", [("x", "x/y"), ("x/y", "x")])
def test_a_file_against_a_folder_is_a_conflict_either_way_round(tmp_path, shelf, names):
    root = make(tmp_path / "tree", f="1")
    for owner, name in zip("ab", names, strict=True):
        shelf.save(root, f"f:{name}", owner=owner)

    with pytest.raises(SpryError, match=r"^artifact conflict: 'x' saved as a file by '.' and as a folder by '.'$"):
        shelf.restore()


def test_a_link_in_place_of_a_folder_is_a_conflict_and_nothing_is_written_through_it(tmp_path, shelf):
    outside = make(tmp_path / "outside", keep="1")
    root = make(tmp_path / "tree", real__f="1")
    (root / "lib").symlink_to("real")
    shelf.save(root, "lib", owner="a")
    shelf.save(root, "real/f:lib/f", owner="b")

    with pytest.raises(SpryError, match="'lib' saved as a file by 'a' and as a folder by 'b'"):
        shelf.restore()
    assert os.listdir(outside) == ["keep"]


def test_links_of_two_tasks_that_lead_out_together_are_refused(tmp_path, shelf):
    one, other = tmp_path / "one", tmp_path / "other"
    for folder, name, target in ((one, "up", "s/../../x"), (other, "s", "../../t")):
        (folder / "p" / "q").mkdir(parents=True)
        (folder / "p" / "q" / name).symlink_to(target)
    shelf.save(one, "**", owner="a")
    shelf.save(other, "p/q/s", owner="b")

    with pytest.raises(SpryError, match="the link 'p/q/up' leads out of the tree"):
        shelf.restore()


def test_folders_may_be_shared_and_the_result_has_no_order(tmp_path, shelf):
    for owner, mode, time in (("a", 0o750, 1000), ("b", 0o705, 2000)):
        root = make(tmp_path / owner, **{f"out__{owner}": owner})
        os.chmod(root / "out", mode)
        os.utime(root / "out", (time, time))
        shelf.save(root, "out/", owner=owner)
    first = described(shelf.restore())
    shelf.saved.reverse()

    assert described(shelf.restore("again")) == first
    assert first[b"out"][1:3] == (0o755, 2000 * 10**9)


# The store


def test_a_folder_that_is_there_is_not_written_into(tmp_path, shelf):
    shelf.save(make(tmp_path / "tree", x="1"), "x")
    make(tmp_path / "out", mine="2")

    with pytest.raises(SpryError, match="is there already"):
        shelf.restore()
    assert os.listdir(tmp_path / "out") == ["mine"]
    assert sorted(os.listdir(tmp_path)) == ["out", "store", "tree"]


@pytest.mark.parametrize("size", [10, 100_000, 2_000_000])
@pytest.mark.parametrize("harm", ["flip", "cut", "remove"])
def test_a_damaged_blob_is_found_and_named_and_nothing_is_restored(tmp_path, shelf, size, harm):
    root = tmp_path / "tree"
    root.mkdir()
    (root / "x").write_bytes(b"x" * size)
    shelf.save(root, "x", owner="maker")
    (blob,) = shelf.blob_files()
    data = blob.read_bytes()
    os.chmod(blob, 0o600)
    if harm == "remove":
        blob.unlink()
    else:
        blob.write_bytes(b"y" + data[1:] if harm == "flip" else data[:-1])

    with pytest.raises(SpryError, match="'x', saved by 'maker', is not what it was"):
        shelf.restore()
    assert not (tmp_path / "out").exists()
    shelf.saved.clear()
    shelf.save(root, "x")
    assert described(shelf.restore()) == described(root)


def test_the_second_save_of_an_untouched_tree_reads_nothing(tmp_path, shelf, monkeypatch):
    monkeypatch.setattr(memory, "TICK", -1)  # as if the files had been written long ago
    root = make(tmp_path / "tree", a="1", b="2" * 100_000)
    memo = str(tmp_path / "store" / "memory" / "tree")
    first = shelf.save(root, "**", memo=memo)
    monkeypatch.setattr(saving, "READ", os.O_WRONLY | os.O_DIRECTORY)  # nobody can read anything

    assert shelf.save(root, "**", memo=memo) == first
    (root / "a").write_text("3")
    with pytest.raises(SpryError, match="'a' cannot be read"):
        shelf.save(root, "**", memo=memo)


def test_a_file_written_just_before_it_was_read_is_not_remembered(tmp_path, shelf):
    root = make(tmp_path / "tree", a="1")
    memo = str(tmp_path / "memo")
    shelf.save(root, "a", memo=memo)

    assert memory.recall(memo) == {}


def test_a_damaged_memory_is_no_memory(tmp_path):
    path = tmp_path / "memo"
    for data in (b"", b"spry memory 1\n", b"spry memory 1\nabcdXXXX", os.urandom(100)):
        path.write_bytes(data)
        assert memory.recall(str(path)) == {}


@pytest.mark.parametrize("size", [10, 2_000_000])
def test_a_blob_that_a_loss_of_power_has_cut_short_is_kept_anew_by_the_next_save(tmp_path, shelf, size):
    root = make(tmp_path / "tree", x="x" * size)
    shelf.save(root, "x")
    (blob,) = shelf.blob_files()
    os.chmod(blob, 0o600)
    os.truncate(blob, size // 2)
    shelf.saved.clear()
    shelf.save(root, "x")

    assert described(shelf.restore()) == described(root)


def test_a_sweep_drops_what_nobody_holds_and_half_written_parts(tmp_path, shelf):
    store = str(tmp_path / "store")
    kept = recorded(shelf.save(make(tmp_path / "a", x="1"), "x"), shelf.blobs)
    recorded(shelf.save(make(tmp_path / "b", x="2"), "x"), shelf.blobs)
    holds.hold(store, "7", holds.Hold("task", kept))
    (tmp_path / "store" / "parts" / "1-2-3").write_bytes(b"half")

    swept = holds.sweep(store, lambda owner, one: True)
    assert (swept.files, swept.size > 0) == (2, True)
    assert len(shelf.blob_files()) == 2
    assert holds.sweep(store, lambda owner, one: owner == "8").files == 2
    assert shelf.blob_files() == []
    assert holds.owners(store) == []


def test_a_sweep_keeps_the_blob_that_a_later_save_still_shares_with_one_that_is_gone(tmp_path, shelf, monkeypatch):
    monkeypatch.setattr(memory, "TICK", -1)  # as if the files had been written long ago
    store, memo = str(tmp_path / "store"), str(tmp_path / "store" / "memory" / "tree")
    root = make(tmp_path / "tree", a="1", b="2")
    first = recorded(shelf.save(root, "**", memo=memo), shelf.blobs)
    (root / "b").write_text("new")
    later = recorded(shelf.save(root, "**", memo=memo), shelf.blobs)
    assert load(first, shelf.blobs).blobs & load(later, shelf.blobs).blobs
    for owner, record in (("7", first), ("8", later)):
        holds.hold(store, owner, holds.Hold("task", record))
    shelf.saved.pop(0)

    holds.sweep(store, lambda owner, one: owner == "8")

    assert holds.owners(store) == ["8"]
    assert described(shelf.restore()) == described(root)


def test_a_line_that_a_dying_process_left_half_written_holds_nothing_and_spoils_nothing(tmp_path):
    store = str(tmp_path)
    holds.hold(store, "7", holds.Hold("a task", "0" * 64, 5.0))
    with open(tmp_path / "holds" / "7", "ab") as stream:
        stream.write(b"\n1111")
    holds.hold(store, "7", holds.Hold("other", "2" * 64))

    assert holds.held(store, "7") == {
        "a task": holds.Hold("a task", "0" * 64, 5.0),
        "other": holds.Hold("other", "2" * 64),
    }


def test_a_line_without_its_end_holds_nothing(tmp_path):
    store = str(tmp_path)
    holds.hold(store, "7", holds.Hold("test-all", "0" * 64))
    path = tmp_path / "holds" / "7"
    os.truncate(path, path.stat().st_size - len("-all\n"))

    assert holds.held(store, "7") == {}


def test_eight_tasks_that_save_at_once_while_others_sweep_lose_nothing(tmp_path):
    store = str(tmp_path / "store")
    contents = {f"f{number}": f"{number % 3}" * (40_000 * (number % 4)) for number in range(12)}
    trees = [make(tmp_path / f"tree{number}", own=f"{number}", **contents) for number in range(8)]

    def work(number: int) -> None:
        blobs = Blobs(store)
        for turn in range(4):
            with blobs.adding():
                found = saving.save(blobs, str(trees[number]), patterns("**"))
                holds.hold(store, f"{number}", holds.Hold(f"t{turn}", recorded(found, blobs)))
            holds.sweep(store, lambda owner, one: True)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    shelf = Shelf(tmp_path)
    for number, tree in enumerate(trees):
        (*_, last) = holds.held(store, str(number)).values()
        shelf.saved = [Owned(str(number), load(last.record, shelf.blobs))]
        assert described(shelf.restore(f"out{number}")) == described(tree)


def test_a_full_disk_is_the_machines_fault_and_leaves_nothing(tmp_path, shelf, monkeypatch):
    shelf.save(make(tmp_path / "tree", x="1" * 100), "x")
    free = os.statvfs(tmp_path)
    monkeypatch.setattr("spry.artifacts.filling.SPARE", free.f_bavail * free.f_frsize)

    with pytest.raises(HostError, match="no room to restore"):
        shelf.restore()
    assert sorted(os.listdir(tmp_path)) == ["store", "tree"]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (b"plain/a\xc3\xa4 '\\n", "plain/aä '\\n"),
        (b"a\xc3\xa4\n", "aä\\n"),
        (b"bad\xff\xc3\xbf", "bad\\xffÿ"),
        (b"\\\r\x1b[2K", "\\\\\\r\\x1b[2K"),
    ],
)
def test_a_path_is_shown_on_one_line(path, words):
    assert shown(path) == words
