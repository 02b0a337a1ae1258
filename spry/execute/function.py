"""Calls one function of the user's, in a Python of theirs: never imported, but run by its path with two arguments.

They are `module:function` and a JSON list of positional and keyword arguments. What the function returns is printed:
text as it is, nothing for None, anything else as JSON. It must run in any Python 3, without spry.
"""

from __future__ import annotations

import os
import sys

sys.path[0] = os.getcwd()  # not the folder of this file, whose modules have names that others may use, too

import importlib  # noqa: E402
import json  # noqa: E402
import traceback  # noqa: E402

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping, Sequence


def _call(target: str, args: Sequence[object], keywords: Mapping[str, object]) -> object:
    module, _, name = target.partition(":")
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not (module + ".").startswith(error.name + "."):
            raise
        sys.exit(f"Error: no module is called {error.name} (looked in {os.getcwd()})")
    for part in name.split("."):
        if not hasattr(found, part):
            sys.exit(f"Error: {module} has no function {name}")
        found = getattr(found, part)
    if not callable(found):
        sys.exit(f"Error: {name} of {module} is no function")
    value: object = found(*args, **keywords)
    if hasattr(value, "__await__"):
        import asyncio  # noqa: PLC0415 - few functions are asynchronous

        value = asyncio.run(_awaited(value))
    return value


async def _awaited(value: Awaitable[object]) -> object:
    return await value


def _show(value: object) -> None:
    if value is None:
        return
    sys.stdout.flush()
    if isinstance(value, (bytes, bytearray)):
        sys.stdout.buffer.write(value)
        return
    print(value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False))  # noqa: T201


def main() -> None:
    """Call it; the traceback of what it raises begins with its own frame."""
    try:
        _show(_call(sys.argv[1], *json.loads(sys.argv[2])))
        sys.stdout.flush()
    except Exception as error:  # noqa: BLE001 - whatever it is
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
            trace = trace.tb_next
        traceback.print_exception(type(error), error, trace)
        sys.exit(1)


if __name__ == "__main__":
    main()
