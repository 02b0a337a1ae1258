"""`spry queue`: messages in and out, by hand."""

from __future__ import annotations

import os
import signal
import sys
import time

from spry.api import queues as api
from spry.cli import queue_lists, queue_views
from spry.cli.history import folder_of
from spry.errors import INVALID, HostError, UsageError
from spry.store.queues import instant
from spry.store.reservations import RESERVED, Reservations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from spry.cli.options import Request
    from spry.store.queues import Broker, Message
    from spry.view.screen import Screen

PAUSE = 0.1  # seconds between two looks at an empty queue
OVERLAP = 1_000_000_000  # nanoseconds; a message can appear a little after one that was written later


def queue(request: Request, screen: Screen) -> int:
    """Carry out `spry queue WORD …`; its exit code: 2 where there was no message."""
    word, *rest = request.names
    if word == "work":
        from spry.cli.work import work

        return work(request, screen)
    folder, named = folder_of(request), {"move": 2, "broadcast": 0, "alias": 0}.get(word, 1)
    name = queue_views.shown(rest[:named])
    if name:
        queue_views.check(word, name)
    rest[:named] = (queue_views.whole(one, folder) for one in rest[:named])
    if name:
        return _made(word, rest[0], folder, request, screen)
    broker = api.connect(folder)
    try:
        if word == "alias":
            return queue_lists.alias(broker, rest, request, screen)
        return WORDS[word](broker, rest, request, screen)
    finally:
        broker.close()


class Signals:
    """Lets INT and TERM end a command between two messages; the second one ends it at once."""

    def __init__(self) -> None:
        self.number = 0
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._note)

    def _note(self, number: int, _: object) -> None:
        self.number = number
        signal.signal(number, signal.SIG_DFL)


def _made(word: str, name: str, folder: str, request: Request, screen: Screen) -> int:
    """Show what is in a queue that is made of what is known; the output of a run that is read is collected."""
    code = _show(queue_views.messages(name, folder, _since(request)), request, screen)
    if word == "read" and code == 0:
        queue_views.collect(name, folder)
    return code


def read(broker: Broker, rest: list[str], request: Request, screen: Screen) -> int:
    """Take messages and print them; what could not be printed goes back."""
    name, since, signals = api.queue_of(broker, rest[0]), _since(request), Signals()
    reservations, count = Reservations(broker), 0
    while not signals.number and (request.all or not count):
        if not _take(reservations, name, since, request, screen):
            break
        count += 1
    return 128 + signals.number if signals.number else 0 if count else INVALID


def _take(reservations: Reservations, name: str, since: int | None, request: Request, screen: Screen) -> bool:
    """Take one message and print it; False if there is none."""
    held = reservations.take(name, since)
    if held is None:
        return False
    try:
        _print(held.message, request, screen)
    except BaseException:
        reservations.give_back(held)
        raise
    reservations.drop(held)
    reservations.let_go(held)
    return True


def peek(broker: Broker, rest: list[str], request: Request, screen: Screen) -> int:
    """Print messages that stay."""
    return _show(broker.peek(api.queue_of(broker, rest[0]), _since(request)), request, screen)


def _show(messages: Iterable[Message], request: Request, screen: Screen) -> int:
    """Print one message, or all."""
    found = False
    for message in messages:
        found = True
        _print(message, request, screen)
        if not request.all:
            break
    return 0 if found else INVALID


def watch(broker: Broker, rest: list[str], request: Request, screen: Screen) -> int:
    """Print messages as they come, until a signal, or until nobody reads any more."""
    name, since, signals = api.queue_of(broker, rest[0]), _since(request), Signals()
    reservations, shown = Reservations(broker), set[int]()
    while not signals.number:
        if request.peek:
            since = _look(broker, name, since, shown, request, screen)
        elif _take(reservations, name, since, request, screen):
            continue
        if not signals.number:
            time.sleep(PAUSE)
    return 128 + signals.number


def _look(
    broker: Broker, name: str, since: int | None, shown: set[int], request: Request, screen: Screen
) -> int | None:
    """Print the messages that are new; from where on to look next time."""
    for message in broker.peek(name, since):
        if message.id not in shown:
            _print(message, request, screen)
            shown.add(message.id)
    if shown:
        since = max(since or 0, max(shown) - OVERLAP)
        shown.intersection_update({one for one in shown if one > since})
    return since


