"""`spry system`: forget what is old, take everything away, or bring it in."""

from __future__ import annotations

import os
import time

from spry.api.history import place, root
from spry.cli.history import archive_of, closed, folder_of
from spry.cli.options import JSON, KEEP, SOURCE, TO, only_for
from spry.core.text import plural
from spry.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from spry.cli.options import Request
    from spry.store.archive import Archive
    from spry.view.screen import Screen

KEPT = 30 * 86400.0  # seconds, unless told otherwise


def system(request: Request, screen: Screen) -> int:
    """`spry system tidy|dump|load`: forget what is old, take it all away, or bring it in."""
    if request.names not in SYSTEM:
        from spry.core.text import did_you_mean

        words = " ".join(request.names)
        hint = did_you_mean(words, (name for (name,) in SYSTEM)) or "it knows tidy, dump and load"
        raise UsageError(f'spry system does not know "{words}"', hint)
    only_for(request, (KEEP, "tidy"), (JSON, "tidy"), (TO, "dump"), (SOURCE, "load"))
    return SYSTEM[request.names](request, screen)


def _dump(request: Request, screen: Screen) -> int:
    """Write everything that is remembered to a file."""
    from spry.api.dumps import STREAM, dump, has_artifacts

    if request.to is None:
        raise UsageError("spry system dump needs the name of a file", "spry system dump -o FILE")
    screen.flush()
    count = dump(folder_of(request), request.to)
    screen.say(f"{plural(count, 'record')} written to {'stdout' if request.to == STREAM else request.to}")
    if has_artifacts(folder_of(request)):
        screen.say(("warning", "the files that tasks saved, their artifacts, are not among them"))
    return 0


def _load(request: Request, screen: Screen) -> int:
    """Bring in what a file holds."""
    from spry.api.dumps import STREAM, load

    if request.source is None:
        raise UsageError("spry system load needs the name of a file", "spry system load -i FILE")
    count = load(folder_of(request), request.source)
    screen.say(f"{plural(count, 'record')} loaded from {'stdin' if request.source == STREAM else request.source}")
    return 0


def _tidy(request: Request, screen: Screen) -> int:
    keep = KEPT
    if request.keep is not None:
        from spry.core.values import duration

        seconds = 0.0 if request.keep == "0" else duration(request.keep)
        if isinstance(seconds, str):
            raise UsageError(f"--keep: {seconds}", "write 12h, 7d or 30d; 0 forgets all that cannot be resumed")
        keep = seconds
    archive = archive_of(request)
    gone = archive.tidy(time.time() - keep) if archive else []
    if gone:
        from spry.api.queues import forget

        forget(folder_of(request), gone)
    dropped = _sweep(archive, folder_of(request))
    if request.json:
        import json

        screen.show(json.dumps(gone) + "\n")
    else:
        screen.say(f"{len(gone)} {'run' if len(gone) == 1 else 'runs'} forgotten{dropped}")
    return closed(archive)


def _sweep(archive: Archive | None, folder: str) -> str:
    """Drop the artifacts that nobody needs any more; what that has freed, in words."""
    if archive is not None:
        archive.forget_gone(root(folder))
    own = place(folder)
    if not os.path.isdir(os.path.join(own, "artifacts")):
        return ""
    from spry.api.artifacts import tidy
    from spry.core.text import format_size

    swept = tidy(own, archive)
    return f", {format_size(swept.size)} of artifacts dropped" if swept.files else ""


SYSTEM: Mapping[tuple[str, ...], Callable[[Request, Screen], int]] = {
    ("tidy",): _tidy,
    ("dump",): _dump,
    ("load",): _load,
}
