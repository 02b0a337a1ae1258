"""Start-up is a feature: what a command may import, and what it never does."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from spry.artifacts.contents import is_settled

PROGRAM = """
import os, sys
from spry.cli.main import run
code = run(sys.argv[2:])
sys.stdout.flush()
os.write(int(sys.argv[1]), " ".join([str(code), *sys.modules]).encode())
"""

HEAVY = {
    "asyncio", "click", "concurrent.futures", "dataclasses", "datetime", "frontmatter", "hashlib", "inspect",
    "logging", "markdown_it", "networkx", "pathlib", "rich", "shutil", "subprocess", "tempfile", "threading", "typing",
    "yaml",
}  # fmt: skip
MOST = 59


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "Spryfile.md").write_text(
        "---\nspry:\n  env: {A: 1}\n---\n```bash one\necho $A\n```\n```bash two --dep one --timeout 5m\n:\n```\n"
    )
    return tmp_path


def imported(folder, *argv):
    """The modules that a command line loads; it has to succeed."""
    read, write = os.pipe()
    program = [sys.executable, "-c", PROGRAM, str(write), *argv]
    env = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache")}
    subprocess.run(program, cwd=folder, env=env, pass_fds=[write], capture_output=True, check=True)
    os.close(write)
    with open(read) as stream:
        code, *modules = stream.read().split()
    assert code == "0", argv
    return set(modules)


def ours(modules):
    return {name for name in modules if name.partition(".")[0] == "spry"}


@pytest.mark.parametrize(
    "argv", [("ls",), ("task", "two"), ("runbook",), ("task", "two", "--fail-fast", "-j", "2"), ("exec", "true")]
)
def test_an_unchanged_runbook_starts_without_parsers_and_without_anything_heavy(folder, argv):
    imported(folder, *argv)

    assert not imported(folder, *argv) & HEAVY


def test_a_task_runs_with_few_modules_of_ours(folder):
    imported(folder, "task", "one")

    assert len(ours(imported(folder, "task", "one"))) <= MOST


def test_the_version_needs_next_to_nothing(folder):
    modules = imported(folder, "--version")

    assert not modules & HEAVY
    assert len(ours(modules)) < 10


def test_the_first_start_of_an_ordinary_runbook_needs_no_networkx(folder):
    assert "networkx" not in imported(folder, "task", "two")


def test_a_changed_runbook_is_parsed_again(folder):
    imported(folder, "ls")
    with open(folder / "Spryfile.md", "a") as stream:
        stream.write("```bash three\n:\n```\n")

    assert "markdown_it" in imported(folder, "ls")
    assert "markdown_it" not in imported(folder, "ls")


def test_a_run_without_reports_loads_nothing_of_them(folder):
    assert not [name for name in imported(folder, "task", "one") if "report" in name]
    assert "spry.view.reports.tap" in imported(folder, "task", "one", "--report", "tap=r.tap")


LOOKING = {"spry.api.freshness", "spry.engine.freshness", "spry.store.cache", "spry.artifacts.globs"}


def test_a_runbook_without_inputs_and_outputs_loads_nothing_that_looks_at_files(folder):
    assert not imported(folder, "runbook") & LOOKING


def test_finding_out_that_nothing_has_changed_reads_no_file_and_loads_nothing_for_it(folder):
    (folder / "input").write_text("1")
    (folder / "Spryfile.md").write_text("```bash one --inputs input --inputs '*.md' --outputs out\n: > out\n```\n")
    os.utime(folder / "input", (1, 1))
    for _ in range(3):
        modules = imported(folder, "runbook")
        settle(folder)

    assert modules >= LOOKING
    assert not modules & (HEAVY | {"json", "wcmatch", "spry.engine.keepsakes"})


def settle(folder):
    """Wait until the clock of the file system has moved on, so that what was made can be known by its times."""
    while not all(is_settled(os.stat(path), time.time_ns()) for path in folder.glob("*") if path.is_file()):
        os.sched_yield()
