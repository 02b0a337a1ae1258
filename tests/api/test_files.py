"""Files that the tasks of a program pass to each other (rows A1 to A14, for tasks made in Python; T28)."""

from __future__ import annotations

import copy
import os
import pickle
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest
from book import ROOT
from waiting import until

from spry import (
    RetryPolicy,
    SQLiteStore,
    Task,
    TaskExecutionError,
    TaskExecutor,
    TaskGraph,
    TaskType,
    load,
    run,
)
from spry.api.artifacts import tidy
from spry.api.history import archive
from spry.errors import HostError


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """The folder in which everything runs, with a project of its own."""
    folder = tmp_path / "project"
    (folder / ".spry").mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def artifacts(project):
    """The store of that project."""
    return project / ".spry" / "artifacts"


def graph_of(*edges):
    """A graph in which each pair is a task and those it comes after."""
    graph = TaskGraph()
    for task, after in edges:
        graph.add(task, after=after)
    return graph


def passing(build="echo 1 > app", test="cat app", **of_test):
    """Two tasks of which the second has the file of the first."""
    first = Task.bash(build, title="Build", isolated=True, save="app")
    second = Task.bash(test, title="Test", **{"restore": True, **of_test})
    return graph_of((first, []), (second, [first])), first, second


def blobs(artifacts):
    return [path for path in (artifacts / "blobs").rglob("*") if path.is_file()]


def leftovers(artifacts):
    """What a run that is over should not have left."""
    runs = artifacts.parent / "runs"
    return [*artifacts.glob("work/*"), *artifacts.glob("parts/*"), *(runs.iterdir() if runs.exists() else [])]


# What can be said of a task


@pytest.mark.parametrize("make", [Task.bash, Task.powershell])
def test_a4_a5_programs_say_what_they_save_and_restore(make):
    task = make("true", isolated=True, save="out/**:lib", restore="deps")

    assert (task.isolated, task.save, task.restore) == (True, ("out/**:lib",), "deps")
    assert make("true", save=["a", "!b"]).save == ("a", "!b")
    assert (make("true").isolated, make("true").save, make("true").restore) == (False, (), False)


def test_a3_what_restores_has_a_folder_of_its_own():
    assert Task.bash("true", restore=True).has_own_folder
    assert Task.bash("true", isolated=True).has_own_folder
    assert not Task.bash("true", save="app").has_own_folder


@pytest.mark.parametrize(
    ("fields", "error", "words"),
    [
        ({"save": "../app"}, ValueError, r'save: "../app" leads out of the folder with ".."'),
        ({"save": "/etc/passwd"}, ValueError, "save: .* write a relative path"),
        ({"save": ["app", ""]}, ValueError, "save: expected a glob"),
        ({"save": "!app"}, ValueError, "save takes files out and names none"),
        ({"save": ["app", "!b:c"]}, ValueError, "has nothing to rename"),
        ({"save": 5}, TypeError, "save must be a pattern or a sequence of patterns"),
        ({"save": [b"app"]}, TypeError, "save must be a pattern or a sequence of patterns"),
        ({"save": None}, TypeError, "save must be"),
        ({"restore": "../deps"}, ValueError, "restore: .* does not lie in the task's own folder"),
        ({"restore": "/deps"}, ValueError, "restore: .* does not lie in the task's own folder"),
        ({"restore": ""}, ValueError, "restore: must not be empty"),
        ({"restore": 1}, TypeError, "restore must be True, False, or a folder"),
        ({"isolated": "yes"}, TypeError, "isolated must be True or False"),
        ({"isolated": True, "cwd": "/"}, ValueError, "works in a fresh folder; use cd in its script"),
        ({"restore": True, "cwd": "/"}, ValueError, "works in a fresh folder; use cd in its script"),
    ],
)
def test_a4_what_cannot_be_meant_is_refused_when_the_task_is_made(fields, error, words):
    with pytest.raises(error, match=words):
        Task.bash("true", **fields)


