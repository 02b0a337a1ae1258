"""What every keeper of queues promises: SQLite always, Redis where it is installed, with `simplebroker[redis]`.

Any server can be named in `SPRY_TEST_QUEUES`: `postgres=URL`.
"""

import fcntl
import os
import shutil
import subprocess
import tempfile
import time
from importlib.util import find_spec

import pytest

from spry.api.queues import conflicts, dumped, loaded
from spry.errors import HostError, UsageError
from spry.store.queues import Backend, Broker, Count, Message, instant
from spry.store.reservations import GATE, Reservations

SERVERS = [entry for entry in os.environ.get("SPRY_TEST_QUEUES", "").split() if entry]


HAS_REDIS = shutil.which("redis-server") is not None and find_spec("simplebroker_redis") is not None
REDIS = pytest.param(
    "redis", marks=pytest.mark.skipif(not HAS_REDIS, reason="redis-server and simplebroker[redis] are not installed")
)


@pytest.fixture(params=["sqlite", REDIS, *SERVERS])
def backend(request):
    name, _, url = request.param.partition("=")
    if name == "redis" and not url:
        url = request.getfixturevalue("redis")
    return Backend(name, url)


@pytest.fixture
def redis():
    """A server that only this process can reach, and that keeps nothing."""
    with tempfile.TemporaryDirectory() as folder:
        place = os.path.join(folder, "socket")
        command = ["redis-server", "--port", "0", "--unixsocket", place, "--save", "", "--dir", folder]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if b"eady to accept connections" in line:
                    break
            yield f"unix://{place}"
        finally:
            process.kill()
            process.communicate()


@pytest.fixture
def broker(backend, tmp_path):
    opened = Broker(str(tmp_path), backend)
    for count in opened.queues():
        opened.delete(count.queue)
    yield opened
    opened.close()


@pytest.fixture
def reservations(broker):
    return Reservations(broker)


def texts(broker, queue):
    return [message.text for message in broker.peek(queue)]


def test_messages_come_in_the_order_in_which_they_were_written(broker):
    ids = [broker.write("q", f"m{number}") for number in range(250)]

    assert [(message.text, message.id) for message in broker.peek("q")] == [
        (f"m{number}", one) for number, one in enumerate(ids)
    ]
    assert ids == sorted(ids)


@pytest.mark.parametrize("text", ["", "\n", "a\n\nb\n", " \t", "ünï 🎈", "x" * 3_000_000, "'; DROP TABLE messages;--"])
def test_text_comes_back_as_it_was(broker, text):
    broker.write("q", text)

    assert texts(broker, "q") == [text]


def test_what_is_no_text_is_refused(broker):
    with pytest.raises(UsageError, match="cannot be a message"):
        broker.write("q", "\udc80")

    assert texts(broker, "q") == []


def test_a_moved_message_keeps_its_id_and_so_its_place(broker):
    first, second = broker.write("a", "1"), broker.write("a", "2")
    assert broker.move("a", "b") == Message("1", first)
    broker.move("b", "a", first)

    assert list(broker.peek("a")) == [Message("1", first), Message("2", second)]
    assert broker.move("nobody", "a") is None
    assert broker.move("a", "b", first + 1) is None


def test_a_message_can_be_chosen_by_its_time(broker):
    first = broker.write("a", "1")
    broker.write("a", "2")

    assert [message.text for message in broker.peek("a", first)] == ["2"]
    moved = broker.move("a", "b", since=first)
    assert moved is not None
    assert moved.text == "2"
    assert broker.move("a", "b", since=first) is None


def test_several_messages_are_put_all_or_none(broker):
    taken, free = broker.write("a", "1"), broker.ids(1)[0]
    with pytest.raises(HostError):
        broker.put([("b", Message("new", free)), ("b", Message("again", taken))])

    assert texts(broker, "b") == []
    broker.put([("b", Message("new", free)), ("c", Message("", broker.ids(1)[0]))])
    assert (texts(broker, "b"), texts(broker, "c")) == (["new"], [""])


def test_queues_are_counted_dropped_and_deleted(broker):
    ids = [broker.write("a", str(number)) for number in range(3)]
    broker.write("b", "x")
    broker.drop("a", [ids[1], 12345])

    assert broker.queues() == [Count("a", 2), Count("b", 1)]
    assert broker.has("a", ids[0])
    assert not broker.has("a", ids[1])
    assert (broker.delete("a"), broker.delete("a")) == (2, 0)
    assert broker.queues() == [Count("b", 1)]


