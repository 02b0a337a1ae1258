import marshal
import os
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import examples
from spry.core.model import Expression, Graph, Parameter, Runbook, Settings, Task
from spry.store import plans
from spry.store.plans import PlanCache

FILES = [("docs/runbook.md", "/srv/docs", b"```bash a\ntrue\n```\n")]
SMALL = Graph(
    Runbook(
        {
            "a": Task("a", "bash", "true", params=(Parameter("p", "choice", choices=("x", "y")),)),
            "b": Task("b", "bash", "x", expressions=(Expression(0, 1, "env", "K", "plain", 1, 2),), timeout=1.5),
        },
        {"docs/runbook.md": Settings(jobs=3, env={"A": "1"}, secrets=("S",))},
    ),
    ("a", "b"),
    {"a": (), "b": ("a",)},
    {("a", "b"): "injected"},
)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache" / "plans"


@pytest.fixture
def saved(folder):
    """The only entry of a cache with one small graph."""
    PlanCache(str(folder)).save(FILES, SMALL)
    return next(folder.iterdir())


def loaded(folder, files=FILES):
    return PlanCache(str(folder)).load(files)


TEXT = st.text(max_size=8)
TEXTS = st.lists(TEXT, max_size=3).map(tuple)
NUMBERS = st.floats(allow_nan=False)
USED = st.tuples(st.integers(), st.integers(), TEXT, TEXT, TEXT, st.integers(), st.integers()).map(
    lambda fields: Expression(*fields)
)
ASKED = st.tuples(TEXT, TEXT, st.none() | TEXT, TEXTS).map(lambda fields: Parameter(*fields))
FIELDS = {
    "name": TEXT,
    "language": TEXT,
    "body": TEXT,
    "deps": TEXTS,
    "dep_marks": st.lists(st.tuples(st.integers(), st.integers()), max_size=2).map(tuple),
    "timeout": st.none() | NUMBERS,
    "strict": st.booleans(),
    "limits": st.lists(st.tuples(TEXT, NUMBERS), max_size=2).map(tuple),
    "params": st.lists(ASKED, max_size=2).map(tuple),
    "expressions": st.lists(USED, max_size=2).map(tuple),
}
TASKS = st.fixed_dictionaries(FIELDS).map(lambda fields: Task(**fields))
SETTINGS = st.tuples(st.none() | st.integers(), st.dictionaries(TEXT, TEXT, max_size=2), TEXTS).map(
    lambda fields: Settings(jobs=fields[0], env=fields[1], secrets=fields[2])
)


@st.composite
def graphs(draw):
    tasks = {task.name: task for task in draw(st.lists(TASKS, max_size=3))}
    order = tuple(draw(st.permutations(list(tasks))))
    return Graph(
        Runbook(tasks, draw(st.dictionaries(TEXT, SETTINGS, max_size=2))),
        order,
        {name: draw(TEXTS) for name in tasks},
        draw(st.dictionaries(st.tuples(TEXT, TEXT), TEXT, max_size=3)),
    )


@given(graphs())
@examples(40)
def test_what_is_saved_is_loaded_the_same(tmp_path_factory, graph):
    cache = PlanCache(str(tmp_path_factory.getbasetemp() / "round-trip"))
    cache.save(FILES, graph)
    found = cache.load(FILES)

    assert found == graph
    assert list(found.runbook.tasks) == list(graph.runbook.tasks)
    assert all(type(task) is Task for task in found.runbook.tasks.values())
    assert all(type(used) is Expression for task in found.runbook.tasks.values() for used in task.expressions)
    assert all(type(asked) is Parameter for task in found.runbook.tasks.values() for asked in task.params)


def test_nothing_saved_is_nothing_loaded(folder):
    assert loaded(folder) is None


@pytest.mark.parametrize(
    "files",
    [
        [],
        [("docs/other.md", "/srv/docs", FILES[0][2])],
        [("docs/runbook.md", "/srv", FILES[0][2])],
        [("docs/runbook.md", "/srv/docs", FILES[0][2] + b" ")],
        [*FILES, *FILES],
    ],
)
def test_other_files_have_another_entry(folder, saved, files):
    assert loaded(folder, files) is None
    assert loaded(folder) == SMALL


def test_bytes_do_not_slide_from_one_file_into_the_next(folder):
    cache = PlanCache(str(folder))
    cache.save([("a", "/", b"12"), ("b", "/", b"3")], SMALL)

    assert cache.load([("a", "/", b"1"), ("b", "/", b"23")]) is None


def test_a_path_that_is_not_unicode_has_an_entry(folder):
    files = [(os.fsdecode(b"\xff.md"), "/", b"")]
    PlanCache(str(folder)).save(files, SMALL)

    assert loaded(folder, files) == SMALL


def test_another_version_has_another_entry(folder, saved, monkeypatch):
    monkeypatch.setattr(plans, "__version__", "0.0.0")

    assert loaded(folder) is None


# Damage


def test_an_entry_cut_anywhere_is_not_loaded(folder, saved):
    whole = saved.read_bytes()
    for length in range(len(whole)):
        saved.write_bytes(whole[:length])

        assert loaded(folder) is None


def test_an_entry_with_any_byte_changed_is_not_loaded(folder, saved):
    whole = saved.read_bytes()
    for place in range(len(whole)):
        saved.write_bytes(whole[:place] + bytes([whole[place] ^ 0x40]) + whole[place + 1 :])

        assert loaded(folder) is None


def test_an_entry_that_is_longer_than_it_was_is_not_loaded(folder, saved):
    saved.write_bytes(saved.read_bytes() + b"\0")

    assert loaded(folder) is None


