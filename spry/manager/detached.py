"""A run in a process of its own, which no terminal can end and nobody has to wait for.

The process is forked twice and leads a session: it belongs to no terminal and to no shell, and holds nothing open that
whoever started it could wait for. What it says before its run is written down, whoever started it says in its place;
from there on it goes into a file beside the run.
"""

from __future__ import annotations

import os
import sys
import tempfile

from spry.errors import INTERNAL, HostError, SpryError
from spry.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

SAID = "said"  # the file beside a run
CREATE = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
CHUNK = 1 << 16
END = b"\0"  # of what is told on the line


class Begun(NamedTuple):
    """What has become of it: the id of the run, or without one the exit code with which it ended before.

    `home` is where the run is written down.
    """

    run: str
    code: int = 0
    home: str = ""


class Starting:
    """Tells the id of a run to whoever waits for that, once the run is written down.

    The process list shows what the run does under this `name`.
    """

    def __init__(self, line: int) -> None:
        self._line = line
        self.name = ""

    def __call__(self, run: str, folder: str, name: str = SAID) -> None:
        """The run has this id, and in this folder a file of this name for what is said of it."""
        said = os.open(os.path.join(folder, name), CREATE, 0o600)
        os.dup2(said, 2)
        os.close(said)
        self._tell(f"{run}\n{os.path.dirname(os.path.dirname(folder))}")

    def ended(self, code: int) -> None:
        """It is over, perhaps before it began."""
        if self._line >= 0:
            self._tell(f"={code}")

    def _tell(self, text: str) -> None:
        line, self._line = self._line, -1
        try:
            os.write(line, os.fsencode(text) + END)
        except BrokenPipeError:
            return  # nobody waits any more
        finally:
            os.close(line)


def apart(go: Callable[[Starting], int]) -> Begun:
    """Have `go` carry out a run in a process of its own, and wait until the run is written down, or over before.

    HostError where no process can be started.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    with tempfile.TemporaryFile() as said:
        heard, line = os.pipe()
        try:
            child = os.fork()
        except OSError as error:
            raise HostError(f"cannot start a process: {error.strerror}", "end other processes, or try later") from None
        if child == 0:
            _leave(go, line, said.fileno())
        os.close(line)
        os.waitpid(child, 0)
        told = _read(heard)
        os.close(heard)
        said.seek(0)
        while data := said.read(CHUNK):
            os.write(2, data)
    if told.startswith("="):
        return Begun("", int(told[1:]))
    run, _, home = told.partition("\n")
    return Begun(run, 0 if run else INTERNAL, home)


def keep_stdin() -> None:
    """Keep what is piped into us in a file without a name: whoever writes it need not wait for the run."""
    with tempfile.TemporaryFile() as file:
        while data := os.read(0, CHUNK):
            file.write(data)
        file.seek(0)
        os.dup2(file.fileno(), 0)


def _read(heard: int) -> str:
    """What is told, or nothing if whoever should tell it has died. Others may hold the other end for long."""
    told = b""
    while not told.endswith(END) and (data := os.read(heard, 4096)):
        told += data
    return os.fsdecode(told.removesuffix(END))


def _leave(go: Callable[[Starting], int], line: int, said: int) -> NoReturn:
    """What the two children do: the first leads a session and ends, the second runs."""
    code = INTERNAL
    try:
        os.setsid()
        if os.fork():
            os._exit(0)
        os.dup2(said, 2)
        os.dup2(os.open(os.devnull, os.O_RDWR), 1)
        for name in os.listdir("/dev/fd"):
            if int(name) > 2 and int(name) != line:
                _close(int(name))
        starting = Starting(line)
        code = go(starting)
        starting.ended(code)
    except SpryError as error:
        os.write(2, f"Error: {error.gist}\n  hint: {error.hint}\n".encode())
        code = error.exit_code
        starting.ended(code)
    except BaseException:  # noqa: BLE001 - it ends here, whatever it is
        import traceback  # noqa: PLC0415 - nobody else would tell of this mistake of ours

        traceback.print_exc()
    finally:
        os._exit(code)


def _close(descriptor: int) -> None:
    try:
        os.close(descriptor)
    except OSError:
        return  # the listing's own
