"""How a secret may stand in output: as it is, quoted, escaped, encoded, and line by line."""

from __future__ import annotations

from binascii import b2a_base64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

SHORTEST_LINE = 8  # characters of one line of a secret, or of its wrapped encodings: shorter ones stand everywhere
UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
URLSAFE = bytes.maketrans(b"+/", b"-_")
WIDTHS = (60, 64, 76)  # at which xxd, openssl, and base64 break their lines
HTML = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"))
CAREFUL_JSON = (("&", "\\u0026"), ("<", "\\u003c"), (">", "\\u003e"))


def spellings(secret: str) -> set[bytes]:
    """Every spelling by which a secret is found, blanks around it aside; none is shorter than it."""
    text = secret.strip()
    found = {*_quoted(text), *_lines(text)}
    data = text.encode("utf-8", "surrogateescape")
    return {spelling.encode("utf-8", "surrogateescape") for spelling in found} | {*_encoded(data)}


def _lines(text: str) -> Iterator[str]:
    if "\n" not in text:
        return
    yield "\r\n".join(text.splitlines())
    yield from (line.strip() for line in text.splitlines() if len(line.strip()) >= SHORTEST_LINE)


def _quoted(text: str) -> Iterator[str]:
    """As shells, JSON, Python and HTML write it between quotes, and as it is."""
    import json  # noqa: PLC0415 - only where there is a secret

    yield text
    for ascii_only in (True, False):
        written = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
        yield from (written, written.replace("/", "\\/"), _replaced(written, CAREFUL_JSON))
    yield from (text.replace("'", escaped) for escaped in ("'\\''", "'\"'\"'"))
    yield _escaped(text, '\\"$`')
    yield "".join(letter if letter.isalnum() or letter in "_-./:,@%+=" else f"\\{letter}" for letter in text)
    yield repr(text)[1:-1]
    yield _escaped(text, "\\'").replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    yield from (_replaced(text, HTML), *(_replaced(text, HTML).replace("'", quote) for quote in ("&#x27;", "&#39;")))


def _escaped(text: str, special: str) -> str:
    return "".join(f"\\{letter}" if letter in special else letter for letter in text)


def _replaced(text: str, pairs: tuple[tuple[str, str], ...]) -> str:
    for letter, spelled in pairs:
        text = text.replace(letter, spelled)
    return text


def _encoded(data: bytes) -> Iterator[bytes]:
    """As hexadecimal, in URLs, and in base64 at each of the three places where it can begin."""
    digits = data.hex()
    for hexadecimal in (digits.encode(), digits.upper().encode()):
        yield from (hexadecimal, *_wrapped(hexadecimal))
    for safe in (UNRESERVED, UNRESERVED | {ord("/")}):
        for case in ("%%%02X", "%%%02x"):
            url = "".join(chr(byte) if byte in safe else case % byte for byte in data)
            yield from (url.encode(), url.replace("%20", "+").encode())
    for before in range(3):
        for spelling in _base64(data, before):
            yield from (spelling, spelling.translate(URLSAFE))
    yield from _wrapped(b2a_base64(data, newline=False)[: len(data) * 8 // 6])


def _base64(data: bytes, before: int) -> Iterator[bytes]:
    """Base64 of data behind so many bytes: what does not depend on its neighbours, and all of it if nothing follows."""
    whole = b2a_base64(bytes(before) + data, newline=False)
    start = (before * 8 + 5) // 6
    yield whole[start : (before + len(data)) * 8 // 6]
    yield whole[start:].rstrip(b"=")
    yield whole[start:]


def _wrapped(spelling: bytes) -> Iterator[bytes]:
    """An encoding by itself, as programs break it into lines: whole, and each line that is long enough."""
    for width in WIDTHS:
        if len(spelling) > width:
            lines = [spelling[at : at + width] for at in range(0, len(spelling), width)]
            yield b"\n".join(lines)
            yield from (line for line in lines if len(line) >= SHORTEST_LINE)
