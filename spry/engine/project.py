"""The project that a folder belongs to, and the Python environment in which its tasks run.

Everything is found by looking at files: nothing of a project is imported, and none of its programs is asked.
"""

from __future__ import annotations

import os
import sys

from spry.errors import HostError, UsageError
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

RUNNER = b"SPRY_TASK_RUNNER"
ACTIVE = b"VIRTUAL_ENV"
OF_AN_ENVIRONMENT = frozenset({ACTIVE, b"VIRTUAL_ENV_PROMPT", b"PYTHONHOME"})
ARCHITECTURES = {"x86_64": ("x86_64", "amd64"), "aarch64": ("aarch64", "arm64"), "arm64": ("arm64", "aarch64")}
MARK = "pyvenv.cfg"


class Isolation(NamedTuple):
    """How the tasks of a project are kept apart from others: the caller's environment as they are to have it.

    `runner` are the words in front of every program of theirs, `told` says in a few words what was found.
    """

    caller: Mapping[bytes, bytes]
    runner: tuple[str, ...] = ()
    told: str = ""


def upward(folder: str) -> Iterator[str]:
    """A folder and those above it, up to the root of its repository; the folder alone outside of one."""
    chain = [folder]
    while not os.path.exists(os.path.join(chain[-1], ".git")):
        above = os.path.dirname(chain[-1])
        if above == chain[-1]:
            return iter([folder])
        chain.append(above)
    return iter(chain)


def isolation(folder: str, mode: str, caller: Mapping[bytes, bytes], *, streams: bool = True) -> Isolation:
    """The environment for the tasks of a runbook in a folder; `mode` is its `env_mode`.

    In this order: `$SPRY_TASK_RUNNER` in front of everything; the project's own environment if something is installed
    there in editable form; `uv run` where the project is one of uv's and uv is there; its own environment; the
    caller's, without that of another project. HostError where the mode asks for something that is not there.
    """
    words = os.fsdecode(caller.get(RUNNER, b"")).strip()
    if words:
        first, *others = _split(words)
        program = _program(first, caller)
        if not program:
            raise HostError(f"SPRY_TASK_RUNNER names {first}, which cannot be found", "correct or unset it")
        return Isolation(_cleared(caller, "", streams=streams), (program, *others), f"runs through {words}")
    if mode == "system":
        return Isolation(caller)
    folders = list(upward(folder))
    own = environment_in(folders)
    if mode == "uv" or (mode == "auto" and _is_of_uv(folders) and not (own and _has_editable(own))):
        uv = _program("uv", caller)
        if not uv and mode == "uv":
            hint = "install uv, or set spry.env_mode to auto"
            raise HostError("spry.env_mode is uv, and uv is not on the PATH", hint)
        if uv:
            runner = (uv, "run", "--project", folder, "--")
            return Isolation(_cleared(caller, "", streams=streams), runner, "runs through uv run")
    if own:
        return Isolation(_activated(caller, own, streams=streams), told=f"runs in the virtual environment {own}")
    if mode == "venv":
        hint = "make one: python3 -m venv .venv, or set spry.env_mode to auto"
        raise HostError(f"no virtual environment in {folder}: looked for workenv/, .venv/ and venv/", hint)
    return Isolation(_cleared(caller, "") if _is_of_another(caller, folder) else caller)


def environment_in(folders: Sequence[str]) -> str:
    """The virtual environment of the nearest of these folders that has one: `workenv/*`, `.venv` or `venv`."""
    for folder in folders:
        for path in (_in_workenv(folder), os.path.join(folder, ".venv"), os.path.join(folder, "venv")):
            if path and os.path.exists(os.path.join(path, MARK)):
                return path
    return ""


def _in_workenv(folder: str) -> str:
    """The environment in `workenv/` for this machine, whose name may end in system and architecture."""
    above = os.path.join(folder, "workenv")
    if not os.path.isdir(above) or os.path.exists(os.path.join(above, MARK)):
        return above
    names = sorted(name for name in os.listdir(above) if os.path.exists(os.path.join(above, name, MARK)))
    machine = os.uname().machine
    ends = tuple(f"_{sys.platform}_{name}" for name in ARCHITECTURES.get(machine, (machine,)))
    fitting = [name for name in names if name.endswith(ends)] or names
    if len(fitting) > 1:
        shown = ", ".join(fitting)
        raise UsageError(f"{above} holds several virtual environments: {shown}", "keep one, or set spry.env_mode")
    return os.path.join(above, fitting[0]) if fitting else ""


