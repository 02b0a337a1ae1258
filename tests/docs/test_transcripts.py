"""What pages say that commands print is what they print: `SPRY_REGOLD=1` writes it anew, a reader judges the diff."""

from __future__ import annotations

import os

import pages
import pytest
from transcripts import compared, replay, rewrite

SHOWING = [page for page in pages.PAGES if any(fence.language == "console" for fence in pages.fences(page))]


@pytest.mark.parametrize("page", SHOWING)
def test_every_transcript_is_what_happens(page, tmp_path, forks):
    found = list(replay(page, tmp_path, forks))
    if os.environ.get("SPRY_REGOLD") == "1":
        rewrite(page, found)
        found = [(fence, happened, happened) for fence, _, happened in found]

    for fence, said, happened in found:
        unordered = "unordered" in fence.words
        assert compared(said, unordered=unordered) == compared(happened, unordered=unordered), f"{page}:{fence.line}"
