"""Graphs: order, failures, finally tasks, views (rows T20 to T28, T+7)."""

from __future__ import annotations

import threading
import time

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import examples
from spry import RetryPolicy, Task, TaskCancelled, TaskExecutionError, TaskExecutor, TaskGraph, TaskStatus, TaskType

PENDING, RUNNING, SUCCEEDED, FAILED, CANCELLED, BLOCKED = TaskStatus


def bash(script="true", title="", **fields):
    return Task.bash(script, title=title, **fields)


def statuses(graph):
    return [task.status.name for task in graph]


def graph_of(*entries):
    """A graph of `(task, after)` or `(task, after, fields)`."""
    graph = TaskGraph()
    for task, after, *fields in entries:
        graph.add(task, after=after, **(fields[0] if fields else {}))
    return graph


# Making one


def test_t20_a_graph_knows_its_tasks_and_their_dependencies():
    a, b, c = bash(title="a"), bash(title="b"), bash(title="c")
    graph = graph_of((a, []), (b, [a]), (c, [a, b, a]))

    assert (len(graph), list(graph)) == (3, [a, b, c])
    assert graph[c] == graph.dependencies(c) == [a, b]
    assert list(graph.items()) == [(a, []), (b, [a]), (c, [a, b])]
    assert a in graph
    assert bash() not in graph
    assert "a" not in graph
    assert (graph.roots(), graph.leaves()) == ([a], [c])
    assert repr(graph) == "TaskGraph(3 tasks, edges=[a->b, a->c, b->c])"


def test_t20_graphs_have_an_id_a_title_and_a_time():
    graph, other = TaskGraph(title="x"), TaskGraph()

    assert (graph.title, other.title) == ("x", "")
    assert graph.id != other.id
    assert graph.created_at <= other.created_at


def test_t20_dependencies_may_be_added_later_but_before_the_run(executor):
    a, b = bash(), bash()
    graph = graph_of((b, [a]))
    with pytest.raises(ValueError, match=f"unregistered task id '{a.id}'"):
        graph.run(executor)
    graph.add(a)
    graph.run(executor)

    assert graph.ok


def test_t20_only_tasks_can_be_added():
    with pytest.raises(TypeError, match="Expected Task, got str"):
        TaskGraph().add("a")
    with pytest.raises(TypeError, match="Expected Task, got str"):
        TaskGraph().add(bash(), after=["a"])


def test_t20_to_add_a_task_again_replaces_what_was_said():
    a, b = bash(), bash()
    graph = graph_of((a, []), (b, [a], {"finally_": True, "required": False}))
    graph.add(b)

    assert graph[b] == []
    assert not graph.is_finally(b)
    assert not graph.is_optional(b)
    assert len(graph) == 2


def test_tplus7_only_finally_tasks_can_be_optional():
    with pytest.raises(ValueError, match="required=False is only valid with finally_=True"):
        TaskGraph().add(bash(), required=False)


# Before a run


def test_tplus7_a_cycle_is_found_before_anything_runs(executor, seen):
    a, b, c = bash(title="a"), bash(title="b"), bash(title="c")
    with pytest.raises(ValueError, match="TaskGraph contains a cycle: a → b → a"):
        graph_of((a, [b]), (b, [a]), (c, [])).run(executor)
    with pytest.raises(ValueError, match="cycle: a → a"):
        graph_of((a, [a])).run(executor)

    assert seen == []


def test_tplus7_a_running_task_is_found_before_anything_runs(executor, seen):
    a, b = bash(title="a"), bash()
    a.transition_to(RUNNING)
    with pytest.raises(ValueError, match=r"task 'a' is RUNNING; reset before run\(\)"):
        graph_of((b, []), (a, [])).run(executor)

    assert seen == []


def test_tplus7_workers_are_at_least_one(executor):
    with pytest.raises(ValueError, match="max_workers"):
        TaskGraph().run(executor, max_workers=0)


def test_an_empty_graph_is_ok(executor):
    graph = TaskGraph()

    assert graph.run(executor) is graph
    assert graph.ok


# Running


def test_t21_run_waits_and_keeps_the_order(executor, seen):
    a, b, c = bash(title="a"), bash(title="b"), bash(title="c")
    graph = graph_of((c, [b]), (b, [a]), (a, []))
    graph.run(executor)

    assert graph.ok
    assert graph.succeeded == [c, b, a]
    assert [event.task.title for event in seen if event.type.name == "STARTED"] == ["a", "b", "c"]


