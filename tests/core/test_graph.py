import pytest

from spry.core.graph import build
from spry.core.model import Expression, Parameter, Runbook, Task
from spry.core.source import source


def tasks(*lines, **changes):
    """Tasks from lines such as `build: install lint`, each on its own line of runbook.md."""
    made = {}
    for line, text in enumerate(lines, 1):
        name, _, deps = text.partition(":")
        marks = tuple((line, 1 + text.index(dep, len(name))) for dep in deps.split())
        fields = {"body": "true", "line": line, "deps": tuple(deps.split()), "dep_marks": marks}
        made[name] = Task(name, "bash", **{**fields, **changes.get(name, {})})
    return made


def built(*lines, owned=(), **changes):
    sources = {"runbook.md": source("\n".join(lines))}
    return build(Runbook(tasks(*lines, **changes), {}), sources, frozenset(owned))


def graph(*lines, **changes):
    found, problems = built(*lines, **changes)
    assert not problems
    return found


def problem(*lines, **changes):
    found, problems = built(*lines, **changes)
    assert found is None
    assert len(problems) == 1
    return problems[0]


def uses(*keys, kind="captured", line=9):
    return {"expressions": tuple(Expression(0, 5 + len(key), kind, key, "plain", line, 3) for key in keys)}


def captures(*keys):
    return {"captures": keys}


def test_the_order_is_topological_with_ties_in_document_order():
    found = graph("deploy: test", "lint", "test: build", "build")

    assert found.order == ("lint", "build", "test", "deploy")


def test_dependencies_keep_the_order_in_which_they_were_written():
    found = graph("c: b a", "a", "b")

    assert found.deps == {"c": ("b", "a"), "a": (), "b": ()}
    assert found.kinds == {}


def test_a_dependency_named_twice_is_harmless():
    assert graph("a", "b: a a").deps["b"] == ("a",)


def test_an_empty_runbook_has_an_empty_graph():
    assert graph().order == ()


# Unknown dependencies


def test_an_unknown_dependency_is_reported_where_it_is_written():
    found = problem("deploy: compile")

    assert found.message == 'Task "compile" referenced by "deploy" does not exist'
    assert (found.place, found.length, found.excerpt) == ("runbook.md:1:9", 7, "deploy: compile")
    assert "compile" in found.hint


def test_an_unknown_dependency_with_a_near_name_says_what_was_meant():
    found = problem("build-app", "deploy: biuld-app")

    assert found.message == 'Task "biuld-app" not found (did you mean "build-app"?)'
    assert found.hint == "write --dep build-app"


def test_a_task_is_never_told_that_it_meant_itself():
    assert problem("build: biuld").message == 'Task "biuld" referenced by "build" does not exist'


def test_every_unknown_dependency_is_reported_in_document_order():
    _, problems = built("a: x1 x2", "b: x3", "c: a")

    assert [(found.line, found.column) for found in problems] == [(1, 4), (1, 7), (2, 4)]


def test_an_unknown_dependency_named_twice_is_reported_once():
    assert "nowhere" in problem("a: nowhere nowhere").message


def test_dependents_of_a_broken_cell_are_not_reported():
    found, problems = built("deploy: broken", owned={"broken"})

    assert found
    assert not problems


def test_a_broken_cell_can_be_what_was_meant():
    _, problems = built("deploy: biuld", owned={"build"})

    assert "did you mean" in problems[0].message


def test_ten_thousand_typos_are_reported_in_linear_time():
    _, problems = built(*(f"task-{number}: tusk-{number}" for number in range(10_000)))

    assert len(problems) == 10_000
    assert "did you mean" in problems[0].message


def test_a_task_of_a_file_without_source_is_still_placed():
    _, problems = build(Runbook({"a": Task("a", "bash", path="x.md", line=4, column=9, deps=("b",))}, {}), {})

    assert problems[0].place == "x.md:4:9"


def test_problems_of_several_files_follow_the_order_of_the_files():
    made = {
        "a": Task("a", "bash", path="second.md", deps=("nowhere",), dep_marks=((1, 5),)),
        "b": Task("b", "bash", path="first.md", deps=("nowhere",), dep_marks=((7, 5),)),
    }
    sources = {path: source("x", path) for path in ("first.md", "second.md")}

    assert [found.path for found in build(Runbook(made, {}), sources)[1]] == ["first.md", "second.md"]


# Cycles


def test_a_cycle_is_printed_with_each_edge_and_its_line():
    found = problem("task-a: task-b", "task-b: task-a")

    assert found.message == "Circular dependency detected: task-a → task-b → task-a"
    assert found.place == "runbook.md:1:9"
    assert "task-a needs task-b (line 1), task-b needs task-a (line 2)" in found.hint


