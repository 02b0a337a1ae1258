"""The members of a workspace in `.spry/config.toml`: who counts, and where every mistake stands."""

from __future__ import annotations

import os

import pytest
from book import cell
from yard import turns

from spry.workspace.discovery import expand


def test_members_count_python_or_not_with_git_or_without(yard):
    yard.repository("a", python=False)
    (yard.place / "b").mkdir()
    (yard.place / "b" / "README.md").write_text(cell("bash test", "echo b"))
    yard.repository("not-listed")
    yard.members('[workspace]\nmembers = ["../b", "../a"]\n')

    assert turns(yard.all("test")) == ["a", "b"]


def test_a_pattern_means_the_folders_that_have_a_runbook(yard):
    for name in ("libs/a", "libs/b"):
        yard.repository(name)
    (yard.place / "libs" / "none").mkdir()
    (yard.place / "libs" / "words").mkdir()
    (yard.place / "libs" / "words" / "README.md").write_text("# Words alone\n")
    yard.members('[workspace]\nmembers = ["../libs/*"]\n')

    assert turns(yard.all("test")) == ["a", "b"]


def test_the_nearest_configuration_upward_that_has_members_counts(yard):
    yard.repository("a")
    yard.repository("b")
    (yard.place / ".spry").mkdir()
    (yard.place / ".spry" / "config.toml").write_text('[workspace]\nmembers = ["a", "b"]\n')
    yard.members("[other]\nx = 1\n", at="a")

    assert turns(yard.all("test", cwd="a")) == ["a", "b"]


def test_a_folder_that_is_listed_twice_is_one_repository(yard):
    folder = yard.repository("a")
    os.symlink(folder, yard.place / "link")
    yard.members('[workspace]\nmembers = ["../a", "../link", "../*a"]\n')

    assert len(turns(yard.all("test"))) == 1


@pytest.mark.parametrize(
    ("text", "place", "told"),
    [
        ('[workspace]\nmembers = ["../a", "../nowhere"]\n', "2:21", 'there is no folder "../nowhere"'),
        ('[workspace]\nmembers = ["../nowhere-*"]\n', "2:13", 'no folder with a runbook matches "../nowhere-*"'),
        ('[workspace]\nmembers = "../a"\n', "2:1", "workspace.members: expected a list of paths"),
        ("[workspace]\nmembers = [1]\n", "2:1", "workspace.members: expected a list of paths"),
        ("[workspace]\nmember = []\n", "2:1", 'unknown key "member" under workspace'),
        ("workspace = 1\n", "1:1", "workspace: expected a table"),
        ('[workspace]\nmembers = ["../a"\n', "3:1", "Unclosed array"),
        ("[workspace\n", "1:11", "Expected ']'"),
    ],
)
def test_every_mistake_has_its_place(yard, text, place, told):
    yard.repository("a")
    yard.members(text)
    done = yard.all("test")

    assert (done.exit_code, done.stdout) == (2, "")
    assert f".spry/config.toml:{place}: " in done.stderr
    assert told in done.stderr


def test_no_members_at_all_is_no_repositories(yard):
    yard.repository("a")
    yard.members("[workspace]\nmembers = []\n")
    done = yard.all("test")

    assert done.exit_code == 2
    assert done.stderr.startswith("⚠️ No repositories found\n  hint: see workspace.members in .spry/config.toml")


def test_a_configuration_that_anybody_may_write_is_not_followed(yard):
    yard.repository("a")
    yard.members('[workspace]\nmembers = ["../a"]\n')
    (yard.here / ".spry" / "config.toml").chmod(0o666)
    done = yard.all("test")

    assert (done.exit_code, done.stdout) == (2, "")
    assert "may be written by anybody" in done.stderr


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("plain", ["plain"]),
        ("a-{b,c}-d", ["a-b-d", "a-c-d"]),
        ("{a,b}{1,2}", ["a1", "a2", "b1", "b2"]),
        ("x{a,{b,c}}y", ["xay", "xby", "xcy"]),
        ("{,a}b", ["b", "ab"]),
        ("a}b", ["a}b"]),
    ],
)
def test_braces_stand_for_each_of_their_parts(pattern, found):
    assert expand(pattern) == found