def test_t21_what_can_run_at_once_does(executor, handled):
    meeting = threading.Barrier(4, timeout=30)
    graph = graph_of(*((handled(lambda _: meeting.wait() and None), []) for _ in range(4)))
    graph.run(executor)

    assert graph.ok


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_t21_no_more_than_max_workers_run_at_once(executor, handled, workers):
    lock, now, most = threading.Lock(), [0], [0]

    def work(_):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.01)
        with lock:
            now[0] -= 1

    graph_of(*((handled(work), []) for _ in range(12))).run(executor, max_workers=workers)

    assert most[0] <= workers


def test_t22_a_failure_blocks_what_needs_it_and_nothing_else(executor, seen):
    bad, child, grandchild, sibling = bash("exit 1"), bash(), bash(), bash()
    graph = graph_of((bad, []), (child, [bad]), (grandchild, [child]), (sibling, []))
    graph.run(executor)

    assert statuses(graph) == ["FAILED", "BLOCKED", "BLOCKED", "SUCCEEDED"]
    assert (child.blocked_by, grandchild.blocked_by) == (bad.id, child.id)
    assert (child.error, child.result) == (None, None)
    assert seen.of(child) == seen.of(grandchild) == ["BLOCKED"]
    assert not graph.ok


def test_t22_a_cancelled_task_blocks_what_needs_it(executor):
    gone, child = bash(), bash()
    executor.cancel(gone)
    graph = graph_of((gone, []), (child, [gone])).run(executor)

    assert statuses(graph) == ["CANCELLED", "BLOCKED"]
    assert child.blocked_by == gone.id
    assert graph.errors == {}


def test_t22_a_task_that_is_cancelled_while_the_graph_runs_never_starts(executor, seen):
    a, b, c, d = bash("sleep 0.3"), bash(), bash(), bash()
    graph = graph_of((a, []), (b, [a]), (c, [b]), (d, [a]))
    executor.events.subscribe(lambda event: event.type.name == "STARTED" and event.task == a and executor.cancel(b))
    graph.run(executor)

    assert statuses(graph) == ["SUCCEEDED", "CANCELLED", "BLOCKED", "SUCCEEDED"]
    assert seen.of(b) == ["CANCELLED"]


def test_t22_what_is_cancelled_just_as_it_succeeds_lets_nothing_start(executor, handled):
    a, b = handled(lambda _: executor.cancel(a)), bash()
    graph = graph_of((a, []), (b, [a])).run(executor)

    assert statuses(graph) == ["CANCELLED", "BLOCKED"]


@pytest.mark.parametrize("end", ["succeeded", "failed", "cancelled", "blocked"])
def test_t23_a_finally_task_runs_whatever_came_of_its_dependencies(executor, end):
    parent = bash("exit 1" if end in ("failed", "blocked") else "true")
    middle, clean = bash(), bash()
    if end == "cancelled":
        executor.cancel(parent)
    graph = graph_of((parent, []), (middle, [parent]), (clean, [middle], {"finally_": True})).run(executor)

    assert clean.is_done
    assert graph.is_finally(clean)


def test_t23_a_finally_task_waits_for_all_its_dependencies(executor, seen):
    slow, bad, clean = bash("sleep 0.2"), bash("exit 1"), bash()
    graph_of((slow, []), (bad, []), (clean, [slow, bad], {"finally_": True})).run(executor)

    assert seen.kinds[-2:] == ["STARTED", "SUCCEEDED"]
    assert seen[-1].task == clean


def test_t23_a_finally_task_without_dependencies_waits_for_everything_else(executor, seen):
    clean, work = bash(), bash("exit 1")
    graph_of((clean, [], {"finally_": True}), (work, [])).run(executor)

    assert [event.task for event in seen if event.type.name == "STARTED"] == [work, clean]


def test_t23_what_needs_a_finally_task_needs_its_success(executor):
    work, clean, after = bash(), bash("exit 1"), bash()
    graph = graph_of((work, []), (clean, [work], {"finally_": True}), (after, [clean])).run(executor)

    assert statuses(graph) == ["SUCCEEDED", "FAILED", "BLOCKED"]


