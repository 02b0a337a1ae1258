"""What it costs to save files and to restore them, against `tar` over the same files in the same rounds.

`small` are 10,000 files of up to 8 KB in 100 folders, `large` is one file of 1 GB, `both` is all of it. Saving hashes
everything and restoring checks every hash, where tar does neither; still each should take at most the time of tar, and
a second save of an untouched tree at most a quarter of the first.
"""

from __future__ import annotations

import os
import shutil
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
    """One round over a tree: tar and the store, in turn, each from nothing."""

    def __init__(self, place: Path, tree: Path) -> None:
        self.place, self.tree = place, tree
        self.blobs = Blobs(str(place / "store"))
        self.record = ""

    def run(self) -> dict[str, float]:
        """Everything once; the seconds of each part."""
        found = {
            "tar c": timed(self.pack), "save": timed(self.save), "again": timed(self.save),
            "tar x": timed(self.unpack), "restore": timed(self.restore),
        }  # fmt: skip
        shutil.rmtree(self.place)
        return found

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
        os.sync()  # what the last round has written is not written in this one
        samples.append(Round(place, tree).run())
    best = {key: min(one[key] for one in samples) for key in samples[0]}
    return {
        "tree": name,
        **best,
        "save/tar": best["save"] / best["tar c"],
        "again/save": best["again"] / best["save"],
        "restore/tar": best["restore"] / best["tar x"],
        "all/tar": (best["save"] + best["restore"]) / (best["tar c"] + best["tar x"]),
    }


def main() -> None:
    parser = options(__doc__ or "", rounds=5)
    parser.add_argument("--size", type=int, default=1024, help="megabytes of the large file (default 1024)")
    chosen = parser.parse_args()
    size = chosen.size << 20
    rows = []
    with scratch() as (folder, _):
        for name, files, large in (("small", FILES, 0), ("large", 0, size), ("both", FILES, size)):
            tree = folder / f"tree-{name}"
            grow(tree, files=files, size=large)
            time.sleep(2.1)  # a file that has just been written is not trusted to stay as it is
            rows.append(row(name, folder, tree, chosen.rounds))
            shutil.rmtree(tree)
    show(rows, as_json=chosen.json)


if __name__ == "__main__":
    main()
