"""How a task's script becomes an argv whose errors name the Markdown file and its line.

A shell is given the script as one argument (`bash -c SCRIPT docs/deploy.md ARGS…`) behind as many empty lines as the
runbook has before it. Linux limits an argument to 128 KiB, and some shells name neither functions nor the script that
way, so the others run from a private file that has the runbook's own name: started in the folder above that file, the
first of the empty lines goes back to the task's working folder. Programs that are no shells: `languages.py`.
"""

from __future__ import annotations

import os

from spry.core.program import HANDLER
from spry.errors import HostError
from spry.execute.interpreter import STRICT, Interpreter, resolve
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from spry.core.model import Task

__all__ = ["Command", "Interpreter", "Script", "ScriptFolder", "command", "resolve"]

LARGEST = 131_071  # bytes of one argument on Linux, without the NUL at its end
MANY_LINES = 2_000  # a shell reads 1,000 empty lines in 33 µs; from here on it pays to set LINENO instead


class Command(NamedTuple):
    """What to start, and where: `cwd` is the task's folder, or that of a script file which goes there first."""

    argv: tuple[str, ...]
    cwd: str


class Script(NamedTuple):
    """What a task runs: `text` begins at `line` of the runbook that people know as `path`."""

    text: str
    path: str
    line: int
    args: tuple[str, ...]
    task: str
    language: str
    cwd: str
    private: bool = False

    @property
    def padding(self) -> str:
        """Empty lines in place of what stands before the script in the runbook."""
        return "\n" * (self.line - 1)

    @property
    def is_large(self) -> bool:
        """Whether it may be no argument, or text and padding could be too much for one (with 200 bytes around it)."""
        return not self.fits(self.text, 200 + self.line)

    def fits(self, text: str, more: int) -> bool:
        """Whether a text can be one argument together with so many `more` bytes; arguments are for everybody to see."""
        room = LARGEST - more
        return not self.private and (len(text) * 4 <= room or len(encoded(text)) <= room)


class ScriptFolder:
    """A run's private folder for script files (0700, files 0600), made when the first is needed, removed by `close`.

    `parent` is where it is made: TMPDIR, else /tmp.
    """

    __slots__ = ("_count", "_parent", "_path")

    def __init__(self, parent: str = "") -> None:
        self._parent = parent
        self._path = ""
        self._count = 0

    def write(self, task: str, name: str, text: str) -> str:
        """Keep the script of a task as a file called `name` (folders allowed) in a folder of its own: that folder.

        Raises HostError if it cannot be written.
        """
        try:
            return self._write(name, encoded(text))
        except OSError as error:
            message = f'cannot write the script of task "{task}": {error.strerror}: {error.filename or self._path}'
            raise HostError(message, "make room there, or set TMPDIR to another folder") from error

    def _write(self, name: str, data: bytes) -> str:
        self._count += 1
        folder = os.path.join(self._made(), str(self._count))
        file = os.path.join(folder, name)
        os.makedirs(os.path.dirname(file), 0o700)
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(data)
        return folder

    def _made(self) -> str:
        if not self._path:
            parent = os.path.abspath(self._parent or os.environ.get("TMPDIR") or "/tmp")  # noqa: S108 - POSIX names it
            path = os.path.join(parent, f"spry-{os.urandom(8).hex()}")
            os.mkdir(path, 0o700)
            self._path = path
        return self._path

    def close(self) -> None:
        """Remove the folder with all that is in it."""
        for folder, folders, files in os.walk(self._path, topdown=False) if self._path else ():
            for name in files:
                os.unlink(os.path.join(folder, name))
            for name in folders:
                os.rmdir(os.path.join(folder, name))
        if self._path:
            os.rmdir(self._path)
            self._path = ""


def command(
    interpreter: Interpreter,
    task: Task,
    text: str,
    args: Sequence[str] = (),
    *,
    cwd: str,
    scripts: ScriptFolder,
    line: int = 0,
    private: bool = False,
) -> Command:
    """The argv that runs `text`, the script of a task, in the folder `cwd` with `args` as its `"$@"`.

    `line` is the runbook's line of the text's first line (0: of the task's body); lines put in front of the body are to
    be taken off. A `private` script is in no argument. Writes a file to `scripts` where the program needs one.
    """
    if task.argv:
        return Command((*interpreter.argv, *task.argv[1:], *args), cwd)
    line = max(line or task.body_line, 1)
    script = Script(text, task.path, line, tuple(args), task.name, task.language, cwd, private)
    family = "" if interpreter.origin == HANDLER else interpreter.family
    if family in ("bash", "sh"):
        return _bash(interpreter, script, scripts)
    if family in ("dash", "ksh"):
        return _posix(interpreter, script, scripts)
    if family in ("zsh", "fish"):
        return _in_place(interpreter, script, scripts)
    from spry.execute import languages  # noqa: PLC0415 - only for what is no shell

    return Command((*languages.argv(interpreter, script, scripts), *script.args), script.cwd)


def encoded(text: str) -> bytes:
    """A script as the bytes it is run as; values inserted into it may hold undecodable ones."""
    return text.encode("utf-8", "surrogateescape")


def _bash(interpreter: Interpreter, script: Script, scripts: ScriptFolder) -> Command:
    """One argument, unless there are functions: bash calls their file `environment` in a `-c` script."""
    text = script.text
    if "()" in text or "function " in text or "BASH_SOURCE" in text:
        return _in_place(interpreter, script, scripts)
    if script.line < MANY_LINES or script.is_large or interpreter.argv[1:] not in ((), STRICT["bash"]):
        return _posix(interpreter, script, scripts)
    set_line = f'eval "${{1:$((LINENO={script.line - 1},0))}}"'
    return Command((*interpreter.argv, "-c", set_line, script.path, f"shift\n{text}", *script.args), script.cwd)


def _posix(interpreter: Interpreter, script: Script, scripts: ScriptFolder) -> Command:
    if script.is_large:
        return _in_place(interpreter, script, scripts)
    return Command((*interpreter.argv, "-c", script.padding + script.text, script.path, *script.args), script.cwd)


def _in_place(interpreter: Interpreter, script: Script, scripts: ScriptFolder) -> Command:
    """A file of the runbook's name, run from the folder above it; its first line goes to the working folder."""
    if not os.access(script.cwd, os.X_OK):
        return Command(interpreter.argv, script.cwd)  # whoever starts it there says what is wrong with the folder
    name = _name_in_place(script)
    go = _go_in_fish(script.cwd) if interpreter.family == "fish" else _go(script.cwd)
    folder = scripts.write(script.task, name, f"{go}{script.padding or '; '}{script.text}")
    return Command((*interpreter.argv, name, *script.args), folder)


def _name_in_place(script: Script) -> str:
    """The runbook's path, or its last part where that is all a copy elsewhere can have.

    A script that asks for its own place (`dirname "$BASH_SOURCE"`) asks from its working folder: the runbook's.
    """
    path = script.path
    if path.startswith("/") or ".." in path.split("/") or "BASH_SOURCE" in script.text:
        path = path.rpartition("/")[2] or "runbook.md"
    return f"./{path}" if path.startswith("-") else path


def _go(cwd: str) -> str:
    return "cd -- '" + cwd.replace("'", "'\\''") + "' && unset OLDPWD"


def _go_in_fish(cwd: str) -> str:
    return "cd '" + cwd.replace("\\", "\\\\").replace("'", "\\'") + "'"
