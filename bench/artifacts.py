"""What it costs to save files and to restore them, against `tar` over the same files in the same rounds.

`small` are 10,000 files of up to 8 KB in 100 folders, `large` is one file of 1 GB, `both` is all of it. Saving hashes
everything and restoring checks every hash, where tar does neither; still each should take at most the time of tar, and
a second save of an untouched tree at most a quarter of the first.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from measure import ROOT, options, scratch, show

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

sys.path.insert(0, str(ROOT))

from spry.artifacts.blobs import Blobs
from spry.artifacts.restoring import Owned, restore
from spry.artifacts.saving import save
from spry.artifacts.snapshots import load, recorded
from spry.core.saving import Saving

FILES, FOLDERS = 10_000, 100
SIZES = (200, 1_000, 4_000, 8_000)
CHUNK = 1 << 24
EVERYTHING = Saving("", is_tree=True)
TREES = {"small": (FILES, False), "large": (0, True), "both": (FILES, True)}


def grow(folder: Path, *, files: int, size: int) -> None:
    for number in range(files):
        place = folder / f"d{number % FOLDERS}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"f{number}").write_bytes(os.urandom(SIZES[number % len(SIZES)]))
    folder.mkdir(exist_ok=True)
    if size:
        with (folder / "large").open("wb") as stream:
            for _ in range(max(size // CHUNK, 1)):
                stream.write(os.urandom(min(CHUNK, size)))


def timed(act: Callable[[], object]) -> float:
    begin = time.perf_counter()
    act()
    return time.perf_counter() - begin


class Round:
    """One round over a tree: tar and the store in turn, each from nothing, the store first in every other round."""

    def __init__(self, place: Path, tree: Path, *, store_first: bool) -> None:
        self.place, self.tree, self.store_first = place, tree, store_first
        self.blobs = Blobs(str(place / "store"))
        self.record = ""

    def run(self) -> dict[str, float]:
        """Everything once; the seconds of each part."""
        saves = [("tar c", self.pack), ("save", self.save)]
        restores = [("tar x", self.unpack), ("restore", self.restore)]
        turn = -1 if self.store_first else 1
        return dict(map(self.measured, (*saves[::turn], ("again", self.save), *restores[::turn])))

    def measured(self, part: tuple[str, Callable[[], None]]) -> tuple[str, float]:
        """The seconds of one part, with nothing left to write of those before it; what is large goes at once."""
        name, act = part
        os.sync()
        seconds = timed(act)
        for made in (self.place / "unpacked", self.place / "restored"):
            (made / "large").unlink(missing_ok=True)
        return name, seconds

    def close(self) -> None:
        """Make room for the next round; the small files stay until the end.

        ext4 is slow to make files for half a minute after it has removed many, and slows whoever comes next.
        """
        os.truncate(self.place / "tree.tar", 0)
        for blob in (self.place / "store" / "blobs").glob("*/*"):
            blob.unlink()

    def pack(self) -> None:
        """What tar does to save."""
        subprocess.run(["tar", "-cf", self.place / "tree.tar", "-C", self.tree, "."], check=True)

    def unpack(self) -> None:
        """What tar does to restore."""
        (self.place / "unpacked").mkdir()
        subprocess.run(["tar", "-xf", self.place / "tree.tar", "-C", self.place / "unpacked"], check=True)

    def save(self) -> None:
        """What a task's save does."""
        memo = str(self.place / "store" / "memory" / "tree")
        self.record = recorded(save(self.blobs, str(self.tree), [EVERYTHING], memo=memo), self.blobs)

    def restore(self) -> None:
        """What a task's restore does."""
        found = load(self.record, self.blobs)
        restore(self.blobs, [Owned("task", found)], str(self.place / "restored"))


def row(name: str, folder: Path, tree: Path, rounds: int) -> dict[str, object]:
    samples = []
    for number in range(rounds):
        place = folder / f"{name}-{number}"
        place.mkdir()
        one = Round(place, tree, store_first=number % 2 == 1)
        samples.append(one.run())
        one.close()
    middle = {key: statistics.median(sample[key] for sample in samples) for key in samples[0]}
    return {
        "tree": name,
        **middle,
        "save/tar": middle["save"] / middle["tar c"],
        "again/save": middle["again"] / middle["save"],
        "restore/tar": middle["restore"] / middle["tar x"],
        "all/tar": (middle["save"] + middle["restore"]) / (middle["tar c"] + middle["tar x"]),
    }


def main() -> None:
    parser = options(__doc__ or "", rounds=5)
    parser.add_argument("--trees", default="small,large,both", help="which trees (default small,large,both)")
    parser.add_argument("--size", type=int, default=1024, help="megabytes of the large file (default 1024)")
    chosen = parser.parse_args()
    size = chosen.size << 20
    rows = []
    with scratch() as (folder, _):
        for name in chosen.trees.split(","):
            files, large = TREES[name]
            tree = folder / f"tree-{name}"
            grow(tree, files=files, size=size if large else 0)
            time.sleep(2.1)  # a file that has just been written is not trusted to stay as it is
            rows.append(row(name, folder, tree, chosen.rounds))
    show(rows, as_json=chosen.json)


if __name__ == "__main__":
    main()