def test_t6_t24_handlers_see_their_direct_dependencies_and_no_others(executor, handled):
    found = {}
    a, b = bash("echo a", "a"), bash("exit 3", "b")
    c = handled(lambda context: found.update(c=context.upstream) or "c")
    d = handled(lambda context: found.update(d=context.upstream) or "d")
    graph_of((a, []), (b, []), (c, [a]), (d, [c, b], {"finally_": True})).run(executor)

    assert dict(found["c"]) == {a.id: a}
    assert found["c"][a.id] is a
    assert dict(found["d"]) == {c.id: c, b.id: b}
    assert [(up.status.name, up.title, up.result.output) for up in found["d"].values()] == [
        ("SUCCEEDED", "", "c"), ("FAILED", "b", ""),
    ]  # fmt: skip


def test_t6_programs_find_their_dependencies_in_a_file(executor):
    a, b = bash("echo a"), bash("exit 3")
    c = bash("cat $SPRY_UPSTREAM")
    graph_of((a, []), (b, []), (c, [a, b], {"finally_": True})).run(executor)

    assert f'"{a.id}": {{"outcome": "succeeded", "exit_code": 0' in c.result.output
    assert f'"{b.id}": {{"outcome": "failed", "exit_code": 3' in c.result.output


@pytest.mark.parametrize(("required", "ok"), [(True, False), (False, True)])
def test_t25_only_the_failure_of_a_required_task_counts(executor, required, ok):
    work, clean = bash(), bash("exit 1")
    graph = graph_of((work, []), (clean, [work], {"finally_": True, "required": required})).run(executor)

    assert graph.ok is ok
    assert clean.is_failed
    assert clean.id in graph.errors


def test_t26_the_views_show_what_happened(executor):
    a, b, c, d = bash(), bash("exit 1"), bash(), bash()
    e, f = bash("exit 2"), bash()
    executor.cancel(d)
    graph = graph_of(
        (a, []), (b, [a]), (c, [b]), (d, []),
        (e, [c], {"finally_": True, "required": False}), (f, [c], {"finally_": True}),
    ).run(executor)  # fmt: skip

    assert (graph.succeeded, graph.failed, graph.cancelled, graph.blocked) == ([a, f], [b, e], [d], [c])
    assert (graph.finally_tasks, graph.optional_tasks, graph.required_tasks) == ([e, f], [e], [a, b, c, d, f])
    assert (graph.optional_failed, graph.required_failed, graph.required_blocked) == ([e], [b], [c])
    assert (graph.roots(), graph.leaves()) == ([a, d], [d, e, f])
    assert graph.errors.keys() == {b.id, e.id}
    assert not graph.ok


def test_t27_errors_hold_the_exceptions_by_task(executor, handled):
    boom = KeyError("boom")

    def fail(_):
        raise boom

    def stop(_):
        raise TaskCancelled("no")

    a, b, c = handled(fail), bash("exit 4"), handled(stop)
    graph = graph_of((a, []), (b, []), (c, [])).run(executor)

    assert graph.errors[a.id] is boom
    assert isinstance(graph.errors[b.id], TaskExecutionError)
    assert isinstance(graph.errors[c.id], TaskCancelled)
    assert c.is_cancelled


def test_t27_a_missing_handler_is_an_error_of_its_task():
    executor = TaskExecutor.empty()
    a, b = bash(), bash()
    graph = graph_of((a, []), (b, [a])).run(executor)

    assert statuses(graph) == ["FAILED", "BLOCKED"]
    assert isinstance(graph.errors[a.id], ValueError)


def test_t28_a_graph_goes_on_after_a_failure_and_what_is_done_is_not_done_again(executor, seen, tmp_path):
    a, b, c = bash(), bash("[[ -e ready ]]", cwd=str(tmp_path)), bash()
    graph = graph_of((a, []), (b, [a]), (c, [b])).run(executor)
    first = statuses(graph)
    (tmp_path / "ready").touch()
    graph.run(executor)

    assert first == ["SUCCEEDED", "FAILED", "BLOCKED"]
    assert graph.ok
    assert graph.errors == {}
    assert seen.of(a) == ["STARTED", "SUCCEEDED"]
    assert seen.of(c) == ["BLOCKED", "STARTED", "SUCCEEDED"]
    assert c.blocked_by is None