def write(broker: Broker, rest: list[str], request: Request, _: Screen) -> int:
    """Put one message into a queue."""
    name = api.queue_of(broker, rest[0])
    queue_views.reachable(folder_of(request), name)
    broker.write(name, _text(rest[1]))
    return 0


def move(broker: Broker, rest: list[str], request: Request, screen: Screen) -> int:
    """Move messages; those of a task that is at work stay with it."""
    source, target = (api.queue_of(broker, name) for name in rest)
    if source == target:
        raise UsageError(f"{source} is the queue where they are", "name another one")
    most = None if request.all else 1
    if source.endswith(RESERVED):
        return _requeued(broker, source.removesuffix(RESERVED), target, most, screen)
    moved = 0
    for message in broker.peek(source):
        moved += broker.move(source, target, message.id) is not None
        if moved == most:
            break
    return _moved(moved, 0, target, screen)


def requeue(broker: Broker, rest: list[str], _: Request, screen: Screen) -> int:
    """Give messages that failed, or whose task was killed, another chance."""
    name = api.queue_of(broker, rest[0])
    return _requeued(broker, name, name, None, screen)


def _requeued(broker: Broker, inbox: str, target: str, most: int | None, screen: Screen) -> int:
    moved, held = Reservations(broker).requeue(inbox, target, most)
    return _moved(moved, held, target, screen)


def _moved(moved: int, held: int, target: str, screen: Screen) -> int:
    stays = f", {_messages(held)} in the hands of a task" if held else ""
    screen.say(f"{_messages(moved)} moved to {target}{stays}")
    return 0 if moved else INVALID


def delete(broker: Broker, rest: list[str], request: Request, screen: Screen) -> int:
    """Delete a queue, or all of them."""
    if bool(rest) is request.all:
        raise UsageError("name a queue, or give --all", "spry queue delete QUEUE")
    names = [api.queue_of(broker, rest[0])] if rest else [one.queue for one in broker.queues()]
    deleted = sum(broker.delete(name) for name in names)
    screen.say(f"{_messages(deleted)} deleted")
    return 0 if deleted or not rest else INVALID


def broadcast(broker: Broker, rest: list[str], request: Request, screen: Screen) -> int:
    """Put a message into many queues, but into none of ours."""
    reached = broker.broadcast(_text(rest[0]), api.public(broker, request.pattern or "*"))
    screen.say(f"written to {reached} queue{'' if reached == 1 else 's'}")
    return 0 if reached else INVALID


def _text(word: str) -> str:
    """A message as it was typed, or as it comes from stdin without its last newline; UsageError if it is no text."""
    if word != "-":
        return word
    try:
        text = sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        raise UsageError(
            f"stdin is not UTF-8 text: {error.reason} at byte {error.start}", "messages are text"
        ) from None
    if "\0" in text:
        raise UsageError("stdin has a NUL byte", "messages are text; encode it, with base64 for instance")
    return text.removesuffix("\n")


def _print(message: Message, request: Request, screen: Screen) -> None:
    """Print a message now. BrokenPipeError where nobody reads any more, HostError where it cannot be written."""
    if request.json:
        import json

        text = json.dumps({"message": message.text, "timestamp": str(message.id)}) + "\n"
    else:
        text = message.text + "\n"
    data = text.encode()
    if screen.terminals["stdout"]:
        data = screen.clean("message", "stdout", data)
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(1, view) :]
    except BrokenPipeError:
        raise
    except OSError as error:
        raise HostError(f"a message could not be written: {error.strerror}; it stays in its queue") from None


def _since(request: Request) -> int | None:
    return None if request.since is None else instant(request.since)


def _messages(count: int) -> str:
    return f"{count} message{'' if count == 1 else 's'}"


WORDS: Mapping[str, Callable[[Broker, list[str], Request, Screen], int]] = {
    "read": read,
    "peek": peek,
    "watch": watch,
    "write": write,
    "move": move,
    "requeue": requeue,
    "list": queue_lists.listing,
    "delete": delete,
    "broadcast": broadcast,
}
