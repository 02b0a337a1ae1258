"""Runbooks of strangers: what they would do is shown, and somebody has to say yes, before anything of it runs."""

from __future__ import annotations

import os
import select
import stat

from spry.api.places import ANYBODY, STDIN, UNKNOWN
from spry.engine.project import upward
from spry.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from spry.api.places import File
    from spry.api.wishes import Wishes
    from spry.core.model import Plan

TERMINAL = "/dev/tty"


def trust(files: Sequence[File], plan: Plan, asked: Wishes, has_terminal: Callable[[], bool]) -> None:
    """Ask whether to run a plan, if one of its files is a stranger's: UsageError unless the answer is yes."""
    doubts = [doubt for file in files if (doubt := doubt_of(file))]
    if not doubts or asked.yes:
        return
    if not has_terminal():
        hint = "look at it with -n, then run it with --yes"
        raise UsageError(f"{doubts[0]}, and there is no terminal to ask on", hint)
    if not _agreed(plan, asked, doubts):
        raise UsageError("not confirmed; nothing was run", "--yes confirms it without a question")


def doubt_of(file: File) -> str:
    """Why a runbook is not run without asking, or nothing.

    It comes from standard input or another pipe, or it is not in the tree of the current repository and others than
    we have written it, or could have.
    """
    if file.path == STDIN:
        return "the runbook comes from standard input"
    if file.owner == UNKNOWN:
        return f"{file.path} is no file: nobody knows where the runbook comes from"
    if file.owner == os.geteuid() or _is_in_repository(file):
        return ""
    whose = "may be written by anybody" if file.owner == ANYBODY else f"belongs to {_user(file.owner)}"
    return f"{file.path} lies outside of this repository and {whose}"


def _is_in_repository(file: File) -> bool:
    """Whether a file is in the repository around the current folder; outside of one nothing is."""
    root = os.path.realpath(list(upward(os.getcwd()))[-1])
    if not _is_repository(root):
        return False
    folder = os.path.realpath(file.folder)  # where its tasks run, which a link may keep from where it lies
    path = os.path.realpath(os.path.join(file.folder, os.path.basename(file.path)))
    return os.path.commonpath((root, folder, path)) == root


def _is_repository(root: str) -> bool:
    """Whether a folder is one that somebody checked out: in /tmp anybody can put a `.git` above everybody's folders."""
    try:
        mark, folder = os.lstat(os.path.join(root, ".git")), os.stat(root)
    except OSError:
        return False
    return mark.st_uid == os.geteuid() or not folder.st_mode & stat.S_IWOTH


def _user(number: int) -> str:
    import pwd

    try:
        return f"the user {pwd.getpwuid(number).pw_name}"
    except KeyError:
        return f"the user {number}"


def _agreed(plan: Plan, asked: Wishes, doubts: Sequence[str]) -> bool:
    """Show on the terminal what would be run, wherever our output goes, and wait for an answer."""
    from spry.api.previews import previews
    from spry.execute.question import Question
    from spry.view import dryrun

    found, _, clean = previews(plan, asked, None)
    with open(TERMINAL, "r+b", buffering=0) as terminal:
        columns = _columns(terminal.fileno())
        shown = clean(dryrun.text(found, skipped=plan.skipped, columns=columns)).partition("\n\n")[2]
        terminal.write("".join(f"{line}\n" for line in (shown, *doubts)).encode("utf-8", "replace"))
    question = Question("Run it?")
    poll = select.poll()
    poll.register(question.fd, select.POLLIN)
    try:
        while (answer := question.answer()) is None:
            poll.poll()
    finally:
        os.close(question.fd)
    return answer


def _columns(terminal: int) -> int:
    try:
        return os.get_terminal_size(terminal).columns or 80
    except OSError:
        return 80
