"""Files that nobody here wrote: the documents of other tools, and runbooks of the original Spry.

They lie in a folder beside the repository and are no part of it; where that is absent, these tests are skipped.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from spry.core.compile import compile_sources
from spry.core.frontmatter import parse
from spry.core.markdown import cells
from spry.core.source import decode
from spry.errors import Problem

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT.parent / "shared" / "corpus"
FOREIGN = CORPUS / "foreign"
ORIGINALS = CORPUS / "spry"

pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not beside this repository")

ORACLE = json.loads((FOREIGN / "fences.json").read_text())["files"] if CORPUS.is_dir() else {}
DOCUMENTS = sorted(ORACLE) or ["absent"]
RUNBOOKS = sorted(path.name for path in ORIGINALS.glob("*.md")) or ["absent"]
UNTERMINATED = "13-ie-brokenMarkdown.md"


def read(path: Path):
    source = decode(path.read_bytes(), path.name, str(path.parent))
    assert not isinstance(source, Problem)
    return source


class Spry:
    """The command line in a folder with copies of the original runbooks."""

    def __init__(self, place: Path) -> None:
        self.folder = place / "book"
        shutil.copytree(ORIGINALS, self.folder)
        self.programs = place / "bin"
        self.programs.mkdir()
        self.calls = place / "calls"
        self.env = {
            "PATH": f"{self.programs}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "HOME": str(place),
            "LANG": "C.UTF-8",
            "XDG_CACHE_HOME": str(place / "cache"),
            "CALLS": str(self.calls),
        }

    def stub(self, name: str, script: str = "") -> None:
        """Put a program first on PATH that notes its calls and does nothing else."""
        path = self.programs / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >> "$CALLS"\n{script}\n')
        path.chmod(0o755)

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "spry", *argv],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            start_new_session=True,
        )

    def names(self, file: str) -> list[str]:
        """The tasks that `spry ls` finds in a file."""
        return [task["name"] for task in json.loads(self.run("ls", file, "--json").stdout)]


@pytest.fixture
def spry(tmp_path):
    return Spry(tmp_path)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_fences_of_foreign_documents_are_those_of_commonmark(name):
    source = read(FOREIGN / name)
    found, _ = cells(source, parse(source).end_line)

    assert [
        (
            cell.line,
            cell.end,
            cell.marker,
            cell.info.strip(),
            cell.level,
            hashlib.sha256(cell.body.encode()).hexdigest(),
        )
        for cell in found
    ] == [
        (fence["line"], fence["end"], fence["marker"], fence["info"].strip(), fence["level"], fence["content_sha256"])
        for fence in ORACLE[name]["list"]
    ]


def test_every_document_is_in_the_oracle():
    assert sorted(path.name for path in FOREIGN.glob("*.md")) == DOCUMENTS


@pytest.mark.parametrize("name", DOCUMENTS)
def test_no_foreign_document_upsets_the_check(name):
    done = subprocess.run(
        [sys.executable, "-m", "spry", "check", str(FOREIGN / name), "--format", "json"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    problems = json.loads(done.stdout)
    lines = (FOREIGN / name).read_bytes().replace(b"\r\n", b"\n").decode().split("\n")

    assert done.returncode == (2 if any(problem["severity"] == "error" for problem in problems) else 0)
    assert done.stderr == ""
    for problem in problems:
        assert 1 <= problem["column"] <= len(lines[problem["line"] - 1]) + 1


def test_only_the_broken_document_has_an_unterminated_fence():
    told = {name: compile_sources([read(FOREIGN / name)]).problems for name in DOCUMENTS}
    found = [(name, one.line) for name in told for one in told[name] if "unterminated fence" in one.message]

    assert found == [(UNTERMINATED, ORACLE[UNTERMINATED]["list"][-1]["line"])]


@pytest.mark.parametrize("name", ["04-tesh-README.md", "14-ie-prerequisitesAndIncludes.md"])
def test_examples_inside_other_fences_and_comments_are_no_tasks(name):
    found = compile_sources([read(FOREIGN / name)])
    outer = {fence["line"] for fence in ORACLE[name]["list"]}

    assert found.sketch is not None
    assert {task.line for task in found.sketch.runbook.tasks.values()} <= outer


NAMES = {
    "01-spry-fixture-01-capture-graph-envrc.md": "task-1 task-2 task-3 task-4 clean prepare-env",
    "02-spry-fixture-02-partials-interpolate.md": "task-1 task-2 PARTIAL task-3 task-4",
    "03-spry-fixture-04-graphs.md": "task-1 task-2 task-3 task-4 task-5 task-6",
    "10-docs-deployment-runbook.md": "check-git-status check-tests build-app health-check deploy "
    "verify-deployment rollback",
    "20-fullstack.md": "check-tools db-start db-migrate db-seed backend-install backend-build backend-test "
    "frontend-install frontend-build frontend-test integration-test deploy-backend deploy-frontend "
    "deploy-complete cleanup",
}


@pytest.mark.parametrize("name", RUNBOOKS)
def test_every_task_of_an_original_runbook_is_listed(spry, name):
    assert spry.names(name) == NAMES[name].split()


@pytest.mark.parametrize("name", RUNBOOKS)
def test_the_check_of_an_original_runbook_is_right(spry, name):
    done = spry.run("check", name)
    scripts = name.startswith("02")

    assert done.returncode == (2 if scripts else 0), done.stdout
    assert ("no JavaScript" in done.stdout or "$!{" in done.stdout) is scripts
    assert ("--finally" in done.stdout) is name.startswith("20")


def test_the_edges_of_the_full_stack_are_those_of_its_picture(spry):
    edges = json.loads(spry.run("dag", "20-fullstack.md", "--format", "json").stdout)["edges"]
    needs = {}
    for edge in edges:
        needs.setdefault(edge["to"], set()).add(edge["from"])

    assert needs["integration-test"] == {"backend-test", "frontend-test", "db-seed"}
    assert needs["deploy-complete"] == {"deploy-backend", "deploy-frontend"}
    assert needs["backend-test"] == {"backend-build", "db-seed"}
    assert needs["cleanup"] == {"deploy-complete"}
    assert len(edges) == 18


def test_captures_graphs_and_env_files_of_01_work(spry):
    file = "01-spry-fixture-01-capture-graph-envrc.md"
    done = spry.run("runbook", file)

    assert done.returncode == 0, done.stderr
    assert '# from task-2 captured output: "task-2 successful"\n' in done.stdout
    assert (spry.folder / "task-3.txt").read_text() == "task-3 successful\n"
    assert (spry.folder / ".envrc").read_text().endswith("export PORT=9227\n")
    assert sorted((spry.folder / ".gitignore").read_text().split()) == [".envrc", "task-3.txt"]
    assert spry.run("runbook", file, "--graph", "special").returncode == 0
    assert not (spry.folder / "task-3.txt").exists()


def test_the_javascript_of_02_is_refused_expression_by_expression(spry):
    file = "02-spry-fixture-02-partials-interpolate.md"
    lines = (spry.folder / file).read_text().split("\n")
    places = [
        f"{file}:{number}:{line.index('$!{') + 1}"
        for number, line in enumerate(lines, 1)
        if "$!{" in line and not line.startswith("The ")
    ]
    done = spry.run("task", "PARTIAL", file)

    assert done.returncode == 2
    assert len(places) == 9
    for place in places:
        assert f"{place}: Error:" in done.stderr
    assert done.stdout == ""


def test_03_runs_by_its_graphs_and_names_them_otherwise(spry):
    file = "03-spry-fixture-04-graphs.md"
    done = spry.run("runbook", file, "--graph", "A,B,C")
    bare = spry.run("runbook", file)

    assert done.returncode == 0
    assert sorted(done.stdout.splitlines()) == [f"Task-{number} ran successfully" for number in range(1, 7)]
    assert bare.returncode == 2
    assert "choose with --graph: A, B and C" in bare.stderr


def test_10_neither_builds_nor_deploys_when_its_tests_fail(spry):
    for program in ("git", "ssh", "rsync", "sleep"):
        spry.stub(program)
    spry.stub("npm", 'test "$1" != test')
    spry.stub("curl", "printf 200")
    done = spry.run("task", "verify-deployment", "10-docs-deployment-runbook.md")
    calls = spry.calls.read_text().splitlines()

    assert done.returncode == 1
    assert "✗ check-tests failed with exit code 1" in done.stderr
    for name in ("build-app", "deploy", "verify-deployment"):
        assert f"⊘ {name} skipped (dependency failed)" in done.stderr
    assert "npm test" in calls
    assert not any(call.startswith(("npm run", "rsync", "ssh")) for call in calls)
    assert "rollback" not in done.stderr


def test_10_deploys_when_everything_is_well(spry):
    for program in ("git", "ssh", "rsync", "sleep", "npm"):
        spry.stub(program)
    spry.stub("curl", "printf 200")
    (spry.folder / "dist").mkdir()
    done = spry.run("task", "verify-deployment", "10-docs-deployment-runbook.md")
    calls = [call.split()[0] for call in spry.calls.read_text().splitlines()]

    assert done.returncode == 0, done.stderr
    assert calls.index("npm") < calls.index("rsync") < calls.index("ssh")
