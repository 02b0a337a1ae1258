"""Which runbook a command without a file means."""

from __future__ import annotations

import pytest
from book import cell


def named(name: str) -> str:
    return cell(f"bash {name}", f"echo {name}")


@pytest.fixture
def project(book):
    """A repository with folders in it."""
    (book.folder / ".git").mkdir()
    for folder in ("docs", "src/deep"):
        book.path(folder).mkdir(parents=True)
    return book


def names(done) -> list[str]:
    return [task["name"] for task in done.json]


def test_the_nearest_spryfile_upward_is_meant(project):
    project(named("top"), name="Spryfile.md")(named("near"), name="src/Spryfile.md")

    assert names(project.run("ls", "--json", cwd="src/deep")) == ["near"]
    assert names(project.run("ls", "--json", cwd="docs")) == ["top"]


def test_its_tasks_run_in_its_folder_and_its_path_is_shown_from_here(project):
    project(cell("bash t", "pwd -P"), name="Spryfile.md")

    assert project.run("task", "t", cwd="src/deep").stdout == f"{project.folder.resolve()}\n"
    assert project.run("ls", "--json", cwd="src/deep").json[0]["file"] == "../../Spryfile.md"


def test_the_search_ends_at_the_root_of_the_repository(project):
    project(named("outside"), name="../Spryfile.md")
    done = project.run("ls", cwd="src")

    assert done.exit_code == 2
    assert "no runbook found" in done.stderr
    assert str(project.folder) in done.stderr


def test_outside_of_a_repository_only_this_folder_is_looked_at(book):
    book(named("top"), name="Spryfile.md")
    book.path("sub").mkdir()

    assert book.run("ls", cwd="sub").exit_code == 2


def test_a_readme_counts_if_it_has_tasks(project):
    project(named("readme"), name="README.md")("# Text\n\n", cell("bash", "ls"), name="src/README.md")

    assert names(project.run("ls", "--json", cwd="src")) == ["readme"]


def test_a_spryfile_further_up_comes_before_a_readme_here(project):
    project(named("spryfile"), name="Spryfile.md")(named("readme"), name="src/README.md")

    assert names(project.run("ls", "--json", cwd="src")) == ["spryfile"]


@pytest.mark.parametrize("value", ['"docs/ops.md"', '["docs/ops.md"]'])
def test_the_projects_own_choice_comes_first(project, value):
    project(named("spryfile"), name="Spryfile.md")(named("chosen"), name="docs/ops.md")
    project(f"[tool.spry]\nrunbook = {value}\n", name="pyproject.toml")

    assert names(project.run("ls", "--json", cwd="src")) == ["chosen"]


def test_the_projects_choice_may_be_several_files(project):
    project(named("one"), name="docs/one.md")(named("two"), name="docs/two.md")
    project('[tool.spry]\nrunbook = ["docs/one.md", "docs/two.md"]\n', name="pyproject.toml")

    assert names(project.run("ls", "--json")) == ["one", "two"]


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("[tool.spry]\nrunbook = 5\n", "runbook must be a path"),
        ('[tool.spry]\nrunbook = "gone.md"\n', "gone.md: no such file"),
        ("[tool.spry\n", "pyproject.toml"),
    ],
)
def test_a_wrong_choice_is_an_error_and_not_passed_over(project, toml, words):
    project(named("spryfile"), name="Spryfile.md")(toml, name="pyproject.toml")
    done = project.run("ls")

    assert done.exit_code == 2
    assert words in done.stderr


def test_a_pyproject_of_other_tools_is_left_alone(project):
    project(named("spryfile"), name="Spryfile.md")("[tool.other]\nx = 1\n", name="pyproject.toml")

    assert names(project.run("ls", "--json")) == ["spryfile"]


@pytest.mark.parametrize(
    "text",
    [
        cell("bash deploy --dpe build"),
        cell("bash deploy --dep build"),
        "```bash deploy\n",
        cell("bash --descr x"),
        "- ```bash deploy --dep build\n  ls\n  ```\n",
        "<!-- spry: deploy --dep build -->\n" + cell("bash"),
    ],
)
def test_a_readme_that_means_to_have_tasks_is_not_passed_over(project, text):
    done = project(text, name="README.md").run("ls")

    assert done.exit_code == 2
    assert "README.md:1:" in done.stderr


def test_nothing_found_says_where_it_was_looked_for(book):
    done = book.run("runbook")

    assert done.exit_code == 2
    for words in ("Spryfile.md", "README.md", str(book.folder), "-f FILE"):
        assert words in done.stderr


@pytest.mark.parametrize("name", ["ops.md", "OPS.MD", "ops.markdown"])
def test_an_argument_that_ends_like_markdown_is_a_file(book, name):
    book(named("here"), name=name)

    assert book.run("runbook", name).stdout == "here\n"
    assert "here" in book.run(name).stdout


def test_a_file_with_another_end_needs_its_option(book):
    book(named("here"), name="ops.txt")
    done = book.run("task", "ops.txt", "-f", "ops.txt")

    assert book.run("runbook", "-f", "ops.txt").stdout == "here\n"
    assert done.exit_code == 2


def test_a_runbook_comes_from_stdin(book):
    done = book.run("task", "t", "-y", "-f", "-", stdin=named("t").encode())

    assert (done.exit_code, done.stdout) == (0, "t\n")


def test_problems_on_stdin_have_their_place(book):
    done = book.run("runbook", "-f", "-", stdin=cell("bash a --decr x").encode())

    assert done.exit_code == 2
    assert "<stdin>:1:11: Error: unknown flag --decr" in done.stderr