def test_an_entry_under_another_name_is_not_loaded(folder, saved):
    others = [("other.md", "/srv", b"")]
    PlanCache(str(folder)).save(others, SMALL._replace(kinds={}))
    other = next(path for path in folder.iterdir() if path != saved)
    saved.replace(other)

    assert loaded(folder, others) is None


@pytest.mark.parametrize(
    "payload",
    [
        None,
        7,
        (),
        (1, 2, 3, 4, 5),
        ((), (), ("a",), (), {}),
        (((1, 2),), (), (1,), ((),), {}),
        ((), ((1, (2,)),), (), (), {}),
    ],
)
def test_an_entry_of_wrong_shape_with_a_right_checksum_is_not_loaded(folder, saved, payload):
    data = marshal.dumps(payload)
    saved.write_bytes(plans.MAGIC + plans._checksum(bytes.fromhex(saved.name), data) + data)

    assert loaded(folder) is None


def test_a_damaged_entry_is_replaced_by_the_next_save(folder, saved):
    saved.write_bytes(b"x")
    PlanCache(str(folder)).save(FILES, SMALL)

    assert loaded(folder) == SMALL


# Trust


def test_folder_and_entries_are_private(folder, saved):
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_an_entry_that_others_can_write_is_not_loaded(folder, saved, mode):
    saved.chmod(mode)

    assert loaded(folder) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_an_entry_of_another_user_is_not_loaded(folder, saved):
    os.chown(saved, 12345, 12345)

    assert loaded(folder) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders away")
def test_nothing_is_left_in_a_folder_of_another_user(folder):
    folder.mkdir(parents=True)
    os.chown(folder, 12345, 12345)
    PlanCache(str(folder)).save(FILES, SMALL)

    assert list(folder.iterdir()) == []


def test_a_link_is_not_followed(folder, saved, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    saved.replace(elsewhere)
    saved.symlink_to(elsewhere)

    assert loaded(folder) is None


def test_a_pipe_in_place_of_an_entry_does_not_block(folder, saved):
    saved.unlink()
    os.mkfifo(saved)

    assert loaded(folder) is None


def test_a_folder_in_place_of_an_entry_is_not_loaded(folder, saved):
    saved.unlink()
    saved.mkdir()

    assert loaded(folder) is None


# Places that cannot be written


@pytest.mark.parametrize("place", ["/dev/null/plans", "/proc/spry/plans"])
def test_a_folder_that_cannot_be_made_is_no_error(place):
    cache = PlanCache(place)
    cache.save(FILES, SMALL)

    assert cache.load(FILES) is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_no_error(folder):
    folder.mkdir(parents=True, mode=0o500)
    PlanCache(str(folder)).save(FILES, SMALL)

    assert list(folder.iterdir()) == []


def test_a_graph_that_cannot_be_kept_is_no_error(folder):
    odd = SMALL._replace(kinds={("a", "b"): object()})
    PlanCache(str(folder)).save(FILES, odd)

    assert loaded(folder) is None


def test_a_move_that_fails_leaves_nothing_behind(folder, saved):
    saved.unlink()
    saved.mkdir()
    PlanCache(str(folder)).save(FILES, SMALL)

    assert [path.is_dir() for path in folder.iterdir()] == [True]


# Size


def test_the_oldest_entries_are_dropped(folder, monkeypatch):
    monkeypatch.setattr(plans, "MOST_ENTRIES", 3)
    cache = PlanCache(str(folder))
    for number in range(5):
        cache.save([(f"{number}.md", "/", b"")], SMALL)
        for path in folder.iterdir():
            age = path.stat().st_mtime - 60
            os.utime(path, (age, age))

    assert [cache.load([(f"{number}.md", "/", b"")]) is not None for number in range(5)] == [False] * 2 + [True] * 3


def test_all_entries_together_stay_below_the_limit(folder, saved, monkeypatch):
    monkeypatch.setattr(plans, "MOST_BYTES", saved.stat().st_size * 3 // 2)
    PlanCache(str(folder)).save([("new.md", "/", b"")], SMALL)

    assert len(list(folder.iterdir())) == 1


def test_a_graph_beyond_the_limit_is_not_kept(folder, monkeypatch):
    monkeypatch.setattr(plans, "MOST_BYTES", 100)
    PlanCache(str(folder)).save(FILES, SMALL)

    assert not folder.exists()


# Several at once, and start-up

WRITER = """
    import sys
    from spry.core.model import Graph, Runbook, Task
    from spry.store.plans import PlanCache

    files = [("a.md", "/", b"same")]
    graph = Graph(Runbook({"a": Task("a", "bash", "x" * 100_000)}, {}), ("a",), {"a": ()}, {})
    cache = PlanCache(sys.argv[1])
    for _ in range(50):
        cache.save(files, graph)
        assert cache.load(files) == graph
"""


def run_python(code, *arguments):
    root = Path(plans.__file__).parents[2]
    return subprocess.Popen(
        [sys.executable, "-S", "-c", textwrap.dedent(code), *arguments], cwd=root, stdout=subprocess.PIPE
    )


def test_writers_at_the_same_time_never_show_half_an_entry(folder):
    writers = [run_python(WRITER, str(folder)) for _ in range(4)]

    assert [writer.wait() for writer in writers] == [0] * 4
    assert len(list(folder.iterdir())) == 1
    for writer in writers:
        writer.stdout.close()


def test_a_cache_loads_little_to_be_fast():
    code = """
        import sys
        from spry.store.plans import PlanCache
        print(*sorted({"networkx", "hashlib", "dataclasses", "pathlib", "json", "inspect"} & set(sys.modules)))
    """
    with run_python(code) as process:
        assert process.stdout.read().split() == []
