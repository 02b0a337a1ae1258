"""`spry spec`: what is saved in a project, and what is wrong with it."""

from __future__ import annotations

import json

import pytest

SPEC = json.dumps({"name": "hi", "spec": {"process_target": "echo", "args": ["hi"]}}).encode()


@pytest.fixture
def project(book):
    """A folder that `spry init` has made a project."""
    assert book.run("init").exit_code == 0
    return book


def test_a_spec_is_created_from_stdin_listed_shown_run_and_deleted(project):
    assert project.run("spec", "create", "greet", stdin=SPEC).exit_code == 0

    assert project.run("spec", "list", "--json").json == [{"name": "greet", "type": "task"}]
    assert project.run("spec", "show", "greet").stdout.encode() == SPEC
    assert project.run("exec", "--spec", "greet").stdout == "hi\n"
    assert project.run("spec", "delete", "greet").exit_code == 0
    assert project.run("spec", "list").stdout == "no specs are saved here\n"


@pytest.mark.parametrize("kind", ["task", "pipeline"])
def test_what_generate_prints_can_be_created_and_run(project, kind):
    text = project.run("spec", "generate", "mine", "--type", kind).stdout
    created = project.run("spec", "create", "mine", "--type", kind, stdin=text.encode())
    done = project.run("exec", "--spec" if kind == "task" else "--pipeline", "mine")

    assert created.exit_code == 0
    assert (done.exit_code, done.stdout) == (0, "hello\n" if kind == "task" else "a\nb\n")


def test_only_what_is_valid_is_created(project):
    done = project.run("spec", "create", "bad", stdin=b'{"spec": {"timeout": "soon", "process_target": "x"}}')

    assert done.exit_code == 2
    assert "<stdin>:1:22: Error: timeout: expected a number, not a string" in done.stderr
    assert not project.has(".spry/tasks/bad.json")


def test_a_saved_spec_is_written_over_only_when_asked(project):
    project.run("spec", "create", "a", stdin=SPEC)
    again = project.run("spec", "create", "a", stdin=SPEC)

    assert again.exit_code == 2
    assert "--replace writes over it" in again.stderr
    assert project.run("spec", "create", "a", "--replace", stdin=SPEC).exit_code == 0


def test_validate_tells_all_that_is_wrong_with_all_of_them(project):
    for name in ("a", "b"):
        project.path(f".spry/tasks/{name}.json").write_text('{"spec": {"process_target": 1}}')
    done = project.run("spec", "validate", "a", "b")

    assert done.exit_code == 2
    assert [".spry/tasks/a.json:1:29" in done.stderr, ".spry/tasks/b.json:1:29" in done.stderr] == [True, True]


def test_validate_takes_what_exec_takes(project):
    project("```bash one\necho 1\n```\n")

    assert project.run("spec", "validate", "Spryfile.md#one").stderr == "1 spec is valid\n"
    assert project.run("spec", "validate", "Spryfile.md", "--type", "pipeline").stderr == "1 spec is valid\n"
    absent = project.run("spec", "validate", "Spryfile.md#two")
    assert (absent.exit_code, 'Task "two" not found' in absent.stderr) == (2, True)
    project("```bash one --dep two\necho 1\n```\n")
    wrong = project.run("spec", "validate", "Spryfile.md#one")
    assert (wrong.exit_code, 'Task "two" referenced by "one" does not exist' in wrong.stderr) == (2, True)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("creat", "a"), 'did you mean "create"?'),
        (("show", "absent"), "no task is saved as"),
        (("delete", "absent"), "no task is saved as"),
        (("show",), "show takes one name"),
        (("create", "../up"), "cannot name a spec"),
        (("create", "a", "absent.json"), "no such file"),
        (("validate",), "takes names or paths"),
        (("validate", "Spryfile.md"), "write Spryfile.md#NAME"),
        (("validate", "Spryfile.md#one", "--type", "pipeline"), "is no pipeline"),
    ],
)
def test_a_request_that_cannot_be_met_exits_2(project, argv, words):
    done = project.run("spec", *argv, stdin=SPEC)

    assert done.exit_code == 2
    assert words in done.stderr


def test_without_a_project_nothing_is_saved(book):
    done = book.run("spec", "create", "a", stdin=SPEC)

    assert done.exit_code == 2
    assert "spry init makes one" in done.stderr
