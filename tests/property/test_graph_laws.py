"""Random runbooks against networkx."""

from itertools import pairwise

import networkx as nx
from hypothesis import assume, given
from hypothesis import strategies as st

from examples import examples
from spry.core.graph import build
from spry.core.model import Expression, Runbook, Task
from spry.core.plan import Selection, layers, select, waits_for_all
from spry.errors import UsageError

NAMES = [f"t{number}" for number in range(12)]
FEW = examples(80)


@st.composite
def runbooks(draw, *, cyclic=False, ordinary=False):
    """Tasks in any document order; without `cyclic`, each depends only on tasks drawn before it."""
    count = draw(st.integers(1, len(NAMES)))
    made = []
    for index in range(count):
        known = NAMES[:count] if cyclic else NAMES[:index]
        deps = tuple(draw(st.lists(st.sampled_from(known), max_size=3))) if known else ()
        task = Task(NAMES[index], "bash", "true", deps=deps)
        if not ordinary:
            task = task._replace(
                is_finally=draw(st.integers(0, 4)) == 0,
                graphs=draw(st.sampled_from([(), (), ("g",), ("h", "g")])),
                injected_dep=draw(st.sampled_from([None, None, None, "*", "t[0-5]", "t1", "t[13579].*"])),
                captures=(f"k{index}",) if draw(st.booleans()) else (),
            )
        made.append(task)
    if not ordinary and not cyclic:
        made = [uses(task, draw(st.sampled_from(["", *keys]))) for task, keys in with_keys_before(made)]
    return Runbook({task.name: task for task in draw(st.permutations(made))}, {})


def with_keys_before(made):
    return [(task, [key for before in made[:index] for key in before.captures]) for index, task in enumerate(made)]


def uses(task, key):
    return task._replace(expressions=(Expression(0, 1, "captured", key, "plain", 1, 1),)) if key else task


def graphs(**options):
    return runbooks(**options).map(lambda runbook: build(runbook, {})[0])


def digraph(deps):
    found = nx.DiGraph()
    found.add_nodes_from(deps)
    found.add_edges_from((dep, name) for name, needed in deps.items() for dep in needed)
    return found


def plan_of(found, **selection):
    try:
        return select(found, Selection(**selection))
    except UsageError:
        return None


@given(runbooks())
@FEW
def test_whatever_is_injected_the_graph_stays_acyclic_and_its_order_is_topological(runbook):
    found, problems = build(runbook, {})

    assert not problems
    place = {name: index for index, name in enumerate(found.order)}
    assert sorted(place) == sorted(runbook.tasks)
    assert all(place[dep] < place[name] for name in found.order for dep in found.deps[name])


@given(graphs(ordinary=True))
@FEW
def test_the_order_breaks_ties_by_document_order(found):
    document = list(found.runbook.tasks)

    assert list(found.order) == list(nx.lexicographical_topological_sort(digraph(found.deps), key=document.index))


@given(runbooks(cyclic=True, ordinary=True))
@FEW
def test_there_is_a_problem_for_each_knot_and_its_cycle_is_real(runbook):
    found, problems = build(runbook, {})

    written = digraph({name: task.deps for name, task in runbook.tasks.items()})
    knots = [knot for knot in nx.strongly_connected_components(written) if len(knot) > 1]
    loops = [name for name in written if written.has_edge(name, name) and not any(name in knot for knot in knots)]
    assert len(problems) == len(knots) + len(loops)
    assert (found is None) == bool(problems)
    for problem in problems:
        cycle = problem.message.partition(": ")[2].split(" → ")
        assert cycle[0] == cycle[-1]
        assert all(written.has_edge(dep, name) for name, dep in pairwise(cycle) if "…" not in name)


@given(runbooks())
@FEW
def test_injection_misses_only_what_would_close_a_cycle_or_is_mutual(runbook):
    found, _ = build(runbook, {})

    whole = digraph(found.deps)
    matching = {name: build_matches(runbook, task) for name, task in runbook.tasks.items()}
    for name, targets in matching.items():
        for target in targets - {name}:
            mutual = name in matching[target]
            assert mutual or name in found.deps[target] or target in nx.ancestors(whole, name)


