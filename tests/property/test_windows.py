"""Reading a document in windows finds what reading it whole finds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from examples import examples
from spry.core import markdown
from spry.core.source import source
from spry.core.windows import windows

PARTS = """
text|Text more|# Head|===|---|- item|  - inner|1. one|> quote|>|   x|    code|```|```bash a|````|~~~|~~~sh b|  ```
> ```sh q|- ```sh l|\t```|+ ~~~|<!-- open|-->|<!-- spry: n -->|<div>|</div>|<pre>|</pre>|<b>x</b>|[ref]: /url|`x`
"""
LINES = st.sampled_from(["", "", " ", *PARTS.strip().replace("\n", "|").split("|")])


def whole(text):
    """The fences that markdown-it finds in the whole text: line, end, level, content."""
    reader = MarkdownIt("commonmark", {"maxNesting": markdown.NESTING})
    reader.core.ruler.enableOnly(["normalize", "block"])
    tokens = [token for token in reader.parse(text) if token.type == "fence"]
    return [(token.map[0] + 1, token.map[1], token.info, token.level, token.content) for token in tokens]


def found(text):
    cells, _ = markdown.cells(source(text))
    return [(cell.line, cell.end, cell.info, cell.level, cell.body) for cell in cells]


@pytest.mark.parametrize("gap", [1, 8, 40])
@examples(400)
@given(lines=st.lists(LINES, max_size=30))
def test_windows_find_the_same_fences_as_the_whole(gap, lines):
    text = "\n".join(lines) + "\n"
    before = windows.__defaults__
    windows.__defaults__ = (gap,)
    try:
        assert found(text) == whole(text)
    finally:
        windows.__defaults__ = before


@examples(200)
@given(lines=st.lists(LINES, max_size=20), letters=st.integers(1, 300))
def test_prose_between_cells_changes_nothing_but_their_lines(lines, letters):
    prose = "\n\n" + "Prose.\n\n" * letters
    text = "Start\n\n" + "\n".join(lines) + "\n"
    shift = prose.count("\n") + 2

    assert found("Start\n" + prose + "\n" + text) == [
        (line + shift, end + shift, *rest) for line, end, *rest in found(text)
    ]


def test_a_document_of_prose_is_never_given_to_the_parser():
    asked = []

    list(windows("Prose and `code`.\n\n" * 1000, lambda window: bool(asked.append(window))))

    assert asked == []


def test_an_open_fence_is_handed_ever_larger_windows_and_stays_linear():
    text = "```bash a\n" + "\nword\n" * 20_000
    asked = []

    def is_open(window):
        asked.append(window.end - window.start)
        return True

    (window,) = windows(text, is_open, gap=10)

    assert (window.start, window.end) == (0, len(text))
    assert sum(asked) < 3 * len(text)