def test_a4_and_so_it_is_when_a_task_is_changed():
    task = Task.bash("true", cwd="/")

    with pytest.raises(ValueError, match=r"save: .* leads out"):
        task.save = ".."
    for name in ("isolated", "restore"):
        with pytest.raises(ValueError, match="fresh folder"):
            setattr(task, name, True)
    task.cwd = None
    task.restore = True
    with pytest.raises(ValueError, match="fresh folder"):
        task.cwd = "/"


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda task: pickle.loads(pickle.dumps(task))])
def test_tplus2_copies_have_their_files(again):
    task = again(Task.bash("true", isolated=True, save=["a", "b"], restore="deps"))

    assert (task.isolated, task.save, task.restore) == (True, ("a", "b"), "deps")


def test_tplus2_a_task_that_an_earlier_version_has_pickled_passes_no_files():
    nothing, fields = Task.bash("true").__reduce_ex__(4)[2]
    old = object.__new__(Task)
    old.__setstate__((nothing, {name: fields[name] for name in fields if name not in {"isolated", "save", "restore"}}))

    assert (old.isolated, old.save, old.restore) == (False, (), False)


# What happens to the files


def test_a3_a5_a_file_goes_from_task_to_task_and_nowhere_else(executor, project, artifacts):
    graph, _, test = passing()
    graph.run(executor)

    assert test.result.output == "1\n"
    assert graph.ok
    assert sorted(os.listdir(project)) == [".spry"]
    assert leftovers(artifacts) == []


def test_a6_a7_a_task_gets_what_all_before_it_have_saved_and_nobody_else(executor):
    root = Task.bash("echo r > root", isolated=True, save="root")
    middle = Task.bash("ls; mkdir out; echo m > out/middle", restore=True, save="out/**:lib")
    stranger = Task.bash("echo s > stranger", isolated=True, save="stranger")
    last = Task.bash("find . -type f | sort", restore="deps")
    graph_of((root, []), (middle, [root]), (stranger, []), (last, [middle])).run(executor)

    assert middle.result.output == "root\n"
    assert last.result.output == "./deps/lib/middle\n./deps/root\n"


def test_a3_an_attempt_has_a_fresh_folder_and_what_failed_leaves_nothing(executor):
    graph, build, test = passing("ls; echo $SPRY_ATTEMPT > app; touch dirt; [[ $SPRY_ATTEMPT == 2 ]]")
    build.retry = RetryPolicy(2)
    graph.run(executor)

    assert build.result.output == ""
    assert test.result.output == "2\n"


def test_a4_without_a_folder_of_its_own_a_task_saves_from_where_it_works(executor, project):
    (project / "deep").mkdir()
    build = Task.bash("echo 1 > app", cwd="deep", save="app")
    test = Task.bash("cat app; echo $SPRY_DIR", restore=True)
    graph_of((build, []), (test, [build])).run(executor)

    assert test.result.output == f"1\n{project}\n"
    assert (project / "deep" / "app").exists()


def test_a4_a_pattern_that_matches_nothing_fails_the_task(executor, seen):
    graph, build, test = passing("true")
    graph.run(executor)

    assert (build.is_failed, test.is_blocked) == (True, True)
    assert "app" in build.error
    assert isinstance(graph.errors[build.id], TaskExecutionError)
    assert build.result.termination_reason == "artifacts"
    assert build.result.returncode == 0
    assert seen.of(build) == ["STARTED", "FAILED"]


def test_a4_one_task_alone_can_save(executor):
    build = Task.bash("echo 1 > app", isolated=True, save="app")
    executor.execute(build)
    test = Task.bash("cat app", restore=True)
    graph_of((build, []), (test, [build])).run(executor)

    assert test.result.output == "1\n"


# What is found before anything starts


