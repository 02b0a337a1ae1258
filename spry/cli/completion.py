"""Shell completion: click writes the scripts, the nearest runbook supplies the names."""

from __future__ import annotations

from click.shell_completion import CompletionItem, get_completion_class

from spry.errors import SpryError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    import click


def script(shell: str, commands: click.Group) -> str:
    """The completion script of a shell (bash, zsh or fish)."""
    completer = get_completion_class(shell)
    assert completer is not None
    return completer(commands, {}, "spry", "_SPRY_COMPLETE").source()


def names(files: Sequence[str], incomplete: str) -> list[CompletionItem]:
    """The tasks that begin like the word being typed; none, silently, where the runbook cannot be read."""
    from spry.api.load import load
    from spry.api.places import find

    try:
        graph = load(find(files))
    except SpryError:
        return []
    tasks = graph.runbook.tasks.values()
    return [CompletionItem(task.name, help=task.descr or None) for task in tasks if task.name.startswith(incomplete)]
