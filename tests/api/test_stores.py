"""Stores (rows T29 and T+8)."""

from __future__ import annotations

import gc
import sqlite3
import threading
from contextlib import closing

import pytest

from spry import InMemoryStore, RetryPolicy, SQLiteStore, Store, Task, TaskExecutor, TaskGraph, TaskStatus


class Broken(dict):
    """A collection that keeps nothing."""

    def save(self, _):
        raise OSError("full")


class BrokenStore:
    tasks, graphs = Broken(), Broken()


@pytest.fixture
def executor(store):
    return TaskExecutor(store)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deeper" / "tasks.db"


def graph_of_three():
    graph = TaskGraph(title="three")
    bad, child, clean = Task.bash("exit 1", title="bad"), Task.bash("true"), Task.bash("true")
    graph.add(bad)
    graph.add(child, after=[bad])
    graph.add(clean, after=[child, bad], finally_=True, required=False)
    return graph, bad, child, clean


def test_t29_stores_are_stores(store):
    assert isinstance(store, Store)
    assert len(store.tasks) == len(store.graphs) == 0


def test_t29_tasks_are_saved_whenever_something_happens_to_them_before_it_is_told(executor, store):
    told = []
    executor.events.subscribe(lambda event: told.append((event.type.name, store.tasks[event.task_id].status.name)))
    task = Task.bash("exit 1")
    executor.execute(Task.bash("true"))
    with pytest.raises(RuntimeError):
        executor.execute(task)
    executor.cancel(task)
    blocked = Task.bash("true")
    executor.mark_blocked(blocked, None)

    assert told == [
        ("STARTED", "RUNNING"), ("SUCCEEDED", "SUCCEEDED"), ("STARTED", "RUNNING"), ("FAILED", "FAILED"),
        ("CANCELLED", "CANCELLED"), ("BLOCKED", "BLOCKED"),
    ]  # fmt: skip


def test_t29_what_comes_back_is_what_was_saved(executor, store):
    task = Task.bash(
        "echo out; echo err >&2",
        title="t",
        description="d",
        timeout=5.5,
        env={"A": "ä"},
        cwd="/tmp",
        retry=RetryPolicy(2, 1),
    )
    executor.execute(task)
    again = store.tasks[task.id]

    for field in ("id", "title", "payload", "type", "description", "error", "timeout", "created_at", "status",
                  "blocked_by", "env", "cwd", "retry"):  # fmt: skip
        assert getattr(again, field) == getattr(task, field), field
    for field in ("task_id", "status", "started_at", "finished_at", "duration", "output", "error", "returncode",
                  "termination_reason"):  # fmt: skip
        assert getattr(again.result, field) == getattr(task.result, field), field
    with pytest.raises(AttributeError, match="immutable"):
        again.title = "x"


def test_t29_graphs_come_back_with_tasks_edges_and_roles(executor, store):
    graph, bad, child, clean = graph_of_three()
    graph.run(executor)
    again = store.graphs[graph.id]

    assert (again.id, again.title, again.created_at) == (graph.id, "three", graph.created_at)
    assert [(task, deps) for task, deps in again.items()] == [(bad, []), (child, [bad]), (clean, [child, bad])]
    assert [task.status.name for task in again] == ["FAILED", "BLOCKED", "SUCCEEDED"]
    assert [task.blocked_by for task in again] == [None, bad.id, None]
    assert (again.is_finally(clean), again.is_optional(clean), again.ok) == (True, True, False)


def test_t29_a_graph_goes_on_where_it_was_loaded_from(store, tmp_path):
    graph, bad, _, _ = graph_of_three()
    bad.payload, bad.cwd = "[[ -e ready ]]", str(tmp_path)
    graph.run(TaskExecutor(store))
    (tmp_path / "ready").touch()
    again = store.graphs[graph.id]
    again.run(TaskExecutor(store))

    assert again.ok
    assert store.graphs[graph.id].ok


def test_t29_graphs_are_saved_before_and_after_a_run(store, executor):
    graph, *_ = graph_of_three()
    found = []
    executor.events.subscribe(lambda _: found.append(graph.id in store.graphs))
    graph.run(executor)

    assert all(found)
    assert store.graphs[graph.id].failed


def test_tplus8_collections_are_mappings(store):
    a, b = Task.bash("a"), Task.bash("b")
    store.tasks[a.id] = a
    store.tasks.save(b)
    store.tasks.save(a)

    assert list(store.tasks) == [a.id, b.id]
    assert list(store.tasks.values()) == [a, b]
    assert a.id in store.tasks
    assert store.tasks.pop(a.id) == a
    assert (len(store.tasks), store.tasks.get("x")) == (1, None)
    for missing in (lambda: store.tasks["x"], lambda: store.tasks.__delitem__("x"), lambda: store.graphs["x"]):
        with pytest.raises(KeyError):
            missing()


def test_tplus8_the_key_is_the_id_and_the_value_of_the_kind(store):
    with pytest.raises(ValueError, match=r"task_id must match task\.id"):
        store.tasks["x"] = Task.bash("true")
    with pytest.raises(ValueError, match=r"graph_id must match graph\.id"):
        store.graphs["x"] = TaskGraph()
    with pytest.raises(TypeError, match="Expected Task, got int"):
        store.tasks["x"] = 3