def test_a9_two_tasks_that_save_one_path_are_found_before_anything_starts(executor, project):
    one = Task.bash("touch ran; echo 1 > app", title="One", save="app")
    two = Task.bash("touch ran; echo 2 > app", title="Two", save="out:app")
    both = Task.bash("cat app", title="Both", restore=True)
    graph = graph_of((one, []), (two, []), (both, [one, two]))

    with pytest.raises(
        ValueError, match=r"artifact conflict: 'app' saved by 'One' and 'Two', and 'Both' restores both"
    ):
        graph.run(executor)
    assert one.is_pending
    assert not (project / "ran").exists()


def test_a10_a_file_where_another_task_has_a_folder_is_found_too(executor):
    one = Task.bash("true", title="One", save="out")
    two = Task.bash("true", title="Two", save="out/**")
    both = Task.bash("true", title="Both", restore=True)

    with pytest.raises(ValueError, match="'out' saved as a file by 'One' and as a folder by 'Two'"):
        graph_of((one, []), (two, []), (both, [one, two])).run(executor)


def test_a13_a_conflict_that_a_pattern_hides_fails_the_task_that_restores_and_names_both(executor):
    one = Task.bash("echo 1 > app", title="Same", isolated=True, save="*")
    two = Task.bash("echo 2 > app", title="Same", isolated=True, save="*")
    both = Task.bash("touch ran; cat app", restore=True)
    graph = graph_of((one, []), (two, []), (both, [one, two]))
    graph.run(executor)

    assert both.is_failed
    assert f"artifact conflict: 'app' saved by 'Same {one.id}' and 'Same {two.id}'" in both.error
    assert (both.result.returncode, both.result.termination_reason) == (None, "artifacts")


def test_a5_to_restore_where_nobody_saves_is_refused(executor):
    lonely = Task.bash("true", title="Lonely", restore=True)

    with pytest.raises(ValueError, match="task 'Lonely' restores files, and no task that it comes after saves any"):
        executor.execute(lonely)
    with pytest.raises(ValueError, match="Lonely"):
        graph_of((Task.bash("true"), []), (lonely, [])).run(executor)
    assert lonely.is_pending


@pytest.mark.parametrize("fields", [{"isolated": True}, {"save": "app"}])
def test_t4_a_handler_has_no_files(executor, fields):
    called = []
    executor.register(TaskType.BASH, called.append)
    executor.register(TaskType.PROMPT, called.append)

    with pytest.raises(ValueError, match="task 'T' is done by a handler: isolated, save and restore are for programs"):
        executor.execute(Task.bash("true", title="T", **fields))
    with pytest.raises(ValueError, match="is done by a handler"):
        executor.execute(Task("P", "hello", TaskType.PROMPT, **fields))
    assert called == []


def test_a4_patterns_without_their_library_are_an_error_before_anything_starts(executor, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "wcmatch", None)
    build = Task.bash("true", save="*")

    with pytest.raises(HostError, match="wcmatch"):
        executor.execute(build)
    assert build.is_pending


# Again, and later


def test_t28_what_has_succeeded_gives_its_files_again(executor, project):
    graph, _, test = passing("touch $SPRY_DIR/ran-$RANDOM-$RANDOM; echo 1 > app", "cat app; false")
    graph.run(executor)
    test.payload = "cat app"
    graph.run(executor)

    assert test.result.output == "1\n"
    assert len(list(project.glob("ran-*"))) == 1


def test_t28_also_to_another_program_that_has_the_graph_from_a_store(store):
    graph, _, _ = passing(test="cat app; false")
    graph.run(TaskExecutor(store))
    later = store.graphs[graph.id]
    test = later.failed[0]
    test.payload = "cat app"
    later.run(TaskExecutor(store))

    assert (test.restore, test.result.output) == (True, "1\n")
    assert later.ok


def test_t29_a_store_keeps_what_is_said_of_files(store):
    task = Task.bash("true", isolated=True, save=["a", "!b"], restore="deps")
    store.tasks.save(task)
    saved = store.tasks[task.id]
    assert (saved.isolated, saved.save, saved.restore) == (True, ("a", "!b"), "deps")

    task.isolated, task.save, task.restore = False, (), False
    store.tasks.save(task)
    saved = store.tasks[task.id]
    assert (saved.isolated, saved.save, saved.restore) == (False, (), False)


