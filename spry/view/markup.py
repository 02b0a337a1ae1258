"""Text inside XML and HTML: what means something there becomes a reference, what XML cannot carry U+FFFD."""

from __future__ import annotations

import re

UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
TEXT = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;", ord("\r"): "&#13;"}
ATTRIBUTE = {ord(letter): f"&#{ord(letter)};" for letter in "&<>\r\"'\t\n"}


def text(words: str) -> str:
    """Text between two tags; line ends and tabs stay."""
    return UNFIT.sub("\ufffd", words).translate(TEXT)


def attribute(words: str) -> str:
    """Text inside a quoted attribute; fit for a line of its own everywhere else, too."""
    return UNFIT.sub("\ufffd", words).translate(ATTRIBUTE)
