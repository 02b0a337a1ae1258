from pathlib import Path

import pytest
import yaml

from spry.core import markdown
from spry.core.frontmatter import parse
from spry.core.settings import KEYS
from spry.core.source import source

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "front-matter.md"
CELLS = markdown.cells(source(PAGE.read_text(encoding="utf-8")))[0]
EXAMPLES = [cell.body for cell in CELLS if cell.language == "yaml"]
SECTIONS = frozenset({"defaults", "handlers", "artifacts", "params"})


def of_the_code():
    """Every key that holds a value, as the page writes it: `jobs`, `defaults.timeout`, `params.NAME.type`."""
    full = {f"{section}.{key}".removeprefix("spry.") for section, keys in KEYS.items() for key in keys}
    return full - SECTIONS


def of_the_page():
    rows = (line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `"))
    return [row.split("`")[1] for row in rows]


def of_the_examples():
    for example in EXAMPLES:
        for key, value in yaml.safe_load(example)["spry"].items():
            if key == "params":
                yield from (f"params.NAME.{part}" for one in value.values() if isinstance(one, dict) for part in one)
            elif key in SECTIONS:
                yield from (f"{key}.{part}" for part in value)
            else:
                yield key


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_is_valid_front_matter(example):
    found = parse(source(f"---\n{example}---\n"))

    assert found.problems == []
    assert found.end_line == example.count("\n") + 2


def test_every_key_is_documented_once_and_no_other():
    documented = of_the_page()

    assert sorted(documented) == sorted(of_the_code())


def test_every_key_has_an_example():
    assert of_the_code() - set(of_the_examples()) == set()


def test_every_section_of_the_code_is_known_to_this_test():
    named = {section.split(".")[1] for section in KEYS if "." in section}

    assert named == SECTIONS
