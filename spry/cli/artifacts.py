"""`spry artifacts ls|show|export`: the files that the tasks of a run have saved."""

from __future__ import annotations

import os

from spry.api import artifacts as api
from spry.artifacts.snapshots import KINDS
from spry.cli.history import archive_of, needed, target
from spry.errors import SpryError, UsageError
from spry.view import artifacts as view

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from spry.cli.options import Request
    from spry.store.archive import Archive
    from spry.view.screen import Screen

    Verb = Callable[[Archive, Sequence[str], Request, Screen], None]


def artifacts(request: Request, screen: Screen) -> int:
    """One of the three verbs."""
    verb, *words = request.names or ("",)
    act = VERBS.get(verb)
    if act is None:
        from spry.core.text import did_you_mean

        hint = did_you_mean(verb, VERBS) or "spry artifacts ls, spry artifacts show RUN, spry artifacts export RUN DEST"
        raise UsageError(f'spry artifacts does not know "{verb}"' if verb else "spry artifacts needs a verb", hint)
    archive = needed(archive_of(request))
    try:
        act(archive, words, request, screen)
    finally:
        archive.close()
    return 0


def _ls(archive: Archive, words: Sequence[str], request: Request, screen: Screen) -> None:
    """The tasks that saved something, of one run or of all."""
    _at_most(words, 1, "ls [RUN[/TASK]]")
    only, task = target(archive, words[0]) if words else (None, "")
    found: list[view.Save] = []
    for run in [only.run] if only else [run.run for run in archive.runs()]:
        try:
            found += map(_save, api.kept(archive, run, task))
        except SpryError as error:
            screen.say(("warning", "spry: "), f"run {run}: {error.message}")
    screen.show(view.saves_as_json(found) if request.json else view.saves(found))


def _show(archive: Archive, words: Sequence[str], request: Request, screen: Screen) -> None:
    """Every file that a run, or a task of it, saved."""
    _at_most(words, 1, "show [RUN[/TASK]]")
    found = [_save(one) for one in _chosen(archive, words)]
    screen.show(view.files_as_json(found) if request.json else view.files(found))


def _export(archive: Archive, words: Sequence[str], request: Request, screen: Screen) -> None:
    """The files themselves, in a new folder."""
    _at_most(words, 2, "export RUN[/TASK] [DEST]")
    found = _chosen(archive, words[:1])
    destination = words[1] if len(words) > 1 else f"artifacts-{found[0].run}"
    api.export(archive, found, os.path.abspath(destination))
    saves = [_save(one) for one in found]
    if request.json:
        screen.show(view.exported_as_json(destination, saves))
    else:
        screen.say(view.exported(destination, saves))


def _chosen(archive: Archive, words: Sequence[str]) -> list[api.Kept]:
    """What was saved in a run, or by a task of it; without a word, in the latest run in which anything was."""
    if not words:
        for run in archive.runs():
            found = api.kept(archive, run.run)
            if found:
                return found
        raise UsageError("no run has saved anything", "a task saves files with --save GLOB")
    run, task = target(archive, words[0])
    found = api.kept(archive, run.run, task)
    if not found:
        who = f'task "{task}" of run {run.run}' if task else f"run {run.run}"
        raise UsageError(f"{who} has saved nothing, or it is not kept any more", "spry artifacts ls lists what is")
    return found


def _save(kept: api.Kept) -> view.Save:
    """What was saved, as it is shown."""
    paths = [
        view.Path(one.path, KINDS[one.kind], one.mode, one.mtime_ns, one.size, one.digest, one.target)
        for one in kept.snapshot.entries
    ]
    return view.Save(kept.run, kept.task, kept.snapshot.tree, paths)


def _at_most(words: Sequence[str], count: int, usage: str) -> None:
    if len(words) > count:
        raise UsageError(f'unexpected word "{words[count]}"', f"spry artifacts {usage}")


VERBS: Mapping[str, Verb] = {"ls": _ls, "show": _show, "export": _export}
