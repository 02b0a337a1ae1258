"""Where the links of a saved tree lead: never out of it, by no detour over other links."""

from __future__ import annotations

from spry.artifacts.snapshots import LINK, shown
from spry.errors import SpryError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from spry.artifacts.snapshots import Entry

HOPS = 40  # links that lead to links, as many as Linux follows


def check_links(entries: Iterable[Entry]) -> None:
    """Raise SpryError for a link that leads out of the tree, alone or with the help of others."""
    links = {entry.path: entry.target for entry in entries if entry.kind == LINK}
    for path, target in links.items():
        if not _stays(path, links):
            raise SpryError(
                f"the link '{shown(path)}' leads out of the tree: {shown(target)}",
                "make it relative, or leave it out with --save '!GLOB'",
            )


def _stays(path: bytes, links: dict[bytes, bytes]) -> bool:
    """Whether following a link ends inside; what is no link of the tree counts as a folder of it.

    A chain that is longer than systems follow cannot be followed at all, and ends nowhere.
    """
    place = path.split(b"/")[:-1]
    rest = [links[path]]
    for _ in range(HOPS):
        target = rest.pop()
        if target.startswith(b"/"):
            return False
        rest.extend(reversed(target.split(b"/")))
        while rest:
            segment = rest.pop()
            if segment == b"..":
                if not place:
                    return False
                place.pop()
            elif segment not in (b"", b"."):
                found = links.get(b"/".join((*place, segment)))
                if found is not None:
                    rest.append(found)
                    break
                place.append(segment)
        else:
            return True
    return True
