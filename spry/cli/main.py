"""`spry`: the way in, and the way out with an exit code."""

from __future__ import annotations

import os
import signal
import sys

from spry.cli import quick
from spry.errors import INTERNAL, HostError, SpryError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command line and exit; without one, the process's own."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # until a run listens, Ctrl-C ends us as it ends any program
    code = run(list(sys.argv[1:] if argv is None else argv))
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            continue
    # Python would flush again on its way out and turn a terminal that hung up into an exit code of its own.
    os._exit(code)


def run(argv: list[str]) -> int:
    """Run a command line; the exit code."""
    if sys.platform not in {"linux", "darwin"}:
        print("spry: this system is not supported: spry runs on Linux and macOS", file=sys.stderr)  # noqa: T201 - nothing else is loaded
        return INTERNAL
    try:
        return _dispatch(argv)
    except SpryError as error:
        from spry.view.problems import explain

        sys.stderr.write(explain(error))
        return error.exit_code
    except BrokenPipeError:
        return _reader_gone()
    except OSError as error:
        from spry.view.problems import explain

        place = f": {os.fspath(error.filename)!s}" if error.filename else ""
        sys.stderr.write(explain(HostError(f"{error.strerror or error}{place}", "see to that, then run it again")))
        return INTERNAL


def _dispatch(argv: list[str]) -> int:
    if argv in (["--version"], ["-V"]):
        from spry import __version__

        sys.stdout.write(f"spry {__version__}\n")
        sys.stdout.flush()
        return 0
    if argv[:1] == ["progress"] and not any(word.startswith("-") for word in argv):
        from spry.cli.progress import report

        return report(argv[1:])  # a task may call it all the time
    request = None if "_SPRY_COMPLETE" in os.environ else quick.read(argv)
    if request is None:
        from spry.cli.app import read

        return read(argv)
    from spry.cli.commands import carry_out

    return carry_out(request)


def _reader_gone() -> int:
    """Whoever read our listing has seen enough; keep Python from complaining about it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
