import pytest

from spry.core.graph import build
from spry.core.model import Expression, Runbook, Settings, Task
from spry.core.plan import Selection, layers, select
from spry.errors import UsageError


def graph(*lines, **changes):
    """A graph from lines such as `deploy@prod: build test`, with the graph of the task after an @."""
    made = {}
    for text in lines:
        head, _, deps = text.partition(":")
        name, _, graphs = head.partition("@")
        fields = {
            "language": "bash",
            "body": "true",
            "deps": tuple(deps.split()),
            "graphs": tuple(graphs.split()),
            **changes.get(name, {}),
        }
        made[name] = Task(name, **fields)
    found, problems = build(Runbook(made, {"runbook.md": Settings(title="T")}), {})
    assert not problems
    return found


def chosen(found, *tasks, **selection):
    return " ".join(select(found, Selection(tasks, **selection)).steps)


def refused(found, *tasks, **selection):
    with pytest.raises(UsageError) as raised:
        select(found, Selection(tasks, **selection))
    return raised.value


def uses(key):
    return {"expressions": (Expression(0, 1, "captured", key, "plain", 1, 1),)}


FINALLY = {"is_finally": True}
CHAIN = graph("build", "test: build", "deploy: test", "announce: deploy", "lint")


# Names and graphs


def test_names_choose_tasks_and_all_their_ancestors():
    assert chosen(CHAIN, "test", "lint") == "build test lint"


def test_ancestors_come_whatever_their_graph():
    assert chosen(graph("build@base", "deploy@prod: build", "lint"), "deploy") == "build deploy"


def test_nothing_selected_means_the_default_graph_with_ancestors_of_other_graphs():
    assert chosen(graph("build@base", "test: build", "deploy@prod: test")) == "build test"


@pytest.mark.parametrize(("graphs", "names"), [(("a",), "x both"), (("b",), "both y"), (("a", "b"), "x both y")])
def test_graphs_choose_their_tasks(graphs, names):
    assert chosen(graph("x@a", "both@a b", "y@b", "z"), graphs=graphs) == names


def test_everything_means_all_graphs():
    assert chosen(graph("x@a", "y"), everything=True) == "x y"


def test_tags_narrow_the_graph_and_any_of_them_is_enough():
    found = graph("a", "b: a", "c", "d", "e@g", a={"tags": ("t",)}, c={"tags": ("u", "v")}, e={"tags": ("t",)})

    assert chosen(found, tags=("t", "v")) == "a c"
    assert chosen(found, tags=("t",), graphs=("g",)) == "e"


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        ({"tasks": ("biuld",)}, 'Task "biuld" not found (did you mean "build"?)'),
        (
            {"tasks": ("nowhere", "deplou")},
            'Task "nowhere" not found; Task "deplou" not found (did you mean "deploy"?)',
        ),
        ({"skip": ("nowhere",)}, 'Task "nowhere" not found'),
        ({"from_": "nowhere"}, 'Task "nowhere" not found'),
        ({"until": ""}, 'Task "" not found'),
        ({"graphs": ("prod",)}, 'Graph "prod" not found'),
        ({"tags": ("fast",)}, 'Tag "fast" not found'),
    ],
)
def test_unknown_names_are_refused(selection, message):
    error = refused(CHAIN, *selection.pop("tasks", ()), **selection)

    assert error.message == message
    assert error.hint
    assert error.exit_code == 2


def test_an_unknown_graph_or_tag_is_answered_with_those_there_are():
    found = graph("x@production staging", "y@staging", x={"tags": ("fast",)})

    assert refused(found, graphs=("stagign",)).message == 'Graph "stagign" not found (did you mean "staging"?)'
    assert refused(found, graphs=("z",)).hint == "the graphs are: production and staging"
    assert refused(found, tags=("z",)).hint == "the tag is: fast"


def test_an_empty_default_graph_names_the_graphs_there_are():
    error = refused(graph("x@A", "y@B", "z@C"))

    assert error.message == "No task is in the default graph"
    assert error.hint == "choose with --graph: A, B and C"


def test_a_runbook_without_tasks_has_nothing_to_select():
    assert refused(graph()).message == "There is no task to run"


