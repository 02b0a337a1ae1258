"""The flags of a cell: one table that the parser, `spry show`, the reference and the refusals read."""

from __future__ import annotations

from spry.core import values
from spry.core.saving import folder_fault
from spry.core.saving import parse as saving
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    # A reading turns the text of a value into the value, or into a sentence that says what is wrong with it.
    Reading = Callable[[str], object]


class Wrong(NamedTuple):
    """What is wrong with the text of a value."""

    message: str


class Flag(NamedTuple):
    """One flag: `field` is where it lands in `model.Task`; `takes` is `nothing`, `value` or `optional`.

    `many` flags may be repeated and collect their values; `commas` splits each value at commas; `bare` is the value
    of an optional one without value.
    """

    name: str
    field: str
    takes: str
    metavar: str = ""
    short: str = ""
    aliases: tuple[str, ...] = ()
    many: bool = False
    commas: bool = False
    bare: str = ""
    read: Reading = str
    help: str = ""


def _checked(reading: Callable[[str], Any]) -> Reading:
    """A reading of `values` that answers a string when the text is wrong."""

    def read(text: str) -> object:
        answer = reading(text)
        return Wrong(answer) if isinstance(answer, str) else answer

    return read


def _sound(check: Callable[[str], str]) -> Reading:
    """A reading of text that is kept as it is, unless the check finds fault with it."""

    def read(text: str) -> object:
        fault = check(text)
        return Wrong(fault) if fault else text

    return read


def _capture(text: str) -> str:
    if text.startswith("./"):
        return "" if text.strip("./") else "names no file"
    if "/" in text:
        return f'is neither a key nor a file below the working folder; write "./{text.lstrip("/")}" for a file'
    return "" if text and all(letter.isalnum() or letter in "_.:+-" for letter in text) else "is not a key"


def _policy(text: str) -> str:
    return "" if text in {"keep", "requeue", "clear"} else "expected keep, requeue or clear"


def _number(text: str) -> str:
    return "" if values.decimal(text.removeprefix("-")) is not None else f'"{text}" is no number'


def _saving(text: str) -> str:
    answer = saving(text)
    return answer if isinstance(answer, str) else ""


def _filled(text: str) -> str:
    return "" if text.strip() else "must not be empty"


