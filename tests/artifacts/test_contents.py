"""What files hold, and when a file need not be read to know it."""

from __future__ import annotations

import os
import time
from types import SimpleNamespace

import pytest

from spry.artifacts.contents import COARSE, FINE, SECOND, Contents, LengthyError, is_settled
from spry.errors import SpryError

OLD = 1_600_000_000 * SECOND + 5


@pytest.fixture
def file(tmp_path):
    """A file that has not been touched for as long as the racy time lasts, as far as it can tell."""
    path = tmp_path / "file"
    path.write_text("one")
    settle(path)
    return path


def settle(path):
    """Wait until the clock of the file system has moved on: a change from here on shows."""
    while not is_settled(os.stat(path), time.time_ns()):
        os.sched_yield()


def test_a_file_is_what_it_holds(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("same")
    two.write_text("same")
    os.utime(two, ns=(OLD, OLD))
    contents = Contents({})

    assert contents.of(str(one)) == contents.of(str(two)) != ""
    two.write_text("else")
    assert contents.of(str(one)) != contents.of(str(two))


def test_a_file_that_is_known_is_not_read_again(file):
    known = Contents({})
    before = known.of(str(file))
    file.chmod(0o000 if os.geteuid() else 0o644)
    remembered = known.learned[str(file)]
    stat = os.stat(file)
    liar = Contents({str(file): remembered._replace(inode_changed=stat.st_ctime_ns, digest="not read")})

    assert before.endswith(remembered.digest)
    assert liar.of(str(file)) == "file not read"


@pytest.mark.parametrize("change", ["size", "changed", "inode_changed", "inode"])
def test_a_file_that_differs_in_any_way_is_read_again(file, change):
    known = Contents({})
    before = known.of(str(file))
    remembered = known.learned[str(file)]._replace(digest="not read")
    other = Contents({str(file): remembered._replace(**{change: getattr(remembered, change) + 1})})

    assert other.of(str(file)) == before


def test_an_edit_that_keeps_size_and_time_is_seen(file):
    known = Contents({})
    before, stat = known.of(str(file)), os.stat(file)
    file.write_text("two")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    assert known.of(str(file)) != before


def test_a_file_that_has_just_been_written_is_not_remembered(tmp_path):
    file = tmp_path / "file"
    file.write_text("one")
    contents = Contents({})
    contents.of(str(file))

    assert contents.learned == {}


def test_what_was_remembered_of_a_file_that_has_just_been_written_is_forgotten(file):
    contents = Contents({})
    contents.of(str(file))
    file.write_text("two")
    contents.of(str(file))

    assert contents.learned == {str(file): None}


def test_the_finest_difference_that_shows_depends_on_the_file_system():
    def settled(changed, now):
        return is_settled(SimpleNamespace(st_mtime_ns=changed, st_ctime_ns=changed), now)

    fine, coarse = 10 * SECOND + 1, 10 * SECOND

    assert not settled(fine, fine + FINE)
    assert settled(fine, fine + FINE + 1)
    assert not settled(coarse, coarse + COARSE)
    assert settled(coarse, coarse + COARSE + 1)
    assert not settled(fine, fine - 5 * SECOND), "a time to come proves nothing"


def test_a_program_is_not_the_file_that_cannot_be_run(file):
    contents = Contents({})
    before = contents.of(str(file))
    file.chmod(0o755)

    assert contents.of(str(file)) != before


def test_links_count_as_what_they_lead_to(tmp_path, file):
    (tmp_path / "folder").mkdir()
    for name, target in (("link", "file"), ("away", "folder"), ("lost", "nowhere"), ("self", "self")):
        os.symlink(target, tmp_path / name)
    contents = Contents({})

    assert contents.of(str(tmp_path / "link")) == contents.of(str(file))
    assert contents.of(str(tmp_path / "away")) == "link folder"
    assert contents.of(str(tmp_path / "lost")) == "link nowhere"
    assert contents.of(str(tmp_path / "self")) == "link self"


def test_what_is_no_file_is_never_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    contents = Contents({})

    assert contents.of(str(tmp_path / "pipe")) == "no file"
    assert contents.of(str(tmp_path / "folder")) == "folder"
    assert contents.of(str(tmp_path / "nothing")) == ""


def test_a_file_that_cannot_be_read_is_an_error_that_names_it(tmp_path):
    if not os.geteuid():
        pytest.skip("root may read everything")
    (tmp_path / "file").write_text("x")
    (tmp_path / "file").chmod(0)

    with pytest.raises(SpryError, match=r"cannot read .*file"):
        Contents({}).of(str(tmp_path / "file"))


def test_what_takes_long_to_read_is_read_ahead_and_believed_as_long_as_it_is_the_same(tmp_path):
    path, contents = tmp_path / "file", Contents({})
    path.write_bytes(b"x" * 100_000)
    with pytest.raises(LengthyError), contents.within(150_000, None):
        contents.of(str(path))

    ahead = contents.apart(lambda: None)
    digest = ahead.of(str(path))

    with contents.within(0, ahead):
        assert contents.of(str(path)) == digest
    path.write_bytes(b"y" * 100_001)
    with contents.within(0, ahead):
        assert contents.of(str(path)) != digest


def test_reading_ahead_can_be_broken_off(file):
    def end():
        raise SpryError("enough")

    ahead = Contents({}).apart(end)

    with pytest.raises(SpryError, match="enough"):
        ahead.of(str(file))
    assert (ahead.readings, ahead.learned) == ({}, {})
