"""Where the queues of a project are, and a run's way to them."""

from __future__ import annotations

import os

from spry.api.history import place
from spry.core import values
from spry.errors import UsageError
from spry.store.queues import FOLDER, Backend, Broker, Message
from spry.store.reservations import Reservations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from spry.core.model import Plan
    from spry.engine.attempts import Attempts
    from spry.engine.messages import Messages
    from spry.store.reservations import Held

CONFIG = "config.toml"
BACKENDS = ("sqlite", "postgres", "redis")
RUNTIME = "spry.state."
URL = "SPRY_QUEUES_URL"


def connect(folder: str) -> Broker:
    """The queues that belong to the runbooks in a folder: they are where its history is.

    Raises HostError where they cannot be used, UsageError for a configuration that says nothing.
    """
    where = place(folder)
    return Broker(where, backend(where))


def backend(where: str) -> Backend:
    """What keeps the messages, as `[queues]` in the `config.toml` of a `.spry` folder says; SQLite without a word."""
    path = os.path.join(where, CONFIG)
    try:
        with open(path, "rb") as stream:
            data = stream.read()
    except OSError:
        return Backend()
    if b"queues" not in data:
        return Backend()
    import tomllib

    try:
        section = tomllib.loads(data.decode()).get("queues", {})
    except ValueError as error:
        raise UsageError(f"{path}: {error}", "mend the TOML") from None
    return _backend(section, path)


def _backend(section: object, path: str) -> Backend:
    if not isinstance(section, dict):
        raise UsageError(f"{path}: queues must be a table", 'write [queues] and below it backend = "sqlite"')
    for key in section:
        if key not in {"backend", "url_env"}:
            from spry.core.text import did_you_mean

            hint = did_you_mean(key, ["backend", "url_env"]) or "there are backend and url_env"
            raise UsageError(f"{path}: unknown key queues.{key}", hint)
    name, variable = section.get("backend", "sqlite"), section.get("url_env", URL)
    if name not in BACKENDS:
        raise UsageError(f'{path}: unknown backend "{name}"', f"there are {', '.join(BACKENDS)}")
    if name == "sqlite":
        return Backend()
    url = os.environ.get(str(variable), "")
    if not url:
        raise UsageError(f"{path}: {name} needs a URL, and ${variable} is not set", f"export {variable}=URL")
    return Backend(name, url)


def queue_of(broker: Broker, text: str) -> str:
    """The queue behind a name or an alias; UsageError if it can be neither."""
    fault = values.queue(text)
    if fault:
        raise UsageError(fault, "spry queue list shows them all")
    return _behind(broker.aliases(), text)


def add_alias(broker: Broker, alias: str, target: str) -> None:
    """Give a queue another name; UsageError where that name stands for something else."""
    for name in (alias, target):
        fault = values.task_queue(name)
        if fault:
            raise UsageError(fault, "spry queue alias add ALIAS QUEUE")
    broker.add_alias(alias.removeprefix("@"), target)


def public(broker: Broker, pattern: str) -> list[str]:
    """The queues in which messages wait and whose names match, without those that are spry's own."""
    from fnmatch import fnmatchcase

    names = (one.queue for one in broker.queues())
    return [name for name in names if fnmatchcase(name, pattern) and not values.task_queue(name)]


def _behind(aliases: dict[str, str], text: str) -> str:
    name = text.removeprefix("@")
    if text.startswith("@") and name not in aliases:
        raise UsageError(f'there is no alias "{name}"', "spry queue alias list shows them all")
    return aliases.get(name, name)


def forget(folder: str, runs: Sequence[str]) -> None:
    """Delete what is left in the queues of runs that are forgotten; where there were never any, none are made."""
    where = place(folder)
    if not runs or (backend(where).name == "sqlite" and not os.path.isdir(os.path.join(where, FOLDER))):
        return
    broker = connect(folder)
    try:
        gone = {f"T{run}.{kind}" for run in runs for kind in values.OF_RUNS}
        for count in broker.queues():
            if count.queue in gone:
                broker.delete(count.queue)
    finally:
        broker.close()


def dumped(broker: Broker) -> Iterator[Mapping[str, str | int]]:
    """Everything that is kept in queues, as records of a dump: aliases, then messages, the oldest of each queue first.

    What is only of use while something runs, `spry.state.*`, is left out.
    """
    for alias, target in sorted(broker.aliases().items()):
        yield {"kind": "alias", "alias": alias, "target": target}
    told: set[int] = set()
    for _ in range(2):  # the second time for what was moved meanwhile, from a queue to one that had been read
        for count in broker.queues():
            for message in broker.peek(count.queue) if not count.queue.startswith(RUNTIME) else ():
                if message.id not in told:
                    told.add(message.id)
                    yield {"kind": "message", "queue": count.queue, "id": message.id, "text": message.text}


def kept(broker: Broker) -> dict[int, tuple[str, str]]:
    """All messages by id, each with its queue and its text."""
    return {one.id: (count.queue, one.text) for count in broker.queues() for one in broker.peek(count.queue)}


def conflicts(broker: Broker, records: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Why the records of a dump cannot be put into queues, in words: what is there already, and differs."""
    known, there = broker.aliases(), kept(broker)
    aliases: set[str] = set()
    queues = {queue for queue, _ in there.values()}
    told: set[int] = set()
    for one in records:
        if one["kind"] == "alias":
            aliases.add(one["alias"])
            if known.get(one["alias"], one["target"]) != one["target"]:
                yield f"the alias {one['alias']} stands for {known[one['alias']]} already, not for {one['target']}"
            continue
        queues.add(one["queue"])
        if one["id"] in told:
            yield f"message {one['id']} is in the dump twice"
        elif there.get(one["id"], (one["queue"], one["text"])) != (one["queue"], one["text"]):
            yield f"message {one['id']} is there already, and differs"
        told.add(one["id"])
    for name in sorted(queues.intersection(aliases.union(known))):
        yield f"{name} is an alias and a queue with messages"


def loaded(broker: Broker, records: Sequence[Mapping[str, Any]]) -> None:
    """Put back the records of a dump that are not there yet, ids as they were; first, `conflicts` has to find none."""
    known, there = broker.aliases(), kept(broker)
    for one in records:
        if one["kind"] == "alias" and one["alias"] not in known:
            broker.add_alias(one["alias"], one["target"])
    messages = [one for one in records if one["kind"] == "message" and one["id"] not in there]
    broker.put((one["queue"], Message(one["text"], one["id"])) for one in messages)


def names_of(broker: Broker, plan: Plan) -> dict[str, str]:
    """The queues behind the names that the tasks of a plan use; UsageError for an alias that is none."""
    aliases = broker.aliases()
    tasks = [step.task for step in plan.steps.values()]
    return {name: _behind(aliases, name) for task in tasks for name in (task.inbox, task.outbox) if name}


def messages(plan: Plan, attempts: Attempts, held: dict[str, Held] | None) -> Messages:
    """The messages of a run, some of which somebody may hold for its tasks already; raises as `connect`."""
    from spry.engine.messages import Messages

    broker = connect(next(iter(plan.steps.values())).task.folder)
    scratch, warn = attempts.situation.scratch, attempts.warn
    return Messages(Reservations(broker), names_of(broker, plan), scratch, warn, held or {})