# One flag, one row: a table is read as a table.
# fmt: off
TABLE: tuple[Flag, ...] = (
    Flag("dep", "deps", "value", "NAME", "D", ("needs",), many=True, commas=True, read=_sound(_filled),
         help="these tasks must have succeeded first"),
    Flag("injected-dep", "injected_dep", "value", "REGEX", read=_sound(values.pattern),
         help="becomes a dependency of every task whose name fully matches; `*` means all"),
    Flag("descr", "descr", "value", "TEXT", "d", ("desc",), help="one line for listings"),
    Flag("graph", "graphs", "value", "NAME", "G", many=True, commas=True, read=_sound(_filled),
         help="puts the task into named graphs and out of the default run"),
    Flag("tag", "tags", "value", "NAME", many=True, commas=True, read=_sound(_filled),
         help="marks the task for selection with `--tag`"),
    Flag("finally", "is_finally", "nothing",
         help="starts once all its dependencies ended, however they ended"),
    Flag("optional", "optional", "nothing", help="its failure does not fail the run; only with `--finally`"),
    Flag("timeout", "timeout", "value", "DUR", read=_checked(values.duration),
         help="ends an attempt that takes longer: `30`, `30s`, `5m`, `1h30m`"),
    Flag("retry", "retry", "value", "N[@BACKOFF]", read=_checked(values.retry),
         help="attempts in all, seconds between them, and their growth: `3`, `3@0.5`, `3@1s*2`"),
    Flag("env", "env", "value", "K=V", many=True, read=_checked(values.environment),
         help="sets an environment variable"),
    Flag("env-file", "env_files", "value", "FILE", many=True, read=_sound(_filled),
         help="reads environment variables from a file, relative to the runbook"),
    Flag("cwd", "cwd", "value", "DIR", read=_sound(_filled), help="working folder, relative to the runbook"),
    Flag("interpreter", "interpreter", "value", "CMD", read=_sound(_filled),
         help="the program that runs the body; else the shebang, else the language"),
    Flag("limit", "limits", "value", "K=N,…", read=_checked(values.limits),
         help="limits over the whole process tree: `memory=512M,cpu=75,fds=100,connections=50`"),
    Flag("exit-code", "exit_codes", "value", "N,…", read=_checked(values.exit_codes),
         help="exit codes that count as success"),
    Flag("no-strict", "no_strict", "nothing", help="runs a shell cell without `-e` and `pipefail`"),
    Flag("interactive", "interactive", "nothing", help="gives the task the terminal, alone"),
    Flag("confirm", "confirm", "optional", "TEXT", help="asks on the terminal before the task starts"),
    Flag("silent", "silent", "nothing", help="keeps the task's output off the terminal"),
    Flag("capture", "captures", "optional", "KEY|./FILE", "C", many=True, read=_sound(_capture),
         help="keeps stdout as a value, or writes it to a file when the task succeeds"),
    Flag("gitignore", "gitignore", "optional", "FILE", bare=".gitignore", read=_sound(_filled),
         help="adds the captured file to .gitignore, once"),
    Flag("interpolate", "interpolate", "nothing", short="I",
         help="expands `${captured.KEY}`, `${env.NAME}`, `${param.NAME}` and `{{PARTIAL}}`"),
    Flag("injectable", "injectable", "nothing", short="J", help="receives text of `PARTIAL … --inject`"),
    Flag("arg", "params", "value", "NAME[:type][=default]", many=True, read=_checked(values.parameter),
         help="a typed parameter, seen as `$NAME`, given with `--param NAME=VALUE`"),
    Flag("inputs", "inputs", "value", "GLOB", many=True, read=_sound(values.glob),
         help="files whose contents decide whether the task is up to date"),
    Flag("outputs", "outputs", "value", "GLOB", many=True, read=_sound(values.glob),
         help="files that the task makes"),
    Flag("save", "saves", "value", "GLOB[:DEST]", many=True, read=_sound(_saving),
         help="files kept for the task's descendants; `!GLOB` leaves some out"),
    Flag("restore", "restore", "optional", "DEST", bare=".", read=_sound(folder_fault),
         help="fills the folder with what all ancestors saved"),
    Flag("isolated", "isolated", "nothing", help="runs in a fresh folder of its own"),
    Flag("inbox", "inbox", "value", "QUEUE", read=_sound(values.task_queue),
         help="takes one message of the queue and reads it on stdin"),
    Flag("outbox", "outbox", "value", "QUEUE", read=_sound(values.task_queue),
         help="writes its stdout as one message"),
    Flag("reserved", "reserved", "value", "keep|requeue|clear", read=_sound(_policy),
         help="what becomes of its message after a failure: stays in `QUEUE.reserved`, goes back, or is deleted"),
    Flag("not-directive", "not_directive", "nothing", help="makes a directive word an ordinary name"),
)
# Flags of `PARTIAL` cells only.
PARTIAL_TABLE: tuple[Flag, ...] = (
    Flag("inject", "inject", "value", "GLOB", many=True, read=_sound(values.glob),
         help="puts the text into every `--injectable` task whose name matches; `!GLOB` excludes"),
    Flag("append", "append", "nothing", help="puts it after the body instead of before"),
    Flag("weight", "weight", "value", "N", read=_sound(_number), help="orders injected texts, low first"),
    Flag("not-directive", "not_directive", "nothing", help="makes `PARTIAL` an ordinary name"),
)
# fmt: on

# Words of other tools that look like ours and would silently lose an edge.
FOREIGN: Mapping[str, str] = {
    "requires": "use --dep NAME",
    "depends-on": "use --dep NAME",
    "deps": "use --dep NAME",
    "depends": "use --dep NAME",
}


class Flags:
    """A table of flags by every spelling."""

    def __init__(self, table: tuple[Flag, ...]) -> None:
        self.by_spelling: dict[str, Flag] = {}
        self.by_key: dict[str, Flag] = {}
        for flag in table:
            for long in (flag.name, *flag.aliases):
                self.by_spelling[f"--{long}"] = flag
                self.by_key[long] = flag
            if flag.short:
                self.by_spelling[f"-{flag.short}"] = flag


TASK_FLAGS = Flags(TABLE)
PARTIAL_FLAGS = Flags(PARTIAL_TABLE)
