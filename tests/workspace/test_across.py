"""Dependencies between repositories: one graph, checked, drawn, and run in order or in parallel."""

from __future__ import annotations

import pytest
from book import cell
from yard import figures, turns


@pytest.fixture
def chain(yard):
    """b's test needs a build of c, which needs one of a."""
    yard.repository("a", cell("bash build", "echo built a"), cell("bash test", "echo tested a"))
    yard.repository("b", cell("bash test --dep c//build", "echo tested b"))
    yard.repository("c", cell("bash build --dep a//build", "echo built c"))
    return yard


@pytest.mark.parametrize("options", [[], ["--parallel"]])
def test_a_task_runs_after_what_it_needs_of_other_repositories(chain, options):
    done = chain.all("test", "--repos=[abc]", *options)

    assert done.exit_code == 0, done.stderr
    order = done.stdout.splitlines()
    assert sorted(order) == ["built a", "built c", "tested a", "tested b"]
    assert order.index("built a") < order.index("built c") < order.index("tested b")


def test_repositories_are_taken_in_the_order_of_their_needs(chain):
    done = chain.all("test", "--repos=[abc]")

    assert turns(done) == ["a", "c", "b"]
    assert "▶ Running 'build' in c" in done.stderr


def test_what_is_needed_runs_although_its_repository_was_not_chosen(chain):
    done = chain.all("test", "--repos=b")

    assert done.stdout.splitlines() == ["built a", "built c", "tested b"]
    assert figures(done)["Total"] == "3"


@pytest.mark.parametrize("options", [[], ["--parallel"]])
def test_a_failure_skips_what_needs_it_in_other_repositories_and_nothing_else(yard, options):
    yard.repository("a", cell("bash build", "exit 5"))
    yard.repository("b", cell("bash other", "echo other"), cell("bash test --dep a//build --dep other", "echo never"))
    yard.repository("c", cell("bash test", "echo tested c"))
    done = yard.all("test", "--repos=?", *options)

    assert sorted(done.stdout.splitlines()) == ["other", "tested c"]
    assert "⊘ test skipped (dependency failed)" in done.stderr
    assert "❌ a (exit code: 5)" in done.stderr
    assert "❌ b (exit code: 1)" in done.stderr
    assert done.exit_code == 1


@pytest.mark.parametrize("options", [[], ["--parallel"]])
def test_a_circle_through_repositories_names_both_files_and_runs_nothing(yard, options):
    yard.repository("a", cell("bash test --dep b//test", "echo a"))
    yard.repository("b", cell("bash test --dep 'a//test'", "echo b"))
    done = yard.all("test", *options)

    assert (done.exit_code, done.stdout) == (2, "")
    assert "Circular dependency detected: a//test → b//test → a//test" in done.stderr
    assert "../a/Spryfile.md:1" in done.stderr
    assert "../b/Spryfile.md:1" in done.stderr


def test_repositories_that_need_each_other_can_only_run_in_parallel(yard):
    yard.repository("a", cell("bash base", "echo base"), cell("bash test --dep b//middle", "echo a"))
    yard.repository("b", cell("bash middle --dep a//base", "echo middle"), cell("bash test", "echo b"))
    done = yard.all("test")

    assert (done.exit_code, done.stdout) == (2, "")
    assert "add --parallel" in done.stderr
    order = yard.all("test", "--parallel").stdout.splitlines()
    assert sorted(order) == ["a", "b", "base", "middle"]


@pytest.mark.parametrize(
    ("dep", "told", "hint"),
    [
        ("bb//build", 'Repository "bb" not found in this workspace', 'did you mean "b"?'),
        ("b//biuld", 'Task "biuld" not found in b', 'did you mean "build"?'),
        ("here//x", 'Task "x" not found in here', "define it there"),
        ("broken//x", 'needs "broken//x", and that runbook is invalid', "mend the runbook of broken"),
    ],
)
def test_a_dependency_that_leads_nowhere_is_an_error_with_its_place(yard, dep, told, hint):
    yard.repository("a", cell(f"bash test --dep {dep}", "echo a"))
    yard.repository("b", cell("bash build", "echo b"))
    yard.repository("broken", cell("bash x --no-such-flag", "true"))
    done = yard.all("test", "--repos=a")

    assert (done.exit_code, done.stdout) == (2, "")
    assert told in done.stderr
    assert hint in done.stderr
    assert "../a/Spryfile.md:1:20" in done.stderr