def test_tplus8_the_file_of_an_earlier_version_can_be_used_and_is_then_one_of_this(tmp_path):
    path = tmp_path / "tasks.db"
    task = Task.bash("true", env={"A": "1"})
    SQLiteStore(path).tasks.save(task)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE metadata SET value = '4'")

    assert SQLiteStore(path).tasks[task.id].env == {"A": "1"}
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT value FROM metadata").fetchone() == ("5",)


def damage(artifacts):
    for path in blobs(artifacts):
        path.chmod(0o600)
        data = path.read_bytes()
        path.write_bytes(b"!" + data[1:])


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (damage, "damaged"),
        (lambda artifacts: [path.unlink() for path in blobs(artifacts)], "damaged"),
        (lambda artifacts: shutil.rmtree(artifacts / "holds"), "what it saved is not kept any more"),
        (shutil.rmtree, "what it saved is not kept any more"),
    ],
)
def test_t28_what_is_not_whole_any_more_is_an_error_before_anything_starts(executor, artifacts, harm, words):
    graph, _, test = passing(test="cat app; false")
    graph.run(executor)
    harm(artifacts)

    with pytest.raises(HostError, match=f"task 'Build' has succeeded, but .*{words} in {artifacts}"):
        graph.run(executor)
    assert test.is_failed
    assert leftovers(artifacts) == []


def test_t28_one_damaged_file_is_named(executor, artifacts):
    graph, _, _ = passing("head -c 300000 /dev/zero > app", "false")
    graph.run(executor)
    largest = max(blobs(artifacts), key=lambda path: path.stat().st_size)
    largest.chmod(0o600)
    largest.write_bytes(b"!" * 300000)

    with pytest.raises(HostError, match="task 'Build' has succeeded, but 'app', which it saved, is damaged"):
        graph.run(executor)


def test_t28_what_nobody_restores_any_more_is_not_missed(executor, artifacts):
    graph, _, test = passing(test="false")
    graph.run(executor)
    shutil.rmtree(artifacts)
    test.restore, test.payload = False, "true"
    graph.run(executor)

    assert graph.ok


def test_t28_elsewhere_the_files_are_missed_and_not_left_out(executor, tmp_path, monkeypatch):
    graph, _, _ = passing(test="false")
    graph.run(executor)
    other = tmp_path / "other"
    (other / ".spry").mkdir(parents=True)
    monkeypatch.chdir(other)

    with pytest.raises(HostError, match=f"not kept any more in {other}/.spry/artifacts"):
        graph.run(executor)


def test_a1_without_a_project_files_are_kept_with_the_history_of_the_folder(executor, tmp_path, monkeypatch):
    plain, state = tmp_path / "plain", tmp_path / "state"
    plain.mkdir()
    monkeypatch.chdir(plain)
    monkeypatch.setenv("XDG_STATE_HOME", str(state))
    graph, _, test = passing()
    graph.run(executor)

    assert test.result.output == "1\n"
    assert os.listdir(plain) == []
    assert len(list(state.glob("spry/plain-*/artifacts/holds/program-*"))) == 1


def test_a1_where_nothing_can_be_kept_nothing_starts(executor, project):
    shutil.rmtree(project / ".spry")
    (project / ".spry").mkdir()
    (project / ".spry" / "runs").touch()
    graph, build, _ = passing()

    with pytest.raises(HostError, match="the files of tasks cannot be kept"):
        graph.run(executor)
    assert build.is_pending


