"""A process that has imported spry once and forks for every run: a real process each time, in milliseconds.

Requests come as lines of JSON on stdin (argv, cwd, env, and the files for the three streams); the answer to each is the
exit code, negative for a signal, on a line of stdout.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import signal
import sys
import traceback

LONGEST = 60  # seconds until a run that hangs is killed
CRASHED = 70
EARLY = (  # what most commands need, so that no fork has to load it
    "_ctypes",
    "spry.api.checking",
    "spry.cli.app",
    "spry.cli.commands",
    "spry.cli.history",
    "spry.cli.results",
    "spry.cli.run",
    "spry.cli.look",
    "spry.api.running",
    "spry.core.compile",
    "spry.view.history",
    "spry.view.jsonl",
    "spry.view.plain",
    "spry.view.problems",
    "networkx",
    "yaml",
    "simplebroker.ext",
)


def serve() -> None:
    """Answer requests until there are no more."""
    for name in EARLY:
        importlib.import_module(name)
    gc.freeze()  # a collection in a fork would copy all of this
    requests = os.fdopen(os.dup(0), "r", encoding="utf-8")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    for line in requests:
        request = json.loads(line)
        process = os.fork()
        if process == 0:
            _become(request)
        _, status = os.waitpid(process, 0)
        print(os.waitstatus_to_exitcode(status), file=answers, flush=True)


def _become(request: dict[str, object]) -> None:
    """Turn this fork into the command that was asked for."""
    signal.alarm(LONGEST)
    for number, stream in enumerate(("stdin", "stdout", "stderr")):
        os.dup2(os.open(str(request[stream]), os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_APPEND), number)
    code: object = CRASHED
    try:
        os.chdir(str(request["cwd"]))
        os.environ.clear()
        os.environ.update(request["env"])  # type: ignore[call-overload] # a JSON object
        from spry.cli.main import main

        main(request["argv"])  # type: ignore[arg-type] # a JSON list
    except SystemExit as ending:
        code = ending.code
    except BaseException:  # noqa: BLE001 - the test shows it
        traceback.print_exc()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)


if __name__ == "__main__":
    serve()
