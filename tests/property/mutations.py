"""Slips of the pen: small changes of a runbook, each with the lines where a problem may be told because of it."""

from __future__ import annotations

import re
from typing import NamedTuple

from spry.core import markdown
from spry.core.frontmatter import parse
from spry.core.source import source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from spry.core.markdown import Cell
    from spry.core.model import Task

FLAG = re.compile(r"(?<=\s)--[a-z-]+")
QUOTE = re.compile(r"(?<!\w)[\"']|[\"'](?!\w)")
DEPENDENCY = re.compile(r"(?:--dep|-D|--needs)[ =]([\w.,:/+-]+)")
OPTIONAL = re.compile(r"\s(-C|--capture|--gitignore|--confirm|--restore) [^-]")
DURATION = re.compile(r"(?<=--timeout )\S+")


class Mutant(NamedTuple):
    """A changed runbook; `lines` are where a problem may be told, none if the plan must stay the same."""

    text: str
    lines: frozenset[int]
    what: str


class Page:
    """A runbook as lines, its fences, and those of its lines that open a task."""

    def __init__(self, text: str, tasks: Sequence[Task]) -> None:
        self.read = source(text)
        self.lines = list(self.read.lines)
        self.cells, _ = markdown.cells(self.read, parse(self.read).end_line)
        self.tasks = tasks
        self.names = {task.name for task in tasks}

    def replaced(self, line: int, text: str | None, what: str, *others: int) -> Mutant:
        """The page with one line replaced (None: removed)."""
        lines = [*self.lines]
        lines[line - 1 : line] = [] if text is None else [text]
        return Mutant("\n".join(lines), frozenset((line, *others)), what)

    def rows(self, pattern: re.Pattern[str]) -> list[tuple[Task, re.Match[str]]]:
        """Where a pattern occurs in the lines that open tasks."""
        return [(task, found) for task in self.tasks for found in pattern.finditer(self.lines[task.line - 1])]

    def cut(self, task: Task, found: re.Match[str], text: str, what: str) -> Mutant:
        """The page with a match replaced by another text."""
        line = self.lines[task.line - 1]
        start, end = found.span(found.lastindex or 0)
        return self.replaced(task.line, line[:start] + text + line[end:], f"{what}: {found[0]} → {text!r}")


def drop_quote(page: Page, random: Random) -> Mutant | None:
    rows = page.rows(QUOTE)
    return page.cut(*random.choice(rows), "", "drop a quote") if rows else None


def misspell_flag(page: Page, random: Random) -> Mutant | None:
    rows = page.rows(FLAG)
    if not rows:
        return None
    task, found = random.choice(rows)
    return page.cut(task, found, "--" + misspelt(found[0][2:], random), "misspell a flag")


def misspell_dependency(page: Page, random: Random) -> Mutant | None:
    rows = page.rows(DEPENDENCY)
    if not rows:
        return None
    task, found = random.choice(rows)
    first, *others = found[1].split(",")
    wrong = misspelt(first, random)
    return None if wrong in page.names else page.cut(task, found, ",".join([wrong, *others]), "misspell a dependency")


def break_duration(page: Page, random: Random) -> Mutant | None:
    rows = page.rows(DURATION)
    return page.cut(*random.choice(rows), "soon", "break a duration") if rows else None


def move_name(page: Page, random: Random) -> Mutant | None:
    task = random.choice(page.tasks)
    line = page.lines[task.line - 1]
    name = re.search(rf"(?<=\s){re.escape(task.name)}(?=\s)", line)
    if name is None or "{" in line or "<!--" in line:
        return None
    return page.replaced(task.line, f"{line[: name.start()]}{line[name.end() :].strip()} {task.name}", "move NAME")


def drop_name(page: Page, random: Random) -> Mutant | None:
    task = random.choice(page.tasks)
    line = page.lines[task.line - 1]
    if not FLAG.search(line) or OPTIONAL.search(line):
        return None  # without a flag a cell is documentation; behind a flag like -C the next word becomes the name
    return page.replaced(task.line, re.sub(rf"\s{re.escape(task.name)}(?=\s)", "", line, count=1), "drop NAME")


def repeat_name(page: Page, random: Random) -> Mutant | None:
    task, other = random.choice(page.tasks), random.choice(page.tasks)
    if task.name == other.name:
        return None
    line = re.sub(rf"(?<=\s){re.escape(task.name)}(?=\s|$)", other.name, page.lines[task.line - 1], count=1)
    return page.replaced(task.line, line, "repeat a name", other.line)


