"""Which files the patterns of `--inputs` and `--outputs` mean."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wcmatch import glob

from examples import examples
from spry.artifacts.globs import find, needs_library

FOLDERS = ["a", "ab", ".h"]
FILES = ["b.c", "ab.c", "abab", ".g", "x y"]
PARTS = ["**", "*", "*.c", "a*", "a*b*", "*b*", ".*", "a", "ab", "b.c", "ab.c", ".h"]


@pytest.fixture
def tree(tmp_path):
    """A folder, and a way to put files into it; a name that ends with a slash is an empty folder."""

    def made(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if name.endswith("/"):
                path.mkdir(exist_ok=True)
            else:
                path.write_text(name)
        return str(tmp_path)

    return made


def paths(folder, *patterns):
    return list(find(folder, patterns).paths)


def test_a_path_means_a_file(tree):
    folder = tree("src/a.c", "src/b.c")

    assert paths(folder, "src/a.c") == paths(folder, "./src/a.c") == ["src/a.c"]


def test_a_folder_means_everything_in_it_hidden_or_not(tree):
    folder = tree("src/a.c", "src/deep/.hidden", "src/empty/", "other")

    assert paths(folder, "src") == paths(folder, "src/") == ["src/a.c", "src/deep/.hidden", "src/empty"]


def test_what_git_and_spry_keep_is_part_of_no_tree_unless_it_is_named(tree):
    folder = tree("a", ".git/HEAD", "sub/.spry/spry.db", "sub/b")

    assert paths(folder, ".") == paths(folder, "**") == paths(folder, "*") == paths(folder, "{*,z}") == ["a", "sub/b"]
    assert paths(folder, ".git/HEAD") == [".git/HEAD"]


def test_two_stars_mean_any_number_of_folders(tree):
    folder = tree("a.c", "src/b.c", "src/deep/c.c", "src/deep/d.h")

    assert paths(folder, "**/*.c") == ["a.c", "src/b.c", "src/deep/c.c"]
    assert paths(folder, "src/**") == ["src/b.c", "src/deep/c.c", "src/deep/d.h"]


@pytest.mark.parametrize("pattern", ["src/*.{c,h}", "src/?.[ch]", "src/[ab].*"])
def test_the_other_patterns_are_those_of_wcmatch(tree, pattern):
    assert needs_library(pattern)
    assert paths(tree("src/a.c", "src/b.h", "src/other.py"), pattern) == ["src/a.c", "src/b.h"]


def test_an_exclamation_mark_takes_out_again(tree):
    folder = tree("src/a.c", "src/gen/b.c", "src/gen/deep/c.c")

    assert paths(folder, "src/**", "!src/gen/**") == paths(folder, "src", "!src/gen") == ["src/a.c"]
    assert paths(folder, "src/**", "!**/c.c") == ["src/a.c", "src/gen/b.c"]


def test_each_pattern_that_means_nothing_is_told(tree):
    folder = tree("src/a.c")

    assert find(folder, ["src/*.c", "src/*.h", "none", "src/a.c"]).idle == ("src/*.h", "none")
    assert find(folder, ["src/*.c", "!src/a.c"]).idle == ("src/*.c",)


def test_links_to_folders_are_entered_only_where_they_are_named(tree, tmp_path):
    folder = tree("real/a", "top/b")
    os.symlink("../real", tmp_path / "top" / "link")

    assert paths(folder, "top") == paths(folder, "top/**") == ["top/b", "top/link"]
    assert paths(folder, "top/link") == paths(folder, "top/link/*") == ["top/link/a"]


def test_a_link_that_leads_in_circles_ends_no_search(tree, tmp_path):
    folder = tree("top/a")
    os.symlink(".", tmp_path / "top" / "again")

    assert paths(folder, "top/**/*") == ["top/a", "top/again"]


def test_names_that_are_no_text_are_found(tree, tmp_path):
    folder = tree("a")
    (tmp_path / os.fsdecode(b"odd\xff\n")).write_text("")

    assert [os.fsencode(path) for path in paths(folder, "o*")] == [b"odd\xff\n"]


@examples(60)
@given(
    files=st.sets(
        st.tuples(st.lists(st.sampled_from(FOLDERS), max_size=2), st.sampled_from(FILES)).map(
            lambda pair: "/".join([*pair[0], pair[1]])
        ),
        min_size=1,
        max_size=8,
    ),
    parts=st.lists(st.sampled_from(PARTS), min_size=1, max_size=4),
)
def test_simple_patterns_mean_what_wcmatch_says(tmp_path_factory, files, parts):
    top = tmp_path_factory.mktemp("tree")
    for name in files:
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text("")
    pattern = "/".join(parts)
    said = {path.rstrip("/") for path in glob.glob(pattern, flags=glob.GLOBSTAR | glob.DOTGLOB, root_dir=str(top))}
    whole_folders = "**" not in pattern or "*" not in parts[-1]
    expected = {
        name for name in files if name in said or (whole_folders and any(name.startswith(f"{one}/") for one in said))
    }

    assert not needs_library(pattern)
    assert set(find(str(top), [pattern]).paths) == expected
