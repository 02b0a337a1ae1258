"""A runbook of a stranger is shown and asked about before anything of it runs; looking at it is always allowed."""

from __future__ import annotations

import os

import pytest
from book import cell
from test_terminal import Terminal, plain

from spry.api.places import STDIN, File
from spry.api.trust import doubt_of

RUNBOOK = cell("bash build", "touch ran", "echo built")
STRANGER = 54321


def typed(book, *argv, answer, text=RUNBOOK):
    """A run on a terminal whose runbook comes from a pipe; what was seen, and the exit code."""
    source, into = os.pipe()
    os.write(into, text.encode())
    os.close(into)
    terminal = Terminal(book, *argv, stdin=source)
    os.close(source)
    if answer is not None:
        terminal.until("Run it? [y/N] ")
        terminal.type(answer)
    return plain(terminal.end()), terminal.process.returncode


@pytest.fixture
def strange(book):
    """The path of somebody else's runbook, outside of the folder in which commands run."""
    if os.geteuid():
        pytest.skip("only root can give a file away")
    path = book.place / "strange.md"
    path.write_text(RUNBOOK)
    os.chown(path, STRANGER, -1)
    (book.folder / ".git").mkdir()
    return str(path)


def test_a_runbook_from_stdin_is_refused_without_a_terminal(book):
    done = book.run("task", "build", "-f", "-", stdin=RUNBOOK.encode())

    assert done.exit_code == 2
    assert "the runbook comes from standard input, and there is no terminal to ask on" in done.stderr
    assert not book.has("ran")


def test_yes_runs_a_runbook_from_stdin(book):
    done = book.run("task", "build", "-f", "-", "--yes", stdin=RUNBOOK.encode())

    assert done.exit_code == 0
    assert book.has("ran")


@pytest.mark.parametrize(
    "argv",
    [("ls",), ("show", "build"), ("dag",), ("run", "-n"), ("run", "--show-dag")],
)
def test_looking_at_a_runbook_from_stdin_asks_nothing(book, argv):
    done = book.run(*argv, "-f", "-", stdin=RUNBOOK.encode())

    assert done.exit_code == 0
    assert "build" in done.stdout
    assert not book.has("ran")


def test_the_plan_is_shown_before_the_question(book):
    seen, code = typed(book, "run", "-f", "-", answer="y\n")

    assert seen.index("touch ran") < seen.index("Run it?") < seen.rindex("built")
    assert code == 0


def test_the_plan_is_shown_on_the_terminal_wherever_output_goes(book):
    with open(os.devnull, "wb") as nothing:
        source, into = os.pipe()
        os.write(into, RUNBOOK.encode())
        os.close(into)
        terminal = Terminal(book, "run", "-f", "-", stdin=source, stdout=nothing, stderr=nothing)
        terminal.until("Run it? [y/N] ")
        terminal.type("y\n")
        seen = terminal.end()

    assert "touch ran" in seen


@pytest.mark.parametrize("answer", ["n\n", "\n", "maybe\n"])
def test_any_other_answer_runs_nothing(book, answer):
    seen, code = typed(book, "run", "-f", "-", answer=answer)

    assert code == 2
    assert "not confirmed; nothing was run" in seen
    assert not book.has("ran")


def test_the_plan_that_is_shown_has_no_secret(book):
    text = cell("bash t --arg pw:secret", 'echo "got $pw"')
    seen, code = typed(book, "run", "-f", "-", "--param", "pw=hunter2 horse", answer="y\n", text=text)

    assert code == 0
    assert "pw=***" in seen
    assert "hunter2" not in seen


def test_a_script_cannot_rewrite_the_screen_on_which_it_is_judged(book):
    text = cell("bash t", "touch ran \x1b[2K\x1b[1A")
    seen, _ = typed(book, "run", "-f", "-", answer="n\n", text=text)

    assert "touch ran" in seen
    assert "\x1b[2K" not in seen


def test_a_strangers_runbook_outside_of_the_repository_is_refused_without_a_terminal(book, strange):
    done = book.run("run", "-f", strange)

    assert done.exit_code == 2
    assert f"{strange} lies outside of this repository and belongs to the user {STRANGER}" in done.stderr
    assert not (book.place / "ran").exists()


