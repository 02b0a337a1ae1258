"""Output that is too large to be handed around as text: a file of its own, beside the history."""

from __future__ import annotations

import os

from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

FOLDER = "outputs"
LARGE = 1024 * 1024  # bytes; what is larger is kept in such a file
CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


class Reference(NamedTuple):
    """Where an output is, how many bytes it has, and their SHA-256 in hexadecimal."""

    path: str
    size: int
    sha256: str


def spill(folder: str, name: str, chunks: Iterable[bytes]) -> Reference:
    """Write an output to a file of this name, whole or not at all; raises OSError."""
    import hashlib  # noqa: PLC0415 - only for large outputs

    digest, size = hashlib.sha256(), 0
    path = os.path.join(folder, FOLDER, name)
    os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
    part = f"{path}.{os.getpid()}.part"
    try:
        with open(os.open(part, CREATE, 0o600), "wb") as stream:
            for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                stream.write(chunk)
        os.replace(part, path)
    except BaseException:
        os.unlink(part)
        raise
    return Reference(path, size, digest.hexdigest())


def forget(folder: str, run: str) -> None:
    """Remove the files of a run."""
    try:
        entries = list(os.scandir(os.path.join(folder, FOLDER)))
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.name.partition(".")[0] == run:
            os.unlink(entry.path)
