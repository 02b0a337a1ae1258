"""Which program runs a task on this machine: what the task asks for, found on its own PATH, with its options."""

from __future__ import annotations

import os

from spry.core.program import HANDLER, POSIX, choose, place
from spry.errors import HostError, UsageError
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from spry.core.model import Settings, Task

STRICT = {
    "bash": ("-e", "-o", "pipefail"),
    "zsh": ("-e", "-o", "pipefail"),
    "sh": ("-e",),
    "dash": ("-e",),
    "ksh": ("-e",),
}
# The option that takes a script from the command line. We add it ourselves, so `bash -c` means the same as `bash`.
SCRIPT_OPTION = dict.fromkeys((*STRICT, "fish", "python"), "-c") | dict.fromkeys(("node", "ruby", "perl"), "-e")

_found: dict[tuple[str, str, str], str] = {}  # what is not there is looked for again: an earlier task may install it


class Interpreter(NamedTuple):
    """The program that runs a task, ready to be given a script.

    `argv` starts with an absolute path and holds every option, strict ones included; `family` and `origin` are those
    of `core.program.Program`.
    """

    family: str
    argv: tuple[str, ...]
    origin: str


def resolve(task: Task, settings: Settings, *, path: str, cwd: str, by_name: bool = False) -> Interpreter:
    """Find the program for a task on the task's own PATH (`path`, relative entries from `cwd`).

    With `by_name` it stays the name that it is, for somebody else to find. Raises HostError if it is not there,
    UsageError if the command is not well formed, or was itself all that was asked for and is not there.
    """
    if task.argv:
        program = task.argv[0] if by_name else _program(task.argv[0], task, "command", path, cwd)
        return Interpreter("", (program,), "command")
    before, words, family, origin = choose(task, settings)
    strict = STRICT.get(family, ()) if task.strict and origin != HANDLER else ()
    options = words[1:] if origin == HANDLER else _own_options(family, words[1:])
    if by_name:
        return Interpreter(family, (*before, words[0], *strict, *options), origin)
    wrapper = (_program(before[0], task, origin, path, cwd), *before[1:]) if before else ()
    return Interpreter(family, (*wrapper, _program(words[0], task, origin, path, cwd), *strict, *options), origin)


def _own_options(family: str, options: Sequence[str]) -> list[str]:
    """The user's options without the one that takes a script from the command line (`-c`, or `-ec` for shells)."""
    ours = SCRIPT_OPTION.get(family)
    options = [option for option in options if option != ours]
    if family not in POSIX:
        return list(options)
    return [option[:-1] if _bundles_script(option) else option for option in options]


def _bundles_script(option: str) -> bool:
    return option.endswith("c") and option[1:].isalpha() and "o" not in option


def _program(program: str, task: Task, origin: str, path: str, cwd: str) -> str:
    """The absolute path of a program, as the task itself would find it."""
    key = program, path, cwd
    found = _found.get(key)
    if found is None:
        found = _found[key] = _look_for(program, task, origin, path or os.defpath, cwd)
    return found


def _look_for(program: str, task: Task, origin: str, path: str, cwd: str) -> str:
    for folder in [""] if "/" in program else path.split(os.pathsep):
        candidate = os.path.join(cwd, folder, program)
        if os.access(candidate, os.X_OK) and not os.path.isdir(candidate):
            return candidate
    if origin == "command" and "/" in program:
        raise UsageError(f"{program}: not found, or not executable", "check the path, and chmod +x it")
    if origin == "command":
        raise UsageError(f"{program}: not found on the PATH", f"check the spelling, or install {program}")
    missing = "cannot be found or executed" if "/" in program else "is not on its PATH"
    advice = {
        "shebang": "correct the #! line",
        "language": f"install {program}, or name another program with spry.interpreters.{task.language}",
    }
    hint = advice.get(origin, f"install {program}, or correct {origin}")
    raise HostError(f'task "{task.name}" needs {program}, which {missing} ({place(task)})', hint)