def test_one_text_goes_into_many_queues_that_are_there(broker):
    broker.write("a", "1")
    broker.write("b", "2")

    assert broker.broadcast("stop", ["a", "b", "nowhere"]) == 2
    assert (texts(broker, "a"), texts(broker, "b"), texts(broker, "nowhere")) == (["1", "stop"], ["2", "stop"], [])
    assert broker.broadcast("stop", []) == 0


def test_queues_have_other_names(broker):
    for alias in broker.aliases():
        broker.remove_alias(alias)
    broker.add_alias("in", "orders")
    broker.write("full", "x")

    assert broker.aliases() == {"in": "orders"}
    for alias, target in (("in", "other"), ("of", "in"), ("orders", "x"), ("same", "same"), ("full", "orders")):
        with pytest.raises(UsageError):
            broker.add_alias(alias, target)
    broker.remove_alias("in")
    assert broker.aliases() == {}
    with pytest.raises(UsageError, match='no alias "in"'):
        broker.remove_alias("in")


def test_points_in_time_are_understood():
    assert instant("1795912772085923840") == 1795912772085923840
    assert instant("2026-01-31T12:00:00Z") == pytest.approx(1769860800 * 10**9, rel=1e-6)
    with pytest.raises(UsageError, match="no point in time"):
        instant("yesterday-ish")


def test_its_files_are_for_nobody_else(tmp_path):
    broker = Broker(str(tmp_path), Backend())
    broker.write("q", "x")
    Reservations(broker).take("q")
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "queues").rglob("*")}
    broker.close()

    assert {name: mode for name, mode in modes.items() if mode & 0o077} == {}
    assert len(modes) > 4


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "queues").mkdir()
    (tmp_path / "queues" / "broker.db").write_bytes(b"no database" * 1000)

    with pytest.raises(HostError, match=r"the queues are damaged: .*broker\.db is no database"):
        Broker(str(tmp_path), Backend())


@pytest.mark.skipif(not HAS_REDIS, reason="redis-server and simplebroker[redis] are not installed")
@pytest.mark.parametrize(("url", "words"), [("redis://127.0.0.1:1/0", "Connection refused"), ("nowhere", "scheme")])
def test_a_server_that_does_not_answer_is_told_at_once(tmp_path, url, words):
    began = time.monotonic()
    with pytest.raises(HostError, match=words):
        Broker(str(tmp_path), Backend("redis", url))

    assert time.monotonic() - began < 10  # the broker alone tries for half a minute


# Dump and load


def test_f22_what_is_dumped_comes_back_with_its_ids(broker, tmp_path):
    for alias in broker.aliases():
        broker.remove_alias(alias)
    ids = [broker.write(queue, text) for queue, text in (("a", "1"), ("b", "x\ny"), ("a", "2"))]
    broker.write("spry.state.runs", "only while it runs")
    broker.add_alias("in", "a")
    dump = list(dumped(broker))
    other = Broker(str(tmp_path / "other"), Backend())

    loaded(other, dump)
    assert list(dumped(other)) == dump
    assert list(other.peek("a")) == [Message("1", ids[0]), Message("2", ids[2])]
    assert [count.queue for count in other.queues()] == ["a", "b"]
    assert other.write("a", "3") > ids[2]
    assert list(conflicts(other, dump)) == []
    loaded(other, dump)
    assert len(list(other.peek("a"))) == 3
    other.close()


def test_f22_what_a_dump_contradicts_is_reported_and_left_as_it_is(broker):
    for alias in broker.aliases():
        broker.remove_alias(alias)
    broker.add_alias("in", "a")
    one = broker.write("a", "1")
    dump = [
        {"kind": "alias", "alias": "in", "target": "b"},
        {"kind": "message", "queue": "b", "id": one, "text": "1"},
    ]

    assert list(conflicts(broker, dump)) == [
        "the alias in stands for a already, not for b",
        f"message {one} is there already, and differs",
    ]
    assert broker.aliases() == {"in": "a"}
    assert broker.queues() == [Count("a", 1)]


# Reservations


def test_a_message_goes_from_the_inbox_through_reserved_into_the_outbox(broker, reservations):
    broker.write("q", "one")
    held = reservations.take("q")
    assert held is not None
    assert (texts(broker, "q"), texts(broker, "q.reserved")) == ([], ["one"])

    assert reservations.deliver(held, "out", "ONE")
    reservations.let_go(held)
    assert broker.queues() == [Count("out", 1)]
    assert texts(broker, "out") == ["ONE"]
    assert reservations.take("q") is None
    assert os.listdir(os.path.join(broker.folder, "held")) == []


