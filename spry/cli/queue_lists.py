"""`spry queue list` and `spry queue alias`: which queues there are, and what else they are called."""

from __future__ import annotations

from fnmatch import fnmatchcase

from spry.api import queues as api
from spry.cli import queue_views
from spry.cli.history import folder_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from spry.cli.options import Request
    from spry.store.queues import Broker
    from spry.view.screen import Screen


def listing(broker: Broker, _: list[str], request: Request, screen: Screen) -> int:
    """The queues in which messages wait and those of the runs under way; with --all or --pattern also of other runs."""
    pattern = request.pattern or "*"
    over = request.all or request.pattern is not None
    made = queue_views.counts(folder_of(request), lambda name: fnmatchcase(name, pattern), over=over)
    found = {one.queue: one.messages for one in made}
    found.update((one.queue, one.messages) for one in broker.queues() if fnmatchcase(one.queue, pattern))
    if request.json:
        import json

        screen.show(json.dumps([{"queue": name, "messages": count} for name, count in sorted(found.items())]) + "\n")
    elif found:
        width = max(map(len, found))
        screen.show("".join(f"{name:<{width}}  {count}\n" for name, count in sorted(found.items())))
    return 0


def alias(broker: Broker, rest: list[str], request: Request, screen: Screen) -> int:
    """`spry queue alias`: give a queue another name, take one away, or list them."""
    word, *names = rest
    if word == "add":
        api.add_alias(broker, *names)
    elif word == "remove":
        broker.remove_alias(names[0].removeprefix("@"))
    else:
        found = [(other, name) for other, name in broker.aliases().items() if request.target in (None, name)]
        if request.json:
            import json

            screen.show(json.dumps([{"alias": other, "target": name} for other, name in found]) + "\n")
        else:
            screen.show("".join(f"{other} → {name}\n" for other, name in found))
    return 0