def test_t28_a_graph_can_be_extended_after_a_run(executor, handled):
    a = bash("echo a")
    graph = graph_of((a, [])).run(executor)
    b = handled(lambda context: context.upstream[a.id].result.output)
    graph.add(b, after=[a])
    graph.run(executor)

    assert b.result.output == "a\n"


def test_tplus7_what_was_blocked_before_is_tried_what_is_blocked_now_is_not(executor, seen):
    a, b = bash("exit 1"), bash()
    graph = graph_of((a, []), (b, [a])).run(executor)
    graph.run(executor)

    assert statuses(graph) == ["FAILED", "BLOCKED"]
    assert seen.of(b) == ["BLOCKED"]


def test_retries_work_in_graphs_too(executor, seen, tmp_path):
    flaky = bash("echo x >>tries; [[ $(wc -l <tries) == 3 ]]", cwd=str(tmp_path), retry=RetryPolicy(3))
    after = bash()
    graph = graph_of((flaky, []), (after, [flaky])).run(executor)

    assert graph.ok
    assert seen.of(flaky) == ["STARTED", "FAILED", "STARTED", "FAILED", "STARTED", "SUCCEEDED"]
    assert graph.errors == {}


def test_a_graph_runs_once_at_a_time(executor, handled):
    graph = TaskGraph()
    found = []

    def again(_):
        with pytest.raises(ValueError, match="running already"):
            graph.run(executor)
        with pytest.raises(ValueError, match="running"):
            graph.reset()
        found.append(True)

    graph.add(handled(again))
    graph.run(executor)

    assert found == [True]


def test_two_graphs_may_share_a_task_and_run_it_once(executor, handled):
    runs, go_on = [], threading.Event()
    shared = handled(lambda _: (runs.append(1), go_on.wait(30)))
    graphs = [graph_of((shared, [])), graph_of((shared, []), (bash(), [shared]))]

    def run(graph):
        try:
            graph.run(executor)
        except ValueError:
            found.append("refused")

    found = []
    threads = [threading.Thread(target=run, args=(graph,)) for graph in graphs]
    for thread in threads:
        thread.start()
    while not runs:
        time.sleep(0.001)
    go_on.set()
    for thread in threads:
        thread.join()

    assert runs == [1]
    assert shared.is_done


# Against networkx


@st.composite
def worlds(draw):
    """Tasks with dependencies among those before them, in any order of adding: which fail, and which are finally."""
    number = draw(st.integers(1, 9))
    rows = []
    for place in range(number):
        after = sorted(draw(st.sets(st.integers(0, place - 1), max_size=3))) if place else []
        finally_ = draw(st.booleans()) and bool(after)
        rows.append((after, finally_, finally_ and draw(st.booleans()), draw(st.sampled_from([False, False, True]))))
    return rows, draw(st.permutations(range(number)))


@examples(120)
@given(worlds())
def test_t26_every_view_is_what_networkx_says(world):
    rows, order = world
    tasks = [Task.prompt("exit" if fails else "go") for *_, fails in rows]
    graph = TaskGraph()
    for place in order:
        after, finally_, optional, _ = rows[place]
        graph.add(tasks[place], after=[tasks[dep] for dep in after], finally_=finally_, required=not optional)
    executor = TaskExecutor.empty()
    executor.register(TaskType.PROMPT, lambda context: 1 / (context.payload == "go"))
    graph.run(executor)
    drawn = nx.DiGraph((dep, place) for place, (after, *_) in enumerate(rows) for dep in after)
    drawn.add_nodes_from(range(len(rows)))
    expected = {}
    for place in nx.topological_sort(drawn):
        _, finally_, _, fails = rows[place]
        good = finally_ or all(expected[dep] is SUCCEEDED for dep in drawn.predecessors(place))
        expected[place] = (FAILED if fails else SUCCEEDED) if good else BLOCKED

    assert {place: tasks[place].status for place in expected} == expected
    assert set(graph.roots()) == {tasks[place] for place in drawn if not drawn.in_degree(place)}
    assert set(graph.leaves()) == {tasks[place] for place in drawn if not drawn.out_degree(place)}
    assert graph.ok == all(expected[place] is SUCCEEDED for place, row in enumerate(rows) if not row[2])
    assert graph.errors.keys() == {tasks[place].id for place, status in expected.items() if status is FAILED}
    for place, status in expected.items():
        if status is BLOCKED:
            assert tasks[place].blocked_by in {tasks[dep].id for dep in drawn.predecessors(place)}
