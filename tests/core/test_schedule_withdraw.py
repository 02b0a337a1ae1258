from __future__ import annotations

from world import BAD, INTERRUPTED, SUCCEEDED, World, finally_, task

from spry.core.result import Ending
from spry.core.schedule import Stop

DESCENDS = ("cancelled", "dependency")


def withdraw(world, name):
    return world.tell(world.schedule.withdraw(name, world.now))


def test_a_task_that_is_withdrawn_while_it_runs_is_stopped_and_nothing_else_is():
    world = World(task("a"), task("b"), task("c", "a"), finally_("d", "a"))
    world.take()
    withdraw(world, "a")

    assert world.schedule.stops() == [Stop("a", kill=False)]

    world.end("a", Ending(None, 15))
    world.end("b")
    world.run()

    assert world.outcomes == {"a": INTERRUPTED, "b": SUCCEEDED, "c": DESCENDS, "d": SUCCEEDED}


def test_a_task_that_is_withdrawn_before_its_turn_never_starts():
    world = World(task("a"), task("b"), task("c", "b"), free=1)
    assert world.take() == ["b"]
    withdraw(world, "a")
    world.end("b")
    world.run()

    assert world.outcomes == {"a": INTERRUPTED, "b": SUCCEEDED, "c": SUCCEEDED}
    assert world.started == ["b", "c"]


def test_a_task_that_is_withdrawn_in_a_pause_is_not_tried_again():
    world = World(task("a", attempts=3, backoff=60.0))
    world.take()
    world.end("a", BAD)
    withdraw(world, "a")

    assert world.outcomes == {"a": INTERRUPTED}
    assert world.schedule.wake() is None


def test_to_withdraw_what_has_ended_changes_nothing():
    world = World(task("a"), task("b"))
    world.take()
    world.end("a")

    assert withdraw(world, "a") == []
    assert world.outcomes == {"a": SUCCEEDED}


def test_a_withdrawn_task_is_not_tried_again():
    world = World(task("a", attempts=3))
    world.take()
    withdraw(world, "a")
    world.schedule.stops()
    world.end("a", BAD)

    assert world.outcomes == {"a": INTERRUPTED}


def test_a_task_that_is_withdrawn_while_it_runs_out_of_time_is_not_tried_again():
    world = World(task("a", attempts=2, timeout=1.0))
    world.take()
    world.schedule.tick(1.0)
    withdraw(world, "a")
    world.schedule.stops()
    world.end("a", BAD)

    assert world.outcomes == {"a": INTERRUPTED}
