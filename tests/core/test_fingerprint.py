"""What makes a fingerprint, and what makes it another one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import examples
from spry.core.difference import brief, differences
from spry.core.fingerprint import RECIPE, Part, decode, digest, encode, written
from spry.core.model import Settings, Task

FIELDS = st.text(st.characters(exclude_categories=()), max_size=6) | st.sampled_from(["1:", "0:0:", "a", "", "input"])
PARTS = st.lists(st.builds(Part, FIELDS, FIELDS, FIELDS), max_size=5, unique=True)
MANY = examples(100)
BASE, PLAIN = Task("build", "bash", "make"), Settings()


def texts(task=BASE, front=PLAIN, params=(), words=(), variables=()):
    return set(written(task, front, dict(params), words, dict(variables)))


@MANY
@given(PARTS, PARTS)
def test_two_lists_of_parts_have_one_text_only_if_they_are_the_same(one, other):
    assert (encode(one) == encode(other)) == (set(one) == set(other))
    assert (digest(encode(one)) == digest(encode(other))) == (set(one) == set(other))


@MANY
@given(st.data(), PARTS)
def test_the_order_in_which_parts_are_found_has_no_say(data, parts):
    assert encode(parts) == encode(data.draw(st.permutations(parts)))


@MANY
@given(PARTS)
def test_the_parts_can_be_read_back_from_the_text(parts):
    assert set(decode(encode(parts))) == set(parts)


def test_the_text_is_what_the_documentation_says():
    parts = [Part("script", "", "ab"), Part("input", "src/ä", "cd")]

    assert encode(parts) == RECIPE + b"5:input6:src/\xc3\xa42:cd" + b"6:script0:2:ab"


def test_the_text_of_another_recipe_is_not_believed():
    with pytest.raises(ValueError, match="recipe"):
        decode(b"spry fingerprint 2\n5:input")


def test_a_key_makes_another_digest_of_the_same_text():
    assert digest("1234") != digest("1234", b"k" * 32) != digest("1234", b"l" * 32)


@pytest.mark.parametrize(
    "change",
    [
        {"body": "make all"}, {"language": "sh"}, {"interpreter": "dash"}, {"strict": False}, {"cwd": "sub"},
        {"isolated": True}, {"restore": "."}, {"captures": ("x",)}, {"saves": ("x",)}, {"inputs": ("x",)},
        {"outputs": ("x",)}, {"exit_codes": (0, 3)}, {"interpolate": True}, {"outbox": "q"},
    ],
    ids=str,
)  # fmt: skip
def test_what_a_task_is_by_itself_has_a_say(change):
    assert texts(BASE._replace(**change)) != texts()


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"}, {"descr": "x"}, {"path": "other.md"}, {"folder": "/elsewhere"}, {"line": 7},
        {"tags": ("x",)},
        {"graphs": ("x",)}, {"timeout": 3.0}, {"attempts": 3}, {"silent": True}, {"confirm": "Sure?"},
        {"limits": (("cpu", 50.0),)},
    ],
    ids=str,
)  # fmt: skip
def test_name_and_place_and_how_a_task_is_watched_have_none(change):
    assert texts(BASE._replace(**change)) == texts()


@pytest.mark.parametrize(
    "more",
    [
        {"front": Settings(shell="dash")}, {"front": Settings(cwd="sub")},
        {"front": Settings(interpreters={"bash": "x"})},
        {"params": [("version", "1")]}, {"params": [("version", "")]}, {"words": ("a",)}, {"words": ("",)},
        {"variables": [("A", "1")]}, {"variables": [("A", "")]}, {"variables": [("A", None)]},
    ],
    ids=str,
)  # fmt: skip
def test_what_the_front_matter_and_the_command_line_say_has_a_say(more):
    assert texts(**more) != texts()


def test_a_variable_that_is_empty_is_not_one_that_is_missing():
    assert texts(variables=[("A", "")]) != texts(variables=[("A", None)])


def part(text, digest="1"):
    kind, _, name = text.partition(" ")
    return Part(kind, name, digest)


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        ([part("script")], [part("script", "2")], ["script changed"]),
        ([part("input a")], [part("input a", "2")], ["input a changed"]),
        ([part("input a")], [part("input b")], ["input b is new", "input a is gone"]),
        ([part("parameter v")], [part("parameter v", "2")], ["parameter v changed"]),
        ([], [part("variable V")], ["variable V is new"]),
        ([part("words")], [part("words", "2")], ["arguments after -- changed"]),
        ([part("left b")], [part("left b", "2")], ["dependency b left something else"]),
        ([part("dependency b")], [part("dependency b", "2")], ["dependency b changed"]),
        ([part("dependency b"), part("left b")], [], ["dependency b is gone"]),
        ([part("input a")], [part("input a")], []),
    ],
)
def test_a_difference_is_told_in_words(before, now, told):
    assert differences(before, now) == told


def test_of_many_differences_the_first_are_told():
    assert brief([f"input {letter} changed" for letter in "abcdefg"]).endswith("input e changed; and 2 more")
