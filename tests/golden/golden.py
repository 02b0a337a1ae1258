"""Texts people see, kept as files: `SPRY_REGOLD=1 pytest tests/golden` writes them anew, a reader judges the diff."""

from __future__ import annotations

import os
from pathlib import Path

HERE = Path(__file__).parent


def check(name: str, text: str) -> None:
    """Compare a text with the file of that name under tests/golden (`dag/chain.txt`)."""
    path = HERE / name
    if os.environ.get("SPRY_REGOLD") == "1":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")
    assert path.exists(), f"no golden file {name}: write it with SPRY_REGOLD=1 and read it"
    assert text == path.read_bytes().decode("utf-8")