def test_a_cycle_across_files_names_each_file():
    made = {
        "a": Task("a", "bash", path="one.md", deps=("b",), dep_marks=((3, 5),)),
        "b": Task("b", "bash", path="two.md", deps=("a",), dep_marks=((8, 5),)),
    }
    sources = {path: source("x", path) for path in ("one.md", "two.md")}

    assert "a needs b (one.md:3), b needs a (two.md:8)" in build(Runbook(made, {}), sources)[1][0].hint


def test_a_task_that_depends_on_itself_is_a_cycle():
    assert problem("a: a").message == "Circular dependency detected: a → a"


def test_each_knot_of_cycles_is_reported_once_with_a_shortest_cycle():
    _, problems = built("a: b c", "b: c", "c: a", "x: y", "y: x", "z: z a x")

    assert [found.message.partition(": ")[2] for found in problems] == ["a → c → a", "x → y → x", "z → z"]


def test_cycles_and_unknown_dependencies_are_reported_together():
    _, problems = built("a: b nowhere", "b: a")

    assert len(problems) == 2


@pytest.mark.slow
@pytest.mark.slow
@pytest.mark.parametrize("size", [20_000, pytest.param(100_000, marks=pytest.mark.stress)])
def test_a_very_long_cycle_is_shortened(size):
    found = problem(*(f"t{number}: t{(number + 1) % size}" for number in range(size)))

    assert found.message.startswith("Circular dependency detected: t0 → t1 → ")
    assert found.message.endswith(f" → t{size - 1} → t0")
    assert f"… {size - 9:,} more …" in found.message
    assert f"… {size - 10:,} more …" in found.hint
    assert len(found.hint) < 1000


@pytest.mark.slow
@pytest.mark.slow
@pytest.mark.parametrize("size", [20_000, pytest.param(100_000, marks=pytest.mark.stress)])
def test_a_very_long_chain_has_an_order(size):
    found = graph(*(f"t{number}: t{number + 1}" for number in range(size - 1)), f"t{size - 1}")

    assert found.order[0] == f"t{size - 1}"
    assert found.order[-1] == "t0"


# Injected dependencies


def injects(pattern):
    return {"injected_dep": pattern}


def test_an_injected_dependency_reaches_every_task_that_fully_matches():
    found = graph("setup", "test.a", "test.b", "retest.c", setup=injects(r"test\..*"))

    assert found.deps == {"setup": (), "test.a": ("setup",), "test.b": ("setup",), "retest.c": ()}
    assert found.kinds == {("setup", "test.a"): "injected", ("setup", "test.b"): "injected"}


def test_a_star_injects_into_all_but_the_task_and_its_ancestors():
    found = graph("prepare", "setup: prepare", "a", "b: a", setup=injects("*"))

    assert found.deps == {"prepare": (), "setup": ("prepare",), "a": ("setup",), "b": ("a", "setup")}


def test_two_tasks_that_would_inject_into_each_other_stay_apart():
    found = graph("one", "two", "a", one=injects("*"), two=injects("*"))

    assert found.deps == {"one": (), "two": (), "a": ("one", "two")}


def test_a_written_dependency_stays_a_written_one_when_it_is_also_injected():
    found = graph("setup", "a: setup", setup=injects("*"))

    assert found.deps["a"] == ("setup",)
    assert found.kinds == {}


def test_injected_edges_never_close_a_cycle_through_each_other():
    found = graph("x", "y", "one: x", "two: y", one=injects("y"), two=injects("x"))

    assert found.deps == {"x": (), "y": ("one",), "one": ("x",), "two": ("y",)}


def test_a_pattern_that_says_more_wins_over_a_star():
    found = graph("a", "all: a", "first", all=injects("*"), first=injects("a"))

    assert found.deps == {"a": ("first",), "all": ("a",), "first": ()}


# Captures


def test_a_task_depends_on_the_task_whose_capture_it_uses():
    found = graph("show", "make", show=uses("version"), make=captures("version"))

    assert found.deps["show"] == ("make",)
    assert found.kinds == {("make", "show"): "capture:version"}
    assert found.order == ("make", "show")


def test_a_written_dependency_whose_capture_is_used_has_no_kind():
    assert graph("make", "show: make", show=uses("version"), make=captures("version")).kinds == {}


def test_dependencies_are_written_then_injected_then_implied():
    found = graph("i", "c", "w", "t: w", t=uses("k"), c=captures("k"), i=injects("t"))

    assert found.deps["t"] == ("w", "i", "c")


def test_a_capture_to_a_file_makes_no_key():
    found = problem("make", "show", show=uses("./version"), make=captures("./version"))

    assert "No task captures" in found.message


