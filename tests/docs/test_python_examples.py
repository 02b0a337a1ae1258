"""The Python of every page runs, as one program a page, from top to bottom."""

from __future__ import annotations

import os
import subprocess
import sys

import pages
import pytest
from pages import PAGES, ROOT


def program(page):
    """The Python of a page with every line where it stands; other files that it shows are not part of it."""
    lines = []
    for fence in pages.fences(page):
        if fence.language == "python" and not fence.title:
            lines += [""] * (fence.line - len(lines))
            lines += fence.body.split("\n")[:-1]
    return "\n".join(lines)


PROGRAMS = {page: text for page in PAGES if (text := program(page))}


@pytest.mark.parametrize("page", PROGRAMS)
def test_the_python_of_a_page_runs(page, tmp_path):
    for fence in pages.fences(page):
        if fence.title:
            (tmp_path / fence.title).write_text(fence.body, encoding="utf-8")
    script = f"exec(compile({PROGRAMS[page]!r}, {page!r}, 'exec'))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(tmp_path / "state")}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