def test_a_repository_whose_name_two_have_is_named_by_its_path(yard):
    for path in ("one/same", "two/same"):
        yard.repository(path, cell("bash build", f"echo {path}"))
    yard.repository("a", cell("bash test --dep ../two/same//build", "echo a"))
    yard.repository("b", cell("bash test --dep same//build", "echo b"))
    yard.members('[workspace]\nmembers = ["../*/same", "../a", "../b"]\n')

    assert yard.all("test", "--repos=a").stdout == "two/same\na\n"
    done = yard.all("test", "--repos=b")
    assert 'Repository "same" can be any of several' in done.stderr


def test_a_name_with_two_slashes_is_first_of_all_a_name(yard):
    yard.repository("a", cell("bash x//y", "echo own"), cell("bash test --dep x//y", "echo a"))

    assert yard.run("task", "test", cwd="a").stdout == "own\na\n"
    assert yard.all("test").stdout == "own\na\n"


def test_a_task_that_needs_another_repository_does_not_run_alone(chain):
    done = chain.run("task", "test", cwd="b")

    assert (done.exit_code, done.stdout) == (2, "")
    assert 'Spryfile.md:1:9: task "test" needs c//build, which is in another repository' in done.stderr
    assert "spry workspace run test" in done.stderr
    assert chain.run("check", cwd="b").exit_code == 0


def test_listings_name_what_is_needed_of_other_repositories(chain):
    assert chain.run("ls", "--json", cwd="b").json[0]["deps"] == ["c//build"]
    assert "c//build" in chain.run("show", "test", cwd="b").stdout


def test_the_picture_of_the_workspace_has_every_task_and_every_edge(chain):
    drawn = chain.run("workspace", "dag", "--format", "json").json
    edges = {(edge["from"], edge["to"]) for edge in drawn["edges"]}

    assert {node["name"] for node in drawn["nodes"]} == {"a//build", "a//test", "b//test", "c//build"}
    assert edges == {("a//build", "c//build"), ("c//build", "b//test")}
    assert "a//build ──→ c//build ──→ b//test" in chain.run("workspace", "dag", "test").stdout


def test_independent_tasks_of_repositories_that_need_each_other_run_at_once(yard):
    meet = "touch ../met-{0}; until [ -e ../met-{1} ]; do sleep 0.01; done"
    yard.repository("a", cell("bash build", "true"), cell("bash test --dep build", meet.format("a", "b")))
    yard.repository("b", cell("bash test --dep a//build", meet.format("b", "a")))

    assert yard.all("test", "--parallel", "-j", "2").exit_code == 0


def test_clean_up_waits_for_its_own_repository_and_for_no_other(yard):
    yard.repository("a", cell("bash test", "true"), cell("bash sweep --finally", "touch ../swept"))
    yard.repository("b", cell("bash test", "until [ -e ../swept ]; do sleep 0.01; done"))

    assert yard.all("test", "--parallel", "-j", "2").exit_code == 0


@pytest.mark.parametrize("options", [[], ["--parallel"]])
def test_each_repository_has_artifacts_of_its_own(yard, options):
    for name in ("a", "b"):
        yard.repository(
            name,
            cell("bash build --isolated --save f", f"echo {name} > f"),
            cell("bash test --dep build --restore", "cat f"),
        )
    done = yard.all("test", "--repos=[ab]", *options)

    assert done.exit_code == 0, done.stderr
    assert sorted(done.stdout.split()) == ["a", "b"]
