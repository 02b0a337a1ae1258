"""The page of faults names tests that are there, all of them, and counts what it lists."""

from __future__ import annotations

import re

import pages
from pages import ROOT

PAGE = "docs/reference/faults.md"
TEST = re.compile(r"^def (test_\w+)\(", re.MULTILINE)


def rows() -> list[tuple[str, str]]:
    """The number of each case, and the cell that names its tests."""
    found = (re.match(r"\| (\d+) \| .* \| (.*) \|$", line) for line in pages.text(PAGE).split("\n"))
    return [(row[1], row[2]) for row in found if row]


def written() -> set[str]:
    return {name for path in (ROOT / "tests").rglob("test_*.py") for name in TEST.findall(path.read_text("utf-8"))}


def test_every_case_names_tests_and_each_of_them_exists():
    named = {case: re.findall(r"`(test_\w+)`", cell) for case, cell in rows()}

    assert [case for case, tests in named.items() if not tests] == []
    assert {test for tests in named.values() for test in tests} - written() == set()


def test_every_test_of_a_case_stands_in_the_row_of_that_case():
    cells = dict(rows())

    missing = [
        name
        for name in sorted(written())
        if (case := re.match(r"test_case_(\d+)_", name)) and f"`{name}`" not in cells.get(case[1], "")
    ]
    assert missing == []


def test_the_count_is_that_of_the_rows_and_no_case_stands_twice():
    count = re.search(r"\*\*Survived: (\d+) of (\d+) cases\.\*\*", pages.text(PAGE))
    cases = [case for case, _ in rows()]

    assert count is not None
    assert int(count[1]) <= int(count[2]) == len(cases)
    assert len(set(cases)) == len(cases)