def test_yes_runs_a_strangers_runbook(book, strange):
    assert book.run("run", "-f", strange, "-y").exit_code == 0


def test_one_stranger_among_files_is_enough(book, strange):
    book(cell("bash own", "touch own"))
    done = book.run("run", "-f", "Spryfile.md", "-f", strange)

    assert done.exit_code == 2
    assert not book.has("own")


def test_a_strangers_runbook_inside_of_the_repository_is_run(book, strange):
    os.rename(strange, book.path("Spryfile.md"))

    assert book.run("run").exit_code == 0


def test_a_link_out_of_the_repository_is_a_strangers_runbook(book, strange):
    book.path("Spryfile.md").symlink_to(strange)

    assert book.run("run").exit_code == 2


def test_resuming_asks_again(book, strange):
    book.path("fails.md").write_text(cell("bash t", "exit 1"))
    os.rename(book.path("fails.md"), strange)
    assert book.run("run", "-f", strange).exit_code == 1
    os.chown(strange, STRANGER, -1)

    assert book.run("resume", "-f", strange).exit_code == 2


def test_outside_of_a_repository_only_the_owner_counts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert "belongs to" in doubt_of(File("r.md", str(tmp_path), b"", os.geteuid() + 1))
    assert doubt_of(File("r.md", str(tmp_path), b"", os.geteuid())) == ""


@pytest.mark.parametrize(("path", "doubted"), [("r.md", False), ("../r.md", True), ("../repository-2/r.md", True)])
def test_a_tree_ends_where_its_repository_ends(tmp_path, monkeypatch, path, doubted):
    (tmp_path / "repository" / ".git").mkdir(parents=True)
    (tmp_path / "repository" / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "repository" / "deep")
    folder = os.path.dirname(os.path.abspath(os.path.join("..", path)))

    assert bool(doubt_of(File(path, folder, b"", os.geteuid() + 1))) is doubted


def test_standard_input_is_nobodys(tmp_path):
    assert doubt_of(File(STDIN, str(tmp_path), b"", os.geteuid())) == "the runbook comes from standard input"


def test_a_runbook_that_comes_through_a_pipe_with_a_name_is_nobodys(book):
    os.mkfifo(book.path("queue.md"))
    process = book.start("run", "-f", "queue.md")
    book.path("queue.md").write_text(RUNBOOK)
    _, told = process.communicate()

    assert process.returncode == 2
    assert b"queue.md is no file" in told
    assert not book.has("ran")


def test_what_anybody_may_write_is_a_strangers(book):
    path = book.place / "open.md"
    path.write_text(RUNBOOK)
    path.chmod(0o666)
    outside = book.run("run", "-f", str(path))
    (book.folder / ".git").mkdir()
    path.rename(book.path("Spryfile.md"))

    assert outside.exit_code == 2
    assert "may be written by anybody" in outside.stderr
    assert book.run("run").exit_code == 0


def test_a_strangers_link_to_our_own_runbook_is_a_strangers(book, strange):
    book.path("mine.md").write_text(RUNBOOK)
    link = book.place / "linked.md"
    link.symlink_to(book.path("mine.md"))
    before = book.run("run", "-f", str(link)).exit_code
    os.chown(link, STRANGER, -1, follow_symlinks=False)
    done = book.run("run", "-f", str(link))

    assert before == 0
    assert done.exit_code == 2
    assert "belongs to" in done.stderr


def test_a_repository_that_a_stranger_laid_above_us_is_none(book, strange):
    os.chmod(book.folder, 0o777)
    os.chown(book.path(".git"), STRANGER, -1)
    os.rename(strange, book.path("Spryfile.md"))
    book.path("deep").mkdir()

    assert book.run("run", cwd="deep").exit_code == 2
    os.chmod(book.folder, 0o755)
    assert book.run("run", cwd="deep").exit_code == 0


def test_no_history_is_kept_where_a_stranger_laid_a_folder_for_it(book, strange):
    book(cell("bash t", "true")).path(".spry").mkdir()
    os.chown(book.path(".spry"), STRANGER, -1)
    os.chmod(book.folder, 0o777)

    assert book.run("run").exit_code == 0
    assert os.listdir(book.path(".spry")) == []
