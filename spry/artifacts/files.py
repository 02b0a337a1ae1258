"""Files that tasks leave: written whole or not at all."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def write_whole(path: str, chunks: Iterable[bytes], *, mode: int = 0o644) -> None:
    """Write a file under a temporary name beside it and rename it, making its folders; OSError if that fails.

    A file that is there keeps its permissions; a reader sees the old content or the new one, never a part.
    """
    folder = os.path.dirname(path) or "."
    os.makedirs(folder, exist_ok=True)
    try:
        mode = os.stat(path).st_mode & 0o7777
    except FileNotFoundError:
        mode &= ~_umask()
    short = os.path.basename(path)[:50]  # a name may be as long as a name can be
    temporary = os.path.join(folder, f".{short}.{os.getpid()}.part")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with open(descriptor, "wb", buffering=0) as stream:
            for chunk in chunks:
                _write_all(stream.fileno(), chunk)
            os.fchmod(stream.fileno(), mode)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def ignore(name: str, path: str) -> None:
    """Add a file's name to a .gitignore, once, on a line of its own; OSError if that cannot be written."""
    try:
        with open(path, "rb") as stream:
            data = stream.read()
    except FileNotFoundError:
        data = b""
    line = os.fsencode(name)
    if line in (known.strip() for known in data.splitlines()):
        return
    separator = b"" if not data or data.endswith(b"\n") else b"\n"
    write_whole(path, (data, separator, line + b"\n"))
