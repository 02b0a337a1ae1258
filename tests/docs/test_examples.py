"""The programs of `examples/` run, and say what they are there to show (row T30)."""

from __future__ import annotations

import os
import subprocess
import sys

from pages import ROOT


def test_t30_finally_tasks_run_after_a_failure_and_an_optional_one_changes_nothing(tmp_path):
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / "finally_tasks.py", tmp_path],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "Build: succeeded",
        "Test: failed - 1 of 12 tests failed",
        "Publish: blocked",
        "Clean up: succeeded",
        "Report: succeeded",
        "Recommend: failed (optional) - nobody is here to recommend anything",
        "ok: False, because of ['Test']",
    ]
    assert not (tmp_path / "build").exists()
    assert (tmp_path / "report.txt").read_text().splitlines() == [
        "Build: succeeded",
        "Test: failed",
        "Publish: blocked",
        "Clean up: succeeded",
    ]
