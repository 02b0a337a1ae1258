"""A slip of the pen in a runbook gives the same plan or an error at its line, never silently a smaller plan."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

import pytest
from mutations import Mutant, mutants

from spry.core.compile import compile_sources
from spry.core.source import source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from book import Forks


ROOT = Path(__file__).resolve().parents[2]
ORIGINALS = ROOT.parent / "shared" / "corpus" / "spry"  # beside the repository, where it is there at all
PAGES = [*sorted((ROOT / "runbooks").glob("*.md")), *sorted(ORIGINALS.glob("*.md"))]
EACH = 25


def compiled(text: str):
    return compile_sources([source(text)])


def meaning(graph):
    """A plan without the places where its parts stand."""
    if graph is None:
        return None
    tasks = {}
    for name, task in graph.runbook.tasks.items():
        params = tuple(param._replace(line=0, column=0) for param in task.params)
        expressions = tuple(found._replace(line=0, column=0) for found in task.expressions)
        nowhere = {"line": 0, "column": 0, "body_line": 0, "dep_marks": (), "save_marks": (), "origins": ()}
        tasks[name] = task._replace(params=params, expressions=expressions, **nowhere)
    return tasks, dict(graph.deps), dict(graph.kinds), dict(graph.runbook.settings)


def of_page(path: Path) -> list[Mutant]:
    text = path.read_text("utf-8")
    sketch = compiled(text).sketch
    assert sketch is not None
    return mutants(text, [*sketch.runbook.tasks.values()], Random(path.name), EACH)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_slip_gives_the_same_plan_or_an_error_at_its_line(path):
    before = compiled(path.read_text("utf-8"))
    plan = meaning(before.sketch)
    known = {problem.message for problem in before.problems}

    for mutant in of_page(path):
        found = compiled(mutant.text)
        new = [one for one in found.problems if one.severity == "error" and one.message not in known]
        if meaning(found.sketch) != plan or (found.graph is None and before.graph is not None):
            assert {problem.line for problem in new} & mutant.lines, (mutant.what, mutant.lines, new)


@pytest.mark.parametrize("path", PAGES[:: len(PAGES) // 3], ids=lambda path: path.name)
def test_the_command_line_tells_a_slip_as_well(path, tmp_path, forks):
    before = dry_run(path.read_text("utf-8"), tmp_path, forks)

    for mutant in of_page(path)[::6]:
        after = dry_run(mutant.text, tmp_path, forks)
        if after[0] == 2:
            assert any(f"Spryfile.md:{line}:" in after[1] for line in mutant.lines), (mutant.what, after[1])
        else:
            assert after == before, mutant.what


def dry_run(text: str, folder: Path, forks: Forks) -> tuple[int, str]:
    """The exit code of a dry run, and the plan as JSON or the problems."""
    (folder / "Spryfile.md").write_bytes(text.encode())
    env = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    done = forks.finish("runbook", "--dry-run", "--json", cwd=folder, env=env, streams=folder)
    return done.exit_code, done.stderr if done.exit_code else done.stdout