def _activated(caller: Mapping[bytes, bytes], path: str, *, streams: bool) -> dict[bytes, bytes]:
    """The caller's environment with this virtual environment first on its PATH."""
    programs = os.path.join(path, "bin")
    if not os.access(os.path.join(programs, "python"), os.X_OK):
        hint = "make it anew: python3 -m venv --clear, or set spry.env_mode to system"
        raise HostError(f"the virtual environment {path} is broken: its bin/python cannot be executed", hint)
    env = _cleared(caller, programs, streams=streams)
    env[ACTIVE] = os.fsencode(path)
    return env


def _cleared(caller: Mapping[bytes, bytes], first: str, *, streams: bool = False) -> dict[bytes, bytes]:
    """The caller's environment without any virtual one; `first` goes in front of its PATH."""
    env = {name: value for name, value in caller.items() if name not in OF_AN_ENVIRONMENT}
    entries = os.fsdecode(caller.get(b"PATH", os.fsencode(os.defpath))).split(os.pathsep)
    kept = [entry for entry in entries if not _is_of_an_environment(entry)]
    env[b"PATH"] = os.fsencode(os.pathsep.join([first, *kept] if first else kept))
    if streams:
        env.setdefault(b"PYTHONUNBUFFERED", b"1")  # a Python program keeps back what it writes to a pipe
    return env


def _is_of_an_environment(entry: str) -> bool:
    above, name = os.path.split(entry.rstrip("/"))
    return name == "bin" and os.path.exists(os.path.join(above, MARK))


def _is_of_another(caller: Mapping[bytes, bytes], folder: str) -> bool:
    """Whether the environment that is active belongs to a project which this folder is no part of.

    One that lies in no project (`~/.virtualenvs/work`) was chosen by whoever activated it.
    """
    active = os.fsdecode(caller.get(ACTIVE, b""))
    if not active:
        return False
    above = os.path.dirname(os.path.abspath(active))
    project = os.path.dirname(above) if os.path.basename(above) == "workenv" else above
    if os.path.commonpath((os.path.realpath(project), os.path.realpath(folder))) == os.path.realpath(project):
        return False
    return any(os.path.exists(os.path.join(project, name)) for name in (".git", "pyproject.toml"))


def _is_of_uv(folders: Sequence[str]) -> bool:
    """Whether a project is one of uv's: it has a `uv.lock`, or a table `[tool.uv]`."""
    for folder in folders:
        if os.path.exists(os.path.join(folder, "uv.lock")):
            return True
        try:
            with open(os.path.join(folder, "pyproject.toml"), "rb") as stream:
                data = stream.read()
        except OSError:
            continue
        if b"tool.uv" in data and _has_table(data):
            return True
    return False


def _has_table(data: bytes) -> bool:
    import tomllib  # noqa: PLC0415 - only for projects that speak of uv

    try:
        return "uv" in tomllib.loads(data.decode()).get("tool", {})
    except (ValueError, AttributeError):
        return False  # whoever reads the file for its own sake says what is wrong with it


def _program(name: str, caller: Mapping[bytes, bytes]) -> str:
    """The absolute path of a program, as the caller would find it; nothing if it is not there."""
    for folder in [""] if "/" in name else os.fsdecode(caller.get(b"PATH", b"")).split(os.pathsep):
        path = os.path.abspath(os.path.join(folder, name))
        if os.access(path, os.X_OK) and not os.path.isdir(path):
            return path
    return ""


def _has_editable(environment: str) -> bool:
    """Whether something is installed in an environment from its source folder, which `uv run` might replace."""
    import glob  # noqa: PLC0415 - only for projects of uv
    import json  # noqa: PLC0415 - as above

    pattern = os.path.join(glob.escape(environment), "lib", "*", "site-packages", "*.dist-info", "direct_url.json")
    for path in glob.iglob(pattern):
        try:
            with open(path, "rb") as stream:
                if json.load(stream).get("dir_info", {}).get("editable") is True:
                    return True
        except (OSError, ValueError, AttributeError):
            continue
    return False


def _split(words: str) -> tuple[str, ...]:
    """The words of a command, quoted as a shell reads it."""
    import shlex  # noqa: PLC0415 - only where the variable is set

    try:
        return tuple(shlex.split(words))
    except ValueError as error:
        raise UsageError(f"SPRY_TASK_RUNNER cannot be read: {error}", "quote it as a shell would") from None
