"""Compiled runbooks are a help and never the truth."""

from __future__ import annotations

import os

import pytest
from book import cell

TEXT = cell("bash t", "echo first")


def entries(book):
    return sorted((book.place / "cache" / "spry" / "plans").iterdir())


def test_a_runbook_is_compiled_once(book):
    book(TEXT).run("task", "t")
    (entry,) = entries(book)
    before = entry.stat().st_mtime_ns
    done = book.run("task", "t")

    assert done.stdout == "first\n"
    assert [path.stat().st_mtime_ns for path in entries(book)] == [before]


def test_a_change_is_seen_at_once(book):
    book(TEXT).run("task", "t")

    assert book(cell("bash t", "echo other")).run("task", "t").stdout == "other\n"


def test_an_invalid_runbook_is_never_kept(book):
    book(cell("bash t --decr x", "echo")).run("task", "t")

    assert not (book.place / "cache" / "spry").exists() or entries(book) == []


DAMAGES = {
    "empty": lambda data: b"",
    "cut": lambda data: data[: len(data) // 2],
    "one bit": lambda data: data[:-20] + bytes([data[-20] ^ 1]) + data[-19:],
    "head": lambda data: b"X" + data[1:],
    "noise": lambda data: os.urandom(len(data)),
    "longer": lambda data: data + b"\0",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_entry_is_rebuilt(book, damage):
    book(TEXT).run("task", "t")
    (entry,) = entries(book)
    good = entry.read_bytes()
    entry.write_bytes(damage(good))
    done = book.run("task", "t")

    assert (done.exit_code, done.stdout) == (0, "first\n")
    assert entry.read_bytes() == good


def test_an_entry_that_others_can_write_is_not_believed(book):
    book(TEXT).run("task", "t")
    (entry,) = entries(book)
    entry.chmod(0o666)

    assert book.run("task", "t").exit_code == 0


@pytest.mark.parametrize(
    "make", [lambda path: path.write_text("a file"), lambda path: path.symlink_to("/nowhere/at/all")]
)
def test_a_cache_that_cannot_be_used_stops_nothing(book, make):
    (book.place / "cache").rmdir()
    make(book.place / "cache")
    done = book(TEXT).run("task", "t")

    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (0, "first\n", 1)


def test_the_same_text_in_another_folder_is_another_runbook(book):
    book(cell("bash t", "pwd -P"), name="a/x.md")(cell("bash t", "pwd -P"), name="b/x.md")

    for folder in ("a", "b", "a"):
        assert book.run("task", "t", "x.md", cwd=folder).stdout == f"{book.path(folder).resolve()}\n"
