"""`GLOB[:DEST]`: what it matches, and where that lands."""

from __future__ import annotations

import pytest
from trees import make, patterns

from spry.core.saving import clashes, parse, places
from spry.errors import SpryError


@pytest.fixture
def tree(tmp_path):
    return make(
        tmp_path / "tree", bin__app="app", bin__tool="tool", lib__a__x="1", lib__b__y="2", notes="n", **{".hidden": "h"}
    )


@pytest.mark.parametrize(
    ("texts", "names"),
    [
        (["bin/app"], ["bin/app"]),
        (["./bin//app"], ["bin/app"]),
        (["bin/"], ["bin/app", "bin/tool"]),
        (["bin/**"], ["bin/app", "bin/tool"]),
        (["bin/*"], ["bin/app", "bin/tool"]),
        (["lib/*"], ["lib/a/x", "lib/b/y"]),
        (["lib/**/x"], ["lib/a/x"]),
        (["**/x"], ["lib/a/x"]),
        (["lib/{a,b}/*"], ["lib/a/x", "lib/b/y"]),
        (["bin/[at]??"], ["bin/app"]),
        (["*"], [".hidden", "bin/app", "bin/tool", "lib/a/x", "lib/b/y", "notes"]),
        (["**"], [".hidden", "bin/app", "bin/tool", "lib/a/x", "lib/b/y", "notes"]),
        (["."], [".hidden", "bin/app", "bin/tool", "lib/a/x", "lib/b/y", "notes"]),
        (["bin/**", "!bin/tool"], ["bin/app"]),
        (["!lib/a", "lib/**"], ["lib/b/y"]),
        (["**", "!**/[xy]", "!.*"], ["bin/app", "bin/tool", "notes"]),
        (["bin/app:/out/binary"], ["out/binary"]),
        (["bin/app:dist/"], ["dist/app"]),
        (["bin/app:/"], ["app"]),
        (["lib/**:deps"], ["deps/a/x", "deps/b/y"]),
        (["lib/*/x:deps"], ["deps/a/x"]),
        (["lib/a/*:/"], ["x"]),
        (["bin/app", "bin/**"], ["bin/app", "bin/tool"]),
    ],
)
def test_a_pattern_matches_files_and_says_where_they_land(shelf, tree, texts, names):
    shelf.save(tree, *texts)

    assert shelf.names() == names


@pytest.mark.parametrize("text", ["gone", "bin/*.txt", "gone/**", "bin/gone", "notes/", "lib/a/**/y", "!bin/**"])
def test_a_pattern_that_matches_nothing_is_an_error(shelf, tree, text):
    texts = [text] if not text.startswith("!") else ["bin/**", text]
    with pytest.raises(SpryError, match=r"matches nothing|no folder"):
        shelf.save(tree, *texts)


def test_a_name_that_turns_out_to_be_a_folder_says_how_to_mean_one(shelf, tree):
    with pytest.raises(SpryError, match="'bin' is a folder") as found:
        shelf.save(tree, "bin")
    assert found.value.hint == "write --save 'bin/' for all in it"


@pytest.mark.parametrize("texts", [["lib/*/*:all/one", "bin/app:all/one/x"], ["bin/app:x", "bin/tool:x"]])
def test_two_files_with_one_destination_are_an_error(shelf, tree, texts):
    make(tree, lib__a__app="other")
    with pytest.raises(SpryError, match=r"would both be saved as|as a file and as a folder"):
        shelf.save(tree, *texts, "bin/app:all/one")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "expected a glob"),
        ("/etc/passwd", "does not lie in the working folder"),
        ("../x", "leads out"),
        ("a/../../x", "leads out"),
        ("a:../b", "leads out"),
        ("!a:b", "nothing to rename"),
    ],
)
def test_a_pattern_that_cannot_work_is_a_fault_of_the_runbook(text, fault):
    answer = parse(text)

    assert isinstance(answer, str)
    assert fault in answer


@pytest.mark.parametrize("text", ["[[:alpha:]]*", r"a\:b", "{a:b,c}"])
def test_a_colon_of_the_pattern_is_no_destination(text):
    (found,) = patterns(text)

    assert found.dest is None


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (["x"], ["x"], "'x' saved by 'a' and 'b'"),
        (["x:y"], ["y"], "'y' saved by 'a' and 'b'"),
        (["bin"], ["bin/x"], "'bin' saved as a file by 'a' and as a folder by 'b'"),
        (["bin/x"], ["bin"], "'bin' saved as a file by 'b' and as a folder by 'a'"),
        (["bin"], ["bin/*.so"], "'bin' saved as a file by 'a' and as a folder by 'b'"),
        (["bin/"], ["bin"], "'bin' saved as a file by 'b' and as a folder by 'a'"),
    ],
)
def test_literal_names_that_clash_are_known_before_anything_runs(first, second, words):
    saved = [*places("a", patterns(*first)), *places("b", patterns(*second))]

    (clash,) = clashes(saved)
    assert clash.told(clash.path.decode()) == f"artifact conflict: {words}"


@pytest.mark.parametrize(("first", "second"), [("bin/x", "bin/y"), ("bin/", "bin/"), ("*", "x"), ("a/*", "a/b/*")])
def test_what_may_yet_be_different_is_no_conflict(first, second):
    assert not [*clashes([*places("a", patterns(first)), *places("b", patterns(second))])]
