"""Which program a task asks for, in words: `--interpreter`, the shebang, `spry.interpreters`, or its language.

Nothing is looked up on the machine here. What a cell is, a shell script or some other text, depends on the program.
"""

from __future__ import annotations

from spry.core.model import HANDLED
from spry.errors import HostError, UsageError
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from spry.core.model import Settings, Task

LANGUAGES = {
    "bash": "bash",
    "sh": "sh",
    "zsh": "zsh",
    "shell": "bash",
    "fish": "fish",
    "python": "python3",
    "py": "python3",
    "pwsh": "pwsh",
    "powershell": "pwsh",
    "javascript": "node",
    "js": "node",
    "node": "node",
    "ruby": "ruby",
    "perl": "perl",
}
FAMILIES = {
    "bash": "bash",
    "sh": "sh",
    "dash": "dash",
    "ash": "dash",
    "ksh": "ksh",
    "mksh": "ksh",
    "zsh": "zsh",
    "fish": "fish",
    "python": "python",
    "pypy": "python",
    "node": "node",
    "nodejs": "node",
    "ruby": "ruby",
    "perl": "perl",
    "pwsh": "pwsh",
}
HANDLER = "spry.handlers"  # where a command comes from that gets the text of a cell on stdin
POSIX = frozenset({"bash", "sh", "dash", "ksh", "zsh"})
SHELLS = POSIX | {"fish"}
# Options whose value is the next word.
VALUED = {
    **dict.fromkeys(POSIX, ("-o", "+o", "-O", "+O", "--rcfile", "--init-file")),
    "fish": ("-C", "--init-command", "-d", "-o", "-f"),
    "python": ("-W", "-X", "--check-hash-based-pycs"),
    "node": ("-r", "--require", "--import", "--loader", "-C", "--conditions"),
    "ruby": ("-I", "-r", "-C", "-E"),
    "perl": ("-I",),
    "pwsh": ("-ExecutionPolicy", "-ep", "-WorkingDirectory", "-wd"),
}
NO_OPTIONS = ("-", "--", "-s")  # with these the program takes its script from somewhere else
ENV_VALUED = ("-u", "--unset", "-C", "--chdir")


class Program(NamedTuple):
    """The command that runs a task, as it is written: `wrapper` is an `env` with the settings it makes, or nothing.

    `family` says how the program takes a script: bash sh dash ksh zsh fish python node ruby perl pwsh, or `other` (as
    a file). `origin` says who chose it: `--interpreter`, `shebang`, `spry.interpreters`, `spry.handlers`,
    `spry.shell` or `language`.
    """

    wrapper: tuple[str, ...]
    words: tuple[str, ...]
    family: str
    origin: str


def choose(task: Task, settings: Settings) -> Program:
    """The program a task asks for; HostError if its language has none, UsageError if the command is not well formed."""
    text, origin = _chosen(task, settings)
    words = _split(text, task, origin)
    wrapper, words = _through_env(words) if _name(words[0]) == "env" else ([], words)
    return Program(tuple(wrapper), tuple(words), _family(words), origin)


def shell_of(task: Task, settings: Settings) -> str:
    """The shell whose language a task's script is (bash, sh, dash, ksh, zsh, fish), or nothing for any other text."""
    try:
        _, _, family, origin = choose(task, settings)
    except (HostError, UsageError):
        return ""  # whoever runs it says what is wrong
    return family if family in SHELLS and origin != HANDLER else ""


def _chosen(task: Task, settings: Settings) -> tuple[str, str]:
    """The command as it is written somewhere, and where."""
    if task.interpreter:
        return task.interpreter, "--interpreter"
    if task.body.startswith("#!"):
        return task.body[2:].partition("\n")[0], "shebang"
    language = task.language
    default = LANGUAGES.get(language, "")
    if settings.interpreters:
        same = [other for other, program in LANGUAGES.items() if program == default and other != "shell"]
        for key in (language, *(same if language != "shell" else ())):
            if key in settings.interpreters:
                return settings.interpreters[key], "spry.interpreters"
    if language in settings.handlers:
        return settings.handlers[language], HANDLER
    if language == "shell" and settings.shell:
        return settings.shell, "spry.shell"
    if default:
        return default, "language"
    if language in HANDLED:
        hint = f"set {HANDLER}.{language} to a command that reads stdin, or: pip install 'spry[copilot]'"
    else:
        hint = f"set spry.interpreters.{language}"
    raise HostError(f'no program runs {language} cells: task "{task.name}" ({place(task)})', hint)


def is_handled(task: Task, settings: Settings) -> bool:
    """Whether a task is a prompt or for an agent, and no program is named that would take it."""
    if task.language not in HANDLED or task.interpreter or task.body.startswith("#!"):
        return False
    return task.language not in settings.handlers and task.language not in settings.interpreters


def _split(text: str, task: Task, origin: str) -> list[str]:
    """A command as words, quoted as a POSIX shell reads it; there is at least one."""
    try:
        words = text.split()
        if "'" in text or '"' in text or "\\" in text:
            import shlex  # noqa: PLC0415 - only for a command with quotes

            words = shlex.split(text)
    except ValueError as error:
        message = f'the interpreter of task "{task.name}" cannot be read: {error} ({place(task)}, {origin})'
        raise UsageError(message, f"quote it as a shell would: {text.strip()}") from None
    if not words or not words[0]:
        message = f'the interpreter of task "{task.name}" is empty ({place(task)}, {origin})'
        raise UsageError(message, "name a program")
    return words


def _through_env(words: list[str]) -> tuple[list[str], list[str]]:
    """`env` and the settings it makes (nothing if it makes none), and the command it starts."""
    rest = words[1:]
    if rest and rest[0] in ("-S", "--split-string"):
        del rest[0]
    elif rest and rest[0].startswith("-S"):
        rest[0] = rest[0][2:]
    kept: list[str] = []
    while rest and (rest[0].startswith("-") or "=" in rest[0]):
        takes = 2 if rest[0] in ENV_VALUED else 1
        kept += rest[:takes]
        del rest[:takes]
    if not rest:
        return [], words
    return ([words[0], *kept] if kept else []), rest


def _name(program: str) -> str:
    """`bash` for `/opt/bin/bash-5.2`, `python` for `python3.12`."""
    return program.rpartition("/")[2].rstrip("0123456789.-")


def _family(words: list[str]) -> str:
    """The family, if all that follows the program are options: `python -m tool` and `perl x.pl` take files."""
    family = FAMILIES.get(_name(words[0]), "other")
    valued = VALUED.get(family, ())
    expects_value = False
    for word in words[1:]:
        if not expects_value and (not word.startswith(("-", "+")) or word in NO_OPTIONS or "{}" in word):
            return "other"
        expects_value = not expects_value and word in valued
    return family


def place(task: Task) -> str:
    """Where a task stands, for messages."""
    return f"{task.path}:{task.line}"