@pytest.mark.parametrize("has_history", [False, True])
def test_a2_files_are_kept_for_a_while_and_then_swept(executor, project, artifacts, monkeypatch, has_history):
    if has_history:
        (project / "book.md").write_text("```bash one\ntrue\n```\n")
        assert run("book.md").ok
    graph, _, _ = passing()
    graph.run(executor)
    known = archive(str(project))
    before = blobs(artifacts)
    tidy(str(artifacts.parent), known)
    assert blobs(artifacts) == before != []

    later = time.time() + 31 * 86400
    monkeypatch.setattr(time, "time", lambda: later)
    tidy(str(artifacts.parent), known)
    assert blobs(artifacts) == list(artifacts.glob("holds/*")) == []
    if known is not None:
        known.close()


def test_a1_another_run_leaves_the_folders_of_this_one_alone(executor, project):
    wait = 'echo begun; until [ -e "$SPRY_DIR/go" ]; do sleep 0.01; done; cat app'
    graph, _, test = passing(test=wait, timeout=60)
    inner = TaskExecutor()

    def meanwhile(event):
        if event.output_chunk == "begun\n":
            other, _, second = passing()
            other.run(inner)
            (project / "go").touch()
            assert second.is_done

    executor.events.subscribe(meanwhile)
    graph.run(executor)

    assert test.result.output == "begun\n1\n"
    assert executor.events.errors == []


KILLED = """
from spry import SQLiteStore, Task, TaskExecutor, TaskGraph
store, graph = SQLiteStore("tasks.db"), TaskGraph()
build = Task.bash("truncate -s 900G app", title="Build", isolated=True, save="app")
test = Task.bash("cat app", restore=True)
graph.add(build)
graph.add(test, after=[build])
graph.run(TaskExecutor(store))
"""


def test_t28_a_program_that_is_killed_while_it_saves_leaves_nothing_that_counts(artifacts, project):
    with subprocess.Popen([sys.executable, "-c", KILLED], env={**os.environ, "PYTHONPATH": str(ROOT)}) as program:
        try:
            until(lambda: any(artifacts.glob("parts/*")))
        finally:
            program.kill()
    store = SQLiteStore("tasks.db")
    (graph,) = store.graphs.values()
    (build,) = graph.reset()
    assert list(artifacts.glob("holds/*")) == []
    build.payload = "echo 1 > app"
    graph.run(TaskExecutor(store))

    assert [task.result.output for task in graph] == ["", "1\n"]
    assert list(artifacts.glob("work/*")) == []
    tidy(str(artifacts.parent), None)
    assert list(artifacts.glob("parts/*")) == []
    assert len(blobs(artifacts)) == 2


# Cells of a runbook

BOOK = """```bash build --isolated --save app
echo 1 > app; touch $SPRY_DIR/ran-$RANDOM-$RANDOM
```

```bash test --dep build --restore
cat app; [[ -e $SPRY_DIR/ready ]]
```
"""


def test_t28_cells_give_their_files_again(executor, project):
    (project / "book.md").write_text(BOOK)
    graph = load("book.md").graph("test")
    graph.run(executor)
    assert [task.title for task in graph.failed] == ["test"]
    (project / "ready").touch()
    graph.run(executor)

    assert graph.ok
    assert len(list(project.glob("ran-*"))) == 1
    assert [(task.title, task.save, task.restore) for task in graph] == [("build", ("app",), False), ("test", (), ".")]


def test_a9_a_task_of_ones_own_beside_the_cells_is_checked_too(executor, project):
    (project / "book.md").write_text(BOOK)
    graph = load("book.md").graph("test")
    build, test = graph
    mine = Task.bash("echo 2 > app", title="Mine", save="app")
    graph.add(mine)
    graph.add(test, after=[build, mine])

    with pytest.raises(
        ValueError, match="artifact conflict: 'app' saved by 'build' and 'Mine', and 'test' restores both"
    ):
        graph.run(executor)


def test_a4_what_a_cell_saves_is_changed_in_the_runbook(project):
    (project / "book.md").write_text(BOOK)
    build, _ = load("book.md").graph("test")

    for name in ("isolated", "save", "restore"):
        with pytest.raises(AttributeError, match="is changed in the runbook"):
            setattr(build, name, getattr(build, name))