def test_whoever_died_between_outbox_and_reserved_is_finished_for(broker, reservations):
    broker.write("q", "one")
    held = reservations.take("q")
    assert held is not None
    result, note = broker.ids(2)
    broker.put([("out", Message("ONE", result)), ("q.delivered", Message(str(held.message.id), note))])
    os.close(held.lock)  # dies here
    assert texts(broker, "q.reserved") == ["one"]

    assert reservations.take("q") is None
    assert broker.queues() == [Count("out", 1)]


def test_requeueing_leaves_out_what_was_delivered(broker, reservations):
    broker.write("q", "one")
    held = reservations.take("q")
    assert held is not None
    broker.put([("q.delivered", Message(str(held.message.id), broker.ids(1)[0]))])
    os.close(held.lock)

    assert reservations.requeue("q", "q") == (0, 0)
    assert broker.queues() == []


def test_a_message_that_was_taken_away_is_not_delivered(broker, reservations):
    broker.write("q", "one")
    held = reservations.take("q")
    assert held is not None
    broker.move("q.reserved", "elsewhere", held.message.id)

    assert not reservations.deliver(held, "out", "ONE")
    assert texts(broker, "out") == []
    reservations.let_go(held)


def test_requeueing_leaves_messages_in_the_hands_of_the_living(broker, reservations):
    for text in ("held", "dead", "kept"):
        broker.write("q", text)
    held, dead, kept = (reservations.take("q") for _ in range(3))
    os.close(dead.lock)
    reservations.let_go(kept)

    assert reservations.requeue("q", "q") == (2, 1)
    assert (texts(broker, "q"), texts(broker, "q.reserved")) == (["dead", "kept"], ["held"])
    reservations.let_go(held)
    assert reservations.requeue("q", "q", 1) == (1, 0)


def can_pass(broker, how):
    """Whether somebody else could go through the gate of the reservations in this way now."""
    gate = os.open(os.path.join(broker.folder, GATE), os.O_RDWR)
    try:
        fcntl.flock(gate, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(gate)
    return True


def test_nobody_takes_a_message_while_somebody_looks_for_those_that_nobody_holds(broker, reservations, monkeypatch):
    broker.write("q", "one")
    taking, looking = [], []
    move, peek = broker.move, broker.peek
    monkeypatch.setattr(
        broker, "move", lambda *args, **more: taking.append(can_pass(broker, fcntl.LOCK_EX)) or move(*args, **more)
    )
    held = reservations.take("q")
    monkeypatch.setattr(broker, "move", move)
    os.close(held.lock)
    monkeypatch.setattr(
        broker, "peek", lambda queue: looking.append((queue, can_pass(broker, fcntl.LOCK_SH))) or peek(queue)
    )

    assert reservations.requeue("q", "q") == (1, 0)
    assert taking == [False]
    assert ("q.reserved", False) in looking


def test_a_message_that_goes_back_can_be_taken_at_once(broker, reservations):
    broker.write("q", "one")
    for _ in range(3):
        held = reservations.take("q")
        assert held is not None
        reservations.give_back(held)

    assert texts(broker, "q") == ["one"]
    assert os.listdir(os.path.join(broker.folder, "held")) == []


class Failing(Broker):
    """Queues from which nothing can be deleted any more."""

    def drop(self, *_):
        raise HostError("locked")


def test_what_is_delivered_is_done_also_if_it_cannot_be_tidied(tmp_path):
    broker = Failing(str(tmp_path), Backend())
    broker.write("q", "one")
    held = Reservations(broker).take("q")
    assert held is not None
    assert Reservations(broker).deliver(held, "out", "ONE")
    broker.close()

    whole = Broker(str(tmp_path), Backend())
    Reservations(whole).give_back(held)
    assert whole.queues() == [Count("out", 1)]
    whole.close()


class Looking(Broker):
    """Queues that note which messages somebody holds whenever one is moved."""

    seen: tuple[str, ...] = ()

    def move(self, *how, **more):
        self.seen = (*self.seen, *os.listdir(os.path.join(self.folder, "held")))
        return super().move(*how, **more)


def test_nobody_holds_a_message_any_more_when_it_comes_back(tmp_path):
    broker = Looking(str(tmp_path), Backend())
    broker.write("q", "one")
    reservations = Reservations(broker)
    held = reservations.take("q")
    assert held is not None
    reservations.give_back(held)
    broker.close()

    assert broker.seen == ()


def test_a_message_in_other_hands_is_not_taken(broker, reservations):
    broker.write("q", "one")
    held = reservations.take("q")
    assert held is not None
    with pytest.raises(UsageError, match="in the hands of a task"):
        reservations.take("q.reserved")

    assert texts(broker, "q.reserved") == ["one"]
    reservations.let_go(held)