def test_a_tag_of_another_graph_names_that_graph():
    error = refused(graph("a", "b@g", b={"tags": ("t",)}), tags=("t",))

    assert error.message == "No task of the default graph has the tag t"
    assert error.hint == "choose with --graph: g"


def test_names_together_with_graphs_are_refused():
    assert "--graph" in refused(graph("a@g"), "a", graphs=("g",)).message


# Steps


def test_steps_have_their_layers_and_their_dependencies_inside_the_plan():
    plan = select(graph("c: b a", "b: a", "a", "d"), Selection())

    assert [(name, step.deps, step.layer) for name, step in plan.steps.items()] == [
        ("a", (), 0),
        ("b", ("a",), 1),
        ("c", ("b", "a"), 2),
        ("d", (), 0),
    ]
    assert layers(plan) == (("a", "d"), ("b",), ("c",))
    assert plan.settings["runbook.md"].title == "T"


def test_a_plan_has_the_kinds_of_its_own_edges_only():
    found = graph("i", "a", "b@g", i={"injected_dep": "*"})

    assert select(found, Selection()).kinds == {("i", "a"): "injected"}


@pytest.mark.slow
@pytest.mark.slow
@pytest.mark.parametrize("size", [20_000, pytest.param(100_000, marks=pytest.mark.stress)])
def test_a_plan_of_a_very_long_chain_is_built(size):
    found = graph(*(f"t{number}: t{number + 1}" for number in range(size - 1)), f"t{size - 1}")

    assert select(found, Selection(("t0",))).steps["t0"].layer == size - 1


# --skip


def test_a_skipped_task_is_left_out_and_its_ancestors_still_run():
    plan = select(CHAIN, Selection(("deploy",), skip=("test",)))

    assert " ".join(plan.steps) == "build deploy"
    assert plan.skipped == ("test",)


def test_what_needs_a_skipped_task_waits_for_what_that_needs():
    plan = select(CHAIN, Selection(("announce",), skip=("test", "deploy")))

    assert plan.steps["announce"].deps == ("build",)
    assert plan.steps["announce"].layer == 1
    assert plan.kinds == {("build", "announce"): "skip:deploy"}


def test_a_dependency_that_is_written_as_well_keeps_its_kind():
    plan = select(graph("a", "b: a", "c: b a"), Selection(skip=("b",)))

    assert plan.steps["c"].deps == ("a",)
    assert plan.kinds == {}


def test_skipping_a_task_outside_the_selection_changes_nothing():
    assert select(CHAIN, Selection(("test",), skip=("lint",))).skipped == ()


def test_skipping_everything_is_refused():
    found = graph("a", "cleanup: a", cleanup=FINALLY)

    assert "Nothing is left to run" in refused(found, "a", skip=("a",)).message


@pytest.mark.parametrize(
    ("made", "used", "words"),
    [
        ({"captures": ("version",)}, uses("version"), '"b" uses the capture "version" of "a"'),
        ({"language": "env", "body": "A=1"}, {}, '"b" uses the environment of "a"'),
        ({"saves": ("dist",)}, {"restore": "."}, '"b" restores what "a" saves'),
    ],
)
def test_skipping_what_a_selected_task_uses_is_refused(made, used, words):
    error = refused(graph("a", "b: a", a=made, b=used), "b", skip=("a",))

    assert words in error.message


def test_artifacts_are_missed_through_other_tasks_too():
    found = graph("a", "m: a", "b: m", a={"saves": ("dist",)}, b={"restore": "."})

    assert '"b" restores what "a" saves' in refused(found, "b", skip=("a",)).message


def test_skipping_what_nobody_uses_is_fine_though_it_captures_and_saves():
    found = graph("a", "b: a", a={"captures": ("version",), "saves": ("dist",)})

    assert chosen(found, "b", skip=("a",)) == "b"


def test_the_user_of_a_capture_may_be_skipped_with_its_maker():
    found = graph("a", "b: a", "c", a={"captures": ("version",)}, b=uses("version"))

    assert chosen(found, skip=("a", "b")) == "c"


# --from and --until


def test_from_starts_at_a_task_without_its_ancestors():
    assert chosen(CHAIN, from_="deploy") == "deploy announce"


