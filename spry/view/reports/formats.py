"""The formats of reports, by name."""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from spry.view.reports.story import Story

FORMATS = {
    "junit": "junit",
    "json": "objects",
    "markdown": "markdown",
    "tap": "tap",
    "html": "html",
}


def written(format: str, story: Story) -> Iterator[str]:  # noqa: A002 - the option's word
    """A report a piece at a time; together the pieces are one text that ends in a newline."""
    pieces: Iterator[str] = import_module(f"spry.view.reports.{FORMATS[format]}").report(story)
    return pieces
