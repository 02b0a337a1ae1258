"""Projects: a folder `.spry/` that keeps the history and the saved specs of all that is below its parent."""

from __future__ import annotations

import os

from spry.api.places import OWN, project
from spry.errors import HostError, UsageError

FOLDERS = ("tasks", "pipelines", "autostart", "outputs", "logs")
IGNORE = "# All of it belongs to this machine.\n*\n"
CONFIG = "# Settings of this project; see the reference of spry.\n"


def needed(folder: str) -> str:
    """The project a folder belongs to; UsageError without one."""
    found = project(folder)
    if found is None:
        raise UsageError(f"no project here: {folder} and the folders above it have no {OWN}/", "spry init makes one")
    return found


def make(folder: str, *, autostart: bool) -> bool:
    """Make a folder a project, or complete it; whether it was none before. HostError where that is impossible."""
    own = os.path.join(folder, OWN)
    is_new = not os.path.isdir(own)
    try:
        os.makedirs(own, 0o700, exist_ok=True)
        for name in FOLDERS:
            if name != "autostart" or autostart:
                os.makedirs(os.path.join(own, name), 0o700, exist_ok=True)
        _write(os.path.join(own, ".gitignore"), IGNORE)
        _write(os.path.join(own, "config.toml"), CONFIG)
    except OSError as error:
        message = f"cannot make a project: {error.filename or own}: {(error.strerror or '').lower()}"
        raise HostError(message, f"make room and write access in {folder}") from None
    return is_new


def _write(path: str, text: str) -> None:
    """A file that is not there yet."""
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return
    with open(file, "w", encoding="utf-8") as stream:
        stream.write(text)
