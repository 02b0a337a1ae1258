"""ARCHITECTURE.md says where everything is: every module in its room, every floor in its place, nothing else."""

from __future__ import annotations

import re
import tomllib

from pages import ROOT

TEXT = (ROOT / "ARCHITECTURE.md").read_text()


def section(title):
    return TEXT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rooms():
    """The modules in bold below the heading of each package."""
    found = {}
    for part in section("Rooms").split("\n### ")[1:]:
        package, _, text = part.partition("\n")
        found[package.replace(".", "/")] = sorted(re.findall(r"\*\*([\w/]+)\*\*", text.replace("\\", "")))
    return found


def test_every_module_is_named_once_in_its_room_and_every_name_is_a_module():
    packages = {init.parent for init in (ROOT / "spry").rglob("__init__.py")}
    modules = {
        str(package.relative_to(ROOT)): sorted(path.stem for path in package.glob("*.py") if path.stem != "__init__")
        for package in packages
    }

    assert rooms() == modules


def test_the_floors_are_those_that_are_held():
    """A floor is a line that begins with its packages; what is said of them stands two blanks apart."""
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    held = [layer.split(" | ") for layer in tool["contracts"][0]["layers"]]
    lines = re.findall(r"^    ((?:[a-z]+ {1,2})+) {1,}", section("Floors"), re.MULTILINE)
    floors = [line.split() for line in lines]

    assert [floor[: len(layer)] for floor, layer in zip(floors, held, strict=True)] == held
