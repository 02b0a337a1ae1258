"""How the tasks of a plan hang together while they run, and whose turn is next."""

from __future__ import annotations

from heapq import heappop, heappush

from spry.core.model import Task
from spry.core.plan import waits_for_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from spry.core.model import Plan, Step, Terms
    from spry.core.result import Verdict

PENDING, READY, ASKING, RUNNING, BACKOFF, DONE = range(6)


class Crowd:
    """Tasks of which no more than `most` may be under way at once; others wait for one of them to end."""

    __slots__ = ("busy", "most", "waiting")

    def __init__(self, most: int) -> None:
        self.most = most
        self.busy: set[Node] = set()
        self.waiting: list[Node] = []

    def admits(self, node: Node) -> bool:
        """Whether there is room for a task; if not, it waits."""
        if len(self.busy) >= self.most:
            self.waiting.append(node)
            return False
        self.busy.add(node)
        return True

    def left(self, node: Node) -> list[Node]:
        """A task is no longer under way: who has to ask again."""
        self.busy.discard(node)
        again, self.waiting = self.waiting, []
        return again


class Node:
    """Where one task of a run stands; the schedule alone changes it.

    `rank` is its place by urgency, from 0. `waits` counts what must still end before it may start; `always` marks
    finally tasks, which start whatever the outcome of that was, and `optional` those of them whose failure does not
    fail the run (the flag means nothing on an ordinary task). `asks` says that a question comes first. `delay` is
    the next pause before a retry. `verdict` is how it ended or, while it runs, how it will once it has been stopped;
    `told` says that the executor was asked to stop it. `leaked` is the number of processes its attempts left running.
    """

    __slots__ = (
        "always", "asks", "attempt", "crowd", "delay", "dependents", "leaked", "name", "optional", "rank", "started",
        "state", "task", "told", "verdict", "waits",
    )  # fmt: skip

    def __init__(self, task: Task, rank: int, *, ask: bool = True) -> None:
        self.task = task
        self.name = task.name
        self.rank = rank
        self.always = task.is_finally
        self.optional = task.optional and task.is_finally
        self.asks = ask and task.confirm is not None
        self.dependents: list[Node] = []
        self.waits = 0
        self.state = PENDING
        self.attempt = 0
        self.crowd: Crowd | None = None
        self.delay = task.backoff
        self.started = 0.0
        self.verdict: Verdict | None = None
        self.told = False
        self.leaked = 0


class Turns:
    """The ready tasks, most urgent first, with the rules of the terminal: one question, or one interactive task alone.

    An interactive task whose turn has come lets nothing start before it, so that it cannot starve.
    """

    __slots__ = ("_alone", "_asking", "_by_rank", "_deferred", "_ready")

    def __init__(self, nodes: Iterable[Node]) -> None:
        self._by_rank = sorted(nodes, key=lambda node: node.rank)
        self._ready: list[int] = []
        self._deferred: list[Node] = []  # their turn came while another question was open
        self._alone: Node | None = None
        self._asking: Node | None = None

    def add(self, node: Node) -> None:
        """A task is ready and waits for its turn."""
        node.state = READY
        heappush(self._ready, node.rank)

    def next(self, running: int) -> Node | None:
        """The task whose turn it is while so many are `running`; the caller begins it."""
        if self._alone is not None:
            return self._alone if self._alone.state == READY and not running else None
        while self._ready:
            node = self._by_rank[heappop(self._ready)]
            if node.state != READY:
                continue
            if node.task.interactive:
                self._alone = node
                return None if running else node
            if node.asks and self._asking is not None:
                self._deferred.append(node)
                continue
            if node.crowd is not None and not node.crowd.admits(node):
                continue
            if node.asks:
                self._asking = node
            return node
        return None

    def answered(self, node: Node) -> None:
        """The question of a task is no longer open: the next one may be put."""
        if node is not self._asking:
            return
        self._asking = None
        for other in self._deferred:
            heappush(self._ready, other.rank)
        self._deferred = []

    def left(self, node: Node) -> None:
        """A task is no longer ready or under way."""
        self.answered(node)
        if node.crowd is not None:
            for other in node.crowd.left(node):
                heappush(self._ready, other.rank)
        if node is self._alone:
            self._alone = None


class Timers:
    """The instants at which a pause or the time of an attempt is over; those that came to mean nothing are dropped."""

    __slots__ = ("_heap",)

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, int, int, Node]] = []

    def set(self, instant: float, node: Node) -> None:
        """Remember an instant for what the task does now: this pause, or this attempt."""
        heappush(self._heap, (instant, node.rank, node.attempt, node.state, node))

    def next(self) -> float | None:
        """The earliest instant that still means something."""
        heap = self._heap
        while heap and (heap[0][4].attempt != heap[0][2] or heap[0][4].state != heap[0][3]):
            heappop(heap)
        return heap[0][0] if heap else None

    def due(self, now: float) -> Iterator[Node]:
        """The tasks whose instant has come, each once."""
        while (instant := self.next()) is not None and instant <= now:
            yield heappop(self._heap)[4]


def link(plan: Plan, terms: Terms, durations: Mapping[str, float]) -> tuple[dict[str, Node], Node]:
    """The nodes of a plan in its order, and the barrier: a node without a task that "everything else" stands for.

    The barrier waits for all tasks that are not finally, and the finally tasks without dependencies wait for it.
    An ordinary task that descends from one of those cannot be waited for as well, and is left out.
    """
    ranks = {name: rank for rank, name in enumerate(by_urgency(plan.steps, durations))}
    nodes = {name: Node(step.task, ranks[name], ask=not terms.yes) for name, step in plan.steps.items()}
    for name, step in plan.steps.items():
        node = nodes[name]
        node.waits = len(step.deps)
        for dep in step.deps:
            nodes[dep].dependents.append(node)
    for names, most in terms.crowds:
        crowd = Crowd(most)
        for name in names:
            nodes[name].crowd = crowd
    barrier = Node(Task("", "", is_finally=True), len(nodes))
    last = [nodes[name] for name, step in plan.steps.items() if waits_for_all(step.task, step.deps, plan.kinds)]
    if last:
        _raise_barrier(barrier, last, nodes.values())
    return nodes, barrier


def by_urgency(steps: Mapping[str, Step], durations: Mapping[str, float]) -> list[str]:
    """Task names, the longest remaining path first, ties in plan order.

    The length of a path is the sum of its tasks' seconds; a task that never ran weighs as much as the others do on
    average, and if none ever ran, the number of tasks decides.
    """
    known = {name: seconds for name, seconds in durations.items() if seconds > 0 and name in steps}
    usual = sum(known.values()) / len(known) if known else 1.0
    longest = dict.fromkeys(steps, 0.0)
    for name in reversed(list(steps)):
        length = longest[name] + known.get(name, usual)
        longest[name] = length
        for dep in steps[name].deps:
            if longest[dep] < length:  # noqa: PLR1730 - max() costs a call for every edge
                longest[dep] = length
    return sorted(steps, key=longest.__getitem__, reverse=True)


def _raise_barrier(barrier: Node, last: list[Node], nodes: Iterable[Node]) -> None:
    after = _descendants(last)
    for node in nodes:
        if not node.always and node not in after:
            node.dependents.append(barrier)
            barrier.waits += 1
    for node in last:
        node.waits += 1
        barrier.dependents.append(node)


def _descendants(nodes: Iterable[Node]) -> set[Node]:
    found: set[Node] = set()
    queue = list(nodes)
    for node in queue:
        fresh = [dependent for dependent in node.dependents if dependent not in found]
        found.update(fresh)
        queue.extend(fresh)
    return found
