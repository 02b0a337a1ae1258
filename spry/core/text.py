"""Small matters of language: near names, durations, sizes, lists of names."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
MEGABYTES = {"": 1.0, "B": 1 / 1024**2, "K": 1 / 1024, "M": 1.0, "G": 1024.0, "T": 1024.0**2}


def edits(one: str, other: str, most: int = 2) -> int:
    """How many insertions, deletions, replacements or swaps of neighbours lie between two words.

    Counts no further than `most` + 1 (optimal string alignment distance).
    """
    if abs(len(one) - len(other)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        before, last, row = row, before, [i]
        for j, wanted in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return most + 1
    return min(row[-1], most + 1)


def closest(name: str, names: Iterable[str]) -> str | None:
    """The name that was probably meant: at most two edits away, one for short words; None if none is near."""
    most = 1 if len(name) < 4 else 2
    near = [(edits(name.lower(), other.lower(), most), other) for other in names]
    best = min(near, default=(most + 1, ""))
    return best[1] if best[0] <= most else None


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """A hint that names the nearest known name, or nothing."""
    near = closest(name, names)
    return f'did you mean "{near}"?' if near else ""


def listing(names: Sequence[str], last: str = "and") -> str:
    """Names as people list them: `a`, `a and b`, `a, b and c`."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {last} {names[-1]}"


def plural(count: int, word: str) -> str:
    """A count with its word: `1 task`, `2 tasks`."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def parse_duration(text: str) -> float | None:
    """Seconds from `30`, `0.5`, `30s`, `250ms`, `5m`, `1h30m`; None for anything else, zero and infinity included."""
    number = _number(text)
    if number is not None:
        return number or None
    total, digits, unit = 0.0, "", ""
    units = list(reversed(SECONDS))
    for letter in f"{text} ":
        if unit and (letter.isdigit() or letter in ". "):
            if unit not in units or _number(digits) is None:
                return None
            units = units[units.index(unit) + 1 :]  # each unit once, largest first
            total += float(digits) * SECONDS[unit]
            digits, unit = "", ""
        if letter.isdigit() or letter == ".":
            digits += letter
        else:
            unit += letter
    return None if digits else total or None


def format_duration(seconds: float) -> str:
    """Seconds as people read them: `0.4s`, `1m05s`, `2h03m`."""
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02}m"


def exact_duration(seconds: float) -> str:
    """Seconds with nothing rounded away, as a runbook would write them: `90` is `1m30s`, `0.5` is `0.5s`."""
    if seconds < 60 or seconds % 1:
        return f"{seconds:g}s"
    whole = int(seconds)
    parts = ((whole // 3600, "h"), (whole % 3600 // 60, "m"), (whole % 60, "s"))
    return "".join(f"{count}{unit}" for count, unit in parts if count)


def parse_size(text: str) -> float | None:
    """Megabytes (of 1024 x 1024 bytes) from `512`, `512M`, `1.5G`, `64KiB`, `2GB`; None for anything else."""
    digits = text.rstrip("BKMGTbkmgti")
    unit = text[len(digits) :].upper().removesuffix("IB")
    unit = unit.removesuffix("B") if len(unit) > 1 else unit
    number = _number(digits)
    if number is None or unit not in MEGABYTES:
        return None
    return number * MEGABYTES[unit] or None


def format_size(size: int) -> str:
    """Bytes as people read them: `812 B`, `1.5 KB`, `34 MB`, of 1024 each."""
    number, units = float(size), ["TB", "GB", "MB", "KB", "B"]
    while number >= 1023.5 and len(units) > 1:
        number /= 1024
        units.pop()
    return f"{number:.1f} {units[-1]}" if number < 9.95 and units[-1] != "B" else f"{number:.0f} {units[-1]}"


def _number(text: str) -> float | None:
    """A plain decimal number without sign, exponent or blanks, in ASCII digits."""
    whole, point, rest = text.partition(".")
    if not text.isascii() or not whole.isdigit() or (point and not rest.isdigit()):
        return None
    return float(text)