def test_an_unknown_key_is_reported_at_the_expression():
    found = problem("make", "show", show=uses("versoin"), make=captures("version"))

    assert found.message == 'No task captures "versoin", which "show" uses'
    assert (found.line, found.column, found.length) == (9, 3, 12)
    assert found.hint == 'did you mean "version"?'


def test_a_key_used_by_the_text_of_another_file_is_reported_there():
    used = Expression(0, 4, "captured", "k", "plain", 2, 3, path="parts.md")
    made = {"a": Task("a", "bash", "x", expressions=(used,))}
    sources = {"runbook.md": source("x"), "parts.md": source("one\ntwo", "parts.md")}
    found = build(Runbook(made, {}), sources)[1][0]

    assert (found.place, found.excerpt) == ("parts.md:2:3", "two")


@pytest.mark.parametrize("lines", [("make", "show: make"), ("make", "group: make", "show: group")])
def test_an_unknown_key_may_be_handed_over_by_a_dependency_that_runs(lines):
    assert graph(*lines, show=uses("later"), **({"group": {"body": ""}} if len(lines) > 2 else {}))


def test_an_unknown_key_may_be_handed_over_by_an_injected_dependency():
    assert graph("make", "show", make=injects("*"), show=uses("later"))


def test_a_dependency_that_starts_no_process_hands_nothing_over():
    made = {
        "group": Task("group", "bash"),
        "settings": Task("settings", "env", "A=1"),
        "show": Task("show", "bash", "x", deps=("group", "settings"), **uses("later")),
    }
    found, problems = build(Runbook(made, {}), {})

    assert found is None
    assert "later" in problems[0].message


def test_an_unknown_key_may_be_captured_by_a_broken_cell():
    assert built("show", owned={"make"}, show=uses("version"))[1] == []


def test_a_task_that_uses_its_own_capture_is_a_cycle():
    found = problem("a", a={**uses("k"), **captures("k")})

    assert found.message == "Circular dependency detected: a → a"
    assert "a uses ${captured.k} of a (line 9)" in found.hint
    assert (found.line, found.column) == (9, 3)


def test_a_cycle_through_a_capture_names_the_expression():
    found = problem("a", "b: a", a=uses("k"), b=captures("k"))

    assert "a uses ${captured.k} of b (line 9), b needs a (line 2)" in found.hint


def test_two_captures_of_one_key_in_any_order_are_ambiguous():
    found = problem("a", "b", "c", a=captures("k"), b=captures("k"), c=uses("k"))

    assert found.message == 'Both "a" and "b" capture "k", and neither depends on the other'
    assert (found.line, found.length) == (2, 1)


def test_three_captures_of_one_key_must_be_a_chain():
    found = problem("a", "b: a", "c: a", a=captures("k"), b=captures("k"), c=captures("k"))

    assert found.message.startswith('Both "b" and "c" capture')


@pytest.mark.parametrize(
    ("lines", "user", "maker"),
    [
        (("a", "b: a", "use"), "use", "b"),
        (("a", "use: a", "b: use"), "use", "a"),
        (("a", "b: a", "use: a"), "use", "b"),
        (("a", "b: a"), "b", "a"),
    ],
)
def test_a_key_captured_twice_in_a_row_means_the_last_capture_before_its_use(lines, user, maker):
    changes = {name: captures("k") for name in "ab"}
    changes[user] = {**changes.get(user, {}), **uses("k")}

    assert maker in graph(*lines, **changes).deps[user]


def test_a_key_used_before_all_its_captures_is_a_cycle():
    found = problem("use", "a: use", "b: a", a=captures("k"), b=captures("k"), use=uses("k"))

    assert found.message == "Circular dependency detected: use → a → use"


# Parameters and notes


def test_an_undeclared_parameter_is_reported_with_the_near_one():
    found = problem("a", a={**uses("target", kind="param"), "params": (Parameter("targte"),)})

    assert found.message == '"a" has no parameter "target"'
    assert found.hint == 'did you mean "targte"?'


def test_a_declared_parameter_and_any_environment_variable_may_be_used():
    changes = {"a": {**uses("target", kind="param"), "params": (Parameter("target"),)}, "b": uses("HOME", kind="env")}

    assert graph("a", "b", **changes)


@pytest.mark.parametrize("name", ["cleanup", "teardown"])
def test_a_cleanup_with_dependencies_and_without_finally_is_noted(name):
    found, problems = built("a", f"{name}: a")

    assert found
    assert [(note.severity, note.line, note.length) for note in problems] == [("note", 2, len(name))]


@pytest.mark.parametrize("lines", [("cleanup",), ("a", "clean: a")])
def test_other_tasks_are_not_noted(lines):
    assert built(*lines)[1] == []


def test_a_finally_cleanup_is_not_noted():
    assert built("a", "cleanup: a", cleanup={"is_finally": True})[1] == []
