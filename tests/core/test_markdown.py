"""What is a fence, where it stands, and which fences are broken."""

from __future__ import annotations

import pytest

from spry.core.markdown import cells, unclosed
from spry.core.source import decode, source
from spry.errors import Problem


def found(text: str):
    return cells(source(text))[0]


def test_a_fence_has_its_line_its_info_string_and_its_body():
    (cell,) = found('intro\n\n```bash build --descr "a &amp; b\\""\necho 1\n\necho 2\n```\n')

    assert (cell.line, cell.end, cell.marker) == (3, 7, "```")
    assert cell.info == 'bash build --descr "a &amp; b\\""'
    assert cell.body == "echo 1\n\necho 2\n"


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("~~~sh x\na\n~~~\n", "a\n"),
        ("`````sh x\n```\na\n```\n`````\n", "```\na\n```\n"),
        ("- item\n\n  ```sh x\n  a\n    b\n  ```\n", "a\n  b\n"),
        ("> ```sh x\n> a\n> ```\n", "a\n"),
        ("1. > ```sh x\n   > a\n   > ```\n", "a\n"),
        ("   ```sh x\n   a\n  b\n   ```\n", "a\nb\n"),
        ("```sh x\r\na\r\nb\r\n```\r\n", "a\nb\n"),
        ("```sh x\na\n```", "a\n"),
        ("\ufeff```sh x\na\n```", "a\n"),
    ],
)
def test_fences_count_wherever_commonmark_allows_them(text, body):
    assert [cell.body for cell in found(text)] == [body]


@pytest.mark.parametrize(
    "text",
    [
        "    ```sh x\n    a\n    ```\n",
        "<!--\n```sh x\na\n```\n-->\n",
        "text ```sh x``` text\n",
        "<pre>\n```sh x\n```\n</pre>\n",
    ],
)
def test_what_only_looks_like_a_fence_is_text(text):
    assert found(text) == []


def test_a_fence_shown_inside_a_longer_one_is_text():
    (outer,) = found("````md\n```bash deploy --dep x\nrm -rf /\n```\n````\n")

    assert outer.language == "md"
    assert unclosed(outer, source("")) is None


def test_fences_are_found_thirty_lists_deep():
    depth = 30
    lines = ["  " * level + "- x" for level in range(depth)]
    indent = "  " * depth
    text = "\n".join([*lines, "", f"{indent}```sh deep", f"{indent}a", f"{indent}```", ""])

    assert [cell.body for cell in found(text)] == ["a\n"]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("```bash x\necho\n", 1, "unterminated fence"),
        ("```bash x", 1, "unterminated fence"),
        ("```bash x\necho\n``\n", 1, "unterminated fence"),
        ("> ```bash x\n> echo\n\ntext\n", 1, "unterminated fence"),
        ("- ```bash x\n  echo\n\ntext\n", 1, "unterminated fence"),
        ("```bash x\necho\n\n```bash y\necho\n```\n", 1, "this fence is not closed before another opens on line 4"),
        ("```text\nx\n\n```bash y\necho\n```\n", 1, "this fence is not closed before another opens on line 4"),
    ],
)
def test_a_fence_that_is_not_closed_is_named_at_its_opening(text, line, message):
    read = source(text)
    (cell, *_) = cells(read)[0]
    problem = unclosed(cell, read)

    assert problem is not None
    assert (problem.line, problem.message) == (line, message)


def test_an_unterminated_comment_that_hides_cells_is_a_problem():
    _, problems = cells(source("text\n\n<!-- note\n\n```bash deploy\nx\n```\n"))

    assert [(problem.line, problem.message) for problem in problems] == [
        (3, "unterminated comment hides the cells below it")
    ]


def test_a_spry_comment_belongs_to_the_fence_right_below_it():
    (cell,) = found("<!-- spry: build --dep a -->\n```bash\nx\n```\n")

    assert cell.comment is not None
    assert cell.comment.text[cell.comment.start : cell.comment.end].strip() == "build --dep a"


@pytest.mark.parametrize("between", ["\n", "\ntext\n", "\n\n<b>x</b>\n"])
def test_a_spry_comment_without_a_fence_below_is_a_problem(between):
    _, problems = cells(source(f"<!-- spry: build -->\n{between}```bash\nx\n```\n"))

    assert [problem.message for problem in problems] == ["this comment names no cell"]


@pytest.mark.parametrize(
    ("data", "message", "place"),
    [
        (b"a\nb\xff\n", "not UTF-8: byte 0xff at offset 3", "f.md:2:2"),
        (b"\xff\xfeh\x00", "not UTF-8: byte 0xff at offset 0", "f.md:1:1"),
        (b"a\nbc\0d", "NUL byte in the runbook", "f.md:2:3"),
    ],
)
def test_bytes_that_are_no_text_are_named_with_their_place(data, message, place):
    problem = decode(data, "f.md", ".")

    assert isinstance(problem, Problem)
    assert (problem.message, problem.place) == (message, place)
