"""Runs whose tasks, folders or callers do what nobody expects: every one ends, with the right code and no traceback."""

from __future__ import annotations

import os
import pty
import resource
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 20  # seconds after which a run counts as hung


@pytest.fixture
def spry(tmp_path):
    """The command line in a folder with one runbook: the finished process, its stderr last."""

    def run(text, *options, **environ):
        (tmp_path / "Spryfile.md").write_text(text)
        private = tmp_path / "private"
        private.mkdir(exist_ok=True)
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(private), "TMPDIR": str(private)}
        env |= {"XDG_RUNTIME_DIR": str(private), "XDG_CACHE_HOME": str(private / "cache")} | environ
        argv = [sys.executable, "-m", "spry", "runbook", *options]
        return subprocess.run(
            argv, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=PATIENCE, check=False
        )

    return run


def cell(info, *lines):
    return "\n".join([f"```bash {info}", *lines, "```", ""])


@pytest.mark.parametrize("put", ["mkdir", "mkfifo"])
def test_something_else_in_place_of_the_output_file_fails_the_task_and_no_more(spry, tmp_path, put):
    done = spry(cell("a", f'{put} "$SPRY_OUTPUT"') + cell("b", "echo b"))

    assert done.returncode == 1
    assert "✗ a failed (" in done.stderr
    assert "$SPRY_OUTPUT is no file any more" in done.stderr
    assert "b completed" in done.stderr
    assert [name for name in os.listdir(tmp_path / "private") if name.startswith("spry-")] == []


def test_a_folder_in_place_of_the_output_file_of_a_failed_task_is_removed(spry, tmp_path):
    done = spry(cell("a", 'mkdir -p "$SPRY_OUTPUT/x"', "exit 4"))

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert [name for name in os.listdir(tmp_path / "private") if name.startswith("spry-")] == []


def test_a_task_that_removes_the_scratch_folder_ends_the_run_with_a_reason(spry):
    done = spry(cell("a", 'rm -rf "$(dirname "$SPRY_OUTPUT")"') + cell("b --dep a", "echo b"))

    assert done.returncode == 3
    assert "b failed" in done.stderr
    assert "cannot write" in done.stderr
    assert "Traceback" not in done.stderr


def test_names_longer_than_a_file_name_hand_over_their_values(spry):
    one, two = "a" * 300, "a" * 301
    done = spry(
        cell(one, "echo k=1 >>$SPRY_OUTPUT")
        + cell(two, "echo k=2 >>$SPRY_OUTPUT")
        + cell(f"c --dep {one} -I", 'echo "one=${captured.k}"')
        + cell(f"d --dep {two} -I", 'echo "two=${captured.k}"')
    )

    assert done.returncode == 0
    assert "one=1" in done.stdout
    assert "two=2" in done.stdout


def test_a_program_that_is_missing_in_the_middle_of_a_run_is_an_error_of_the_machine(spry):
    done = spry(cell("a", "true") + cell("b --dep a --interpreter no-such-program", "true"))

    assert done.returncode == 3
    assert "needs no-such-program" in done.stderr


def test_a_script_that_cannot_be_written_is_an_error_of_the_machine(spry, tmp_path):
    done = spry(cell("a", "f() { true; }", "f"), TMPDIR=str(tmp_path / "missing"))

    assert done.returncode == 3
    assert "cannot write the script" in done.stderr


def test_a_capture_without_room_fails_its_task_alone(spry, tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        done = spry(cell("a -C ./out.bin", "head -c 3000000 /dev/zero") + cell("b", "echo b"), "-q", "--no-history")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert done.returncode == 1
    assert "✗ a failed (" in done.stderr
    assert "cannot be kept: File too large" in done.stderr
    assert "1 succeeded, 1 failed" in done.stderr
    assert not (tmp_path / "out.bin").exists()


@pytest.mark.parametrize("letter", ["z", "ü"])
def test_a_file_can_be_captured_under_the_longest_name_there_is(spry, tmp_path, letter):
    name = letter * (250 // len(letter.encode()))
    done = spry(cell(f"a -C ./{name}", "echo kept"))

    assert done.returncode == 0
    assert (tmp_path / name).read_text() == "kept\n"


def test_a_folder_in_the_place_of_a_captured_file_is_named(spry, tmp_path):
    (tmp_path / "taken").mkdir()
    done = spry(cell("a -C ./taken", "echo x"))

    assert done.returncode == 1
    assert f"Is a directory: {tmp_path}/./taken" in done.stderr
    assert sorted(os.listdir(tmp_path)) == ["Spryfile.md", "private", "taken"]


def test_a_current_folder_that_is_gone_is_named(tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f'rmdir "{gone}"; exec "{sys.executable}" -m spry runbook'
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["/bin/sh", "-c", script], cwd=gone, env=env, capture_output=True, text=True, timeout=PATIENCE, check=False
    )

    assert done.returncode == 3
    assert "the current folder does not exist any more" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_is_typed_before_a_question_is_no_answer_to_it(tmp_path):
    (tmp_path / "Spryfile.md").write_text(cell("a --confirm one", "echo ran-a") + cell("b --confirm two", "echo ran-b"))
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        os.environ["PYTHONPATH"] = str(ROOT)
        os.execv(sys.executable, [sys.executable, "-m", "spry", "runbook", "--output", "raw"])
    shown = _until(terminal, b"one [y/N] ")
    os.write(terminal, b"y\ny\n")
    shown += _until(terminal, b"two [y/N] ")
    os.write(terminal, b"n\n")
    shown += _until(terminal, b"1 succeeded, 1 cancelled")
    _, status = os.waitpid(pid, 0)
    os.close(terminal)

    assert os.waitstatus_to_exitcode(status) == 1
    assert b"ran-a" in shown
    assert b"ran-b" not in shown


def _until(terminal, words):
    shown, end = b"", time.monotonic() + PATIENCE
    while words not in shown and time.monotonic() < end:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                shown += os.read(terminal, 4096)
            except OSError:
                break
    assert words in shown
    return shown