def test_from_adds_what_the_descendants_need_besides():
    found = graph("build", "test: build", "fetch", "check: fetch", "deploy: test check build", "other")

    assert chosen(found, from_="test") == "test fetch check deploy"
    assert select(found, Selection(from_="test")).steps["deploy"].deps == ("test", "check")


def test_until_ends_at_a_task_with_its_ancestors():
    assert chosen(CHAIN, until="test") == "build test"


def test_from_and_until_together_leave_what_lies_between():
    assert chosen(CHAIN, from_="test", until="deploy") == "test deploy"
    assert "Nothing lies between" in refused(CHAIN, from_="deploy", until="test").message


def test_from_and_until_narrow_names():
    assert chosen(CHAIN, "deploy", from_="test") == "test deploy"


def test_from_a_task_outside_the_selection_is_refused():
    error = refused(graph("a", "b@g: a"), from_="b")

    assert error.message == '--from "b": the task is not in the selection'
    assert error.hint == "choose its graph with --graph g"


def test_from_keeps_the_env_cells_that_are_needed():
    found = graph("secret", "base: secret", "test: base", base={"language": "env", "body": "A=1"})

    assert chosen(found, from_="test") == "base test"


def test_from_refuses_to_leave_out_a_capture_that_is_used():
    found = graph("a", "b: a", a={"captures": ("k",)}, b=uses("k"))

    assert 'uses the capture "k" of "a"' in refused(found, from_="b").message


# Finally


def test_a_finally_task_joins_when_all_its_dependencies_are_selected():
    found = graph("up", "test: up", "lint", "down: test", "report: test lint", down=FINALLY, report=FINALLY)

    assert chosen(found, "test") == "up test down"
    assert chosen(found) == "up test lint down report"


def test_a_finally_task_that_depends_on_one_that_joins_joins_too():
    found = graph("z: y", "y: x", "x: a", "a", x=FINALLY, y=FINALLY, z=FINALLY)

    assert chosen(found, "a") == "a x y z"


def test_a_finally_task_without_dependencies_always_joins_and_comes_last():
    plan = select(graph("down", "a", "b: a", "report: down", down=FINALLY, report=FINALLY), Selection(("b",)))

    assert layers(plan) == (("a",), ("b",), ("down",), ("report",))
    assert list(plan.steps) == ["a", "b", "down", "report"]


def test_a_finally_task_of_a_graph_joins_only_tasks_of_that_graph():
    found = graph("deploy@prod", "lint", "destroy@prod", destroy=FINALLY)

    assert chosen(found) == "lint"
    assert chosen(found, "lint") == "lint"
    assert chosen(found, "deploy") == "deploy destroy"
    assert chosen(found, graphs=("prod",)) == "deploy destroy"


def test_a_finally_task_does_not_drag_what_it_cleans_into_the_default_graph():
    found = graph("deploy@prod", "lint", "destroy: deploy", destroy=FINALLY)

    assert chosen(found) == "lint"


def test_a_finally_task_named_runs_with_its_ancestors():
    assert chosen(graph("a", "b", "down: a", down=FINALLY), "down") == "a down"


def test_an_ordinary_task_pulls_the_finally_task_it_depends_on():
    plan = select(graph("a", "down", "after: down", "b", down=FINALLY), Selection(("after", "b")))

    assert layers(plan) == (("b",), ("down",), ("after",))


def test_a_finally_task_joins_together_with_what_is_injected_into_it():
    found = graph("login@x", "a", "down: a", "last", login={"injected_dep": "down|last"}, down=FINALLY, last=FINALLY)
    plan = select(found, Selection(("a",)))

    assert set(plan.steps) == {"a", "login", "down", "last"}
    assert plan.steps["last"].layer == 1


def test_a_finally_task_of_a_skipped_task_still_joins():
    found = graph("up", "test: up", "down: test", down=FINALLY)

    assert chosen(found, "test", skip=("test",)) == "up down"
    assert chosen(found, "test", skip=("down",)) == "up test"


def test_finally_tasks_of_what_lies_before_do_not_join():
    found = graph("up", "test: up", "down: up", "after: test", down=FINALLY, after=FINALLY)

    assert chosen(found, from_="test") == "test after"
    assert chosen(found, until="up") == "up down"


def test_a_default_graph_of_finally_tasks_alone_runs_them():
    assert chosen(graph("down", "x@g", down=FINALLY)) == "down"