def test_tplus8_a_graph_without_one_of_its_dependencies_cannot_be_saved(store):
    graph = TaskGraph()
    graph.add(Task.bash("true"), after=[Task.bash("true")])
    with pytest.raises(KeyError):
        store.graphs.save(graph)

    assert len(store.graphs) == 0


def test_tplus8_the_tasks_of_a_graph_stay_when_it_is_deleted(store):
    graph, *_ = graph_of_three()
    store.graphs.save(graph)
    known = len(store.tasks)
    del store.graphs[graph.id]

    assert len(store.tasks) == known
    assert len(store.graphs) == 0


def test_tplus8_a_task_can_be_cancelled_in_the_store(store):
    task = Task.bash("true")
    store.tasks.save(task)
    store.tasks.cancel(task.id)

    assert store.tasks[task.id].is_cancelled


def test_tplus8_memory_keeps_the_objects_and_sqlite_gives_detached_snapshots(path):
    memory, file, task = InMemoryStore(), SQLiteStore(path), Task.bash("true", title="old")
    for store in (memory, file):
        store.tasks.save(task)
    task.title = "new"
    file.tasks[task.id].title = "other"

    assert memory.tasks[task.id] is task
    assert file.tasks[task.id].title == "old"


def test_tplus8_a_file_outlives_its_program_and_is_private(path):
    task = Task.bash("true")
    SQLiteStore(path).tasks.save(task)
    again = SQLiteStore(str(path))

    assert again.tasks[task.id] == task
    assert repr(again) == f"SQLiteStore({path})"
    assert path.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("SELECT value FROM metadata WHERE key = 'schema_version'").fetchone() == ("5",)


@pytest.mark.parametrize("change", ["UPDATE metadata SET value = '3'", "DELETE FROM metadata", "DROP TABLE metadata"])
def test_tplus8_a_file_of_another_version_is_refused_unless_it_may_be_dropped(path, change):
    store = SQLiteStore(path)
    store.tasks.save(Task.bash("true"))
    store.close()
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(change)
    connection.close()
    with pytest.raises(RuntimeError, match="schema version"):
        SQLiteStore(path)

    assert len(SQLiteStore(path, allow_destructive_migration=True).tasks) == 0


def test_tplus8_a_file_that_is_no_database_is_refused_and_left_alone(path):
    path.parent.mkdir()
    path.write_bytes(b"precious" * 1000)
    with pytest.raises(sqlite3.DatabaseError):
        SQLiteStore(path, allow_destructive_migration=True)

    assert path.read_bytes() == b"precious" * 1000


def test_tplus8_a_store_that_fails_is_an_event_and_never_a_failure(seen):
    executor = TaskExecutor(BrokenStore())
    executor.events.subscribe(seen)
    task = Task.bash("true")
    executor.execute(task)

    assert task.is_done
    assert seen.kinds == ["PERSISTENCE_FAILED", "STARTED", "PERSISTENCE_FAILED", "SUCCEEDED"]
    assert [event.error for event in seen] == ["full", None, "full", None]
    assert [name for name, _ in executor.persistence_errors] == [task.id] * 2


def test_bug_8_a_graph_that_cannot_be_saved_is_an_event(seen):
    executor = TaskExecutor(BrokenStore())
    executor.events.subscribe(seen)
    graph, *_ = graph_of_three()
    graph.run(executor)
    told = [event for event in seen if event.task_id == graph.id]

    assert [(event.type.name, event.task.title) for event in told] == [("PERSISTENCE_FAILED", "three")] * 2
    assert [name for name, _ in executor.graph_persistence_errors] == [graph.id] * 2


def test_a_store_that_nobody_holds_any_more_is_closed(path):
    store = SQLiteStore(path)
    connection = store._database.connection
    connection.execute("SELECT 1")
    del store
    gc.collect()

    with pytest.raises(sqlite3.ProgrammingError):
        connection.execute("SELECT 1")


def test_threads_may_share_a_store(path):
    store = SQLiteStore(path)
    executor = TaskExecutor(store)
    graph = TaskGraph()
    for _ in range(50):
        graph.add(Task.bash("true"))
    threads = [threading.Thread(target=lambda: [store.tasks.save(Task.bash("x")) for _ in range(20)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    graph.run(executor)
    for thread in threads:
        thread.join()

    assert len(store.tasks) == 50 + 80
    assert store.graphs[graph.id].ok
    assert executor.persistence_errors == []


def test_bug_9_to_load_a_graph_takes_as_many_queries_whatever_its_size(path):
    store = SQLiteStore(path)
    counts = []
    for size in (2, 200):
        graph, before = TaskGraph(), []
        for _ in range(size):
            task = Task.bash("true")
            graph.add(task, after=before)
            before = [task]
        store.graphs.save(graph)
        queries = []
        store._database.connection.set_trace_callback(queries.append)
        again = store.graphs[graph.id]
        store._database.connection.set_trace_callback(None)
        counts.append(len(queries))
        assert [(task, deps) for task, deps in again.items()] == list(graph.items())

    assert counts == [4, 4]


def test_a_task_that_runs_in_the_store_after_a_crash_can_be_reset(store):
    graph, bad, *_ = graph_of_three()
    bad.payload = "true"
    bad.transition_to(TaskStatus.RUNNING)
    store.graphs.save(graph)
    again = store.graphs[graph.id]
    with pytest.raises(ValueError, match="reset"):
        again.run(TaskExecutor(store))

    assert again.reset() == [bad]
    assert again.run(TaskExecutor(store)).ok