def unclose(page: Page, random: Random) -> Mutant | None:
    cell = random.choice(page.cells)
    return page.replaced(cell.end, None, f"unclose the fence of line {cell.line}", cell.line)


def shorten_end(page: Page, random: Random) -> Mutant | None:
    cell = random.choice(page.cells)
    text = page.lines[cell.end - 1].replace(cell.marker, cell.marker[1:])
    return page.replaced(cell.end, text, f"a letter less at the end of the fence of line {cell.line}", cell.line)


def shorten_start(page: Page, random: Random) -> Mutant | None:
    cells = [cell for cell in page.cells if len(cell.marker) == 3]
    if not cells:
        return None
    cell = random.choice(cells)
    text = page.lines[cell.line - 1].replace(cell.marker, cell.marker[1:], 1)
    return page.replaced(cell.line, text, f"a letter less at the start of line {cell.line}", *range(cell.end, 9999))


def unknown_key(page: Page, random: Random) -> Mutant | None:
    lines = page.lines
    if "spry:" not in lines:
        return None
    at = lines.index("spry:") + 1
    text = lines[at].replace(":", "x:", 1)
    return page.replaced(at + 1, text, "misspell a key of the front matter", *range(at, at + 9))


def windows(page: Page, random: Random) -> Mutant:
    return Mutant("\r\n".join(page.lines), frozenset(), "CRLF")


def old_mac(page: Page, random: Random) -> Mutant:
    return Mutant("\r".join(page.lines), frozenset(), "CR")


def byte_order_mark(page: Page, random: Random) -> Mutant:
    return Mutant("\ufeff" + "\n".join(page.lines), frozenset(), "byte order mark")


def trailing_blanks(page: Page, random: Random) -> Mutant:
    task = random.choice(page.tasks)
    return page.replaced(task.line, page.lines[task.line - 1] + "  \t", "trailing blanks")._replace(lines=frozenset())


def tabs(page: Page, random: Random) -> Mutant | None:
    task = random.choice(page.tasks)
    line = page.lines[task.line - 1]
    if QUOTE.search(line) or "<!--" in line or "{" in line:
        return None
    return page.replaced(task.line, line.lstrip().replace(" ", "\t"), "tabs")._replace(lines=frozenset())


def equals(page: Page, random: Random) -> Mutant | None:
    rows = page.rows(re.compile(r"(--(?:dep|descr|timeout|graph|tag|env|retry)) (?=[^\s-])"))
    if not rows:
        return None
    task, found = random.choice(rows)
    line = page.lines[task.line - 1]
    text = f"{line[: found.end() - 1]}={line[found.end() :]}"
    return page.replaced(task.line, text, "--flag=value")._replace(lines=frozenset())


def longer_fence(page: Page, random: Random) -> Mutant:
    cell: Cell = random.choice(page.cells)
    lines = [*page.lines]
    for line in (cell.line, cell.end):
        lines[line - 1] = lines[line - 1].replace(cell.marker, cell.marker + cell.marker[0], 1)
    return Mutant("\n".join(lines), frozenset(), f"a longer fence at line {cell.line}")


def misspelt(word: str, random: Random) -> str:
    """A word with one slip: a letter lost, doubled, or changed places with the next."""
    at = random.randrange(len(word))
    slips = [word[:at] + word[at + 1 :], word[:at] + word[at] + word[at:], word[: at + 1] + "x" + word[at + 1 :]]
    if at + 1 < len(word) and word[at] != word[at + 1]:
        slips.append(word[:at] + word[at + 1] + word[at] + word[at + 2 :])
    return random.choice([slip for slip in slips if slip and slip[0] not in "-+./:"] or [f"{word}x"])


MUTATIONS: Sequence[Callable[[Page, Random], Mutant | None]] = (
    drop_quote, misspell_flag, misspell_dependency, break_duration, move_name, drop_name, repeat_name, unclose,
    shorten_end, shorten_start, unknown_key, windows, old_mac, byte_order_mark, trailing_blanks, tabs, equals,
    longer_fence,
)  # fmt: skip


def mutants(text: str, tasks: Sequence[Task], random: Random, count: int) -> list[Mutant]:
    """Mutants of a runbook, every kind that fits it in turn."""
    page = Page(text, tasks)
    found: list[Mutant] = []
    turn = 0
    while len(found) < count:
        mutant = MUTATIONS[turn % len(MUTATIONS)](page, random)
        turn += 1
        if mutant is not None and mutant.text != text:
            found.append(mutant)
    return found