def build_matches(runbook, task):
    """What a task would inject into, asked of a runbook without any edge."""
    if task.injected_dep is None:
        return set()
    bare = {name: Task(name, "bash") for name in runbook.tasks}
    bare[task.name] = bare[task.name]._replace(injected_dep=task.injected_dep)
    found, _ = build(Runbook(bare, {}), {})
    return {name for name, deps in found.deps.items() if task.name in deps}


@given(graphs(ordinary=True), st.sets(st.sampled_from(NAMES), min_size=1))
@FEW
def test_a_selection_is_its_roots_and_all_their_ancestors(found, names):
    roots = names & set(found.order)
    assume(roots)

    whole = digraph(found.deps)
    assert set(select(found, Selection(tuple(roots))).steps) == roots.union(
        *(nx.ancestors(whole, root) for root in roots)
    )


@given(graphs(ordinary=True))
@FEW
def test_layers_are_the_topological_generations(found):
    plan = select(found, Selection())

    generations = nx.topological_generations(digraph({name: step.deps for name, step in plan.steps.items()}))
    assert [set(layer) for layer in layers(plan)] == [set(generation) for generation in generations]


@given(graphs(), st.sets(st.sampled_from(NAMES)), st.sampled_from([None, *NAMES]), st.sampled_from([None, *NAMES]))
@FEW
def test_every_plan_is_closed_ordered_and_layered(found, skip, from_, until):
    plan = plan_of(found, skip=tuple(skip & set(found.order)), from_=from_, until=until, everything=True)
    assume(plan)

    place = {name: index for index, name in enumerate(plan.steps)}
    for name, step in plan.steps.items():
        assert all(place[dep] < place[name] and plan.steps[dep].layer < step.layer for dep in step.deps)
    assert set(plan.kinds) <= {(dep, name) for name, step in plan.steps.items() for dep in step.deps}
    assert not set(plan.skipped) & set(plan.steps)


@given(graphs(), st.sets(st.sampled_from(NAMES), min_size=1), st.sampled_from(NAMES))
@FEW
def test_asking_for_more_never_runs_less(found, names, other):
    few = names & set(found.order)
    assume(few and other in found.order)

    assert set(select(found, Selection(tuple(few))).steps) <= set(select(found, Selection((*few, other))).steps)


@given(graphs(), st.sets(st.sampled_from(NAMES), min_size=1))
@FEW
def test_a_skip_takes_away_the_skipped_tasks_alone_and_keeps_the_order_of_the_others(found, names):
    skip = tuple(names & set(found.order))
    whole, rest = plan_of(found, everything=True), plan_of(found, everything=True, skip=skip)
    assume(rest)

    assert set(rest.steps) == set(whole.steps) - set(skip)
    before = digraph({name: step.deps for name, step in whole.steps.items()})
    after = digraph({name: step.deps for name, step in rest.steps.items()})
    assert all(nx.ancestors(after, name) == nx.ancestors(before, name) - set(skip) for name in rest.steps)


@given(graphs(), st.sampled_from(NAMES))
@FEW
def test_from_and_until_split_the_runbook_at_a_task(found, name):
    assume(name in found.order)
    after, upto = plan_of(found, everything=True, from_=name), plan_of(found, everything=True, until=name)
    assume(after)

    whole = digraph(found.deps)
    assert nx.descendants(whole, name) | {name} <= set(after.steps)
    assert not nx.ancestors(whole, name) & set(after.steps)
    assert nx.ancestors(whole, name) | {name} <= set(upto.steps)


@given(graphs())
@FEW
def test_what_waits_for_everything_comes_after_every_ordinary_task_that_does_not_need_it(found):
    plan = select(found, Selection(everything=True))

    whole = digraph({name: step.deps for name, step in plan.steps.items()})
    last = {name for name, step in plan.steps.items() if waits_for_all(step.task, step.deps, plan.kinds)}
    after = last.union(*(nx.descendants(whole, name) for name in last))
    ordinary = [step.layer for name, step in plan.steps.items() if not step.task.is_finally and name not in after]
    assert all(plan.steps[name].layer > layer for name in last for layer in ordinary)
