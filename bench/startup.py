"""What starting costs, in multiples of the bare interpreter doing nothing.

The unit is `python -c pass` of the interpreter that runs this script, measured in the same rounds. The second table
shows why records are tuples: what importing `dataclasses` costs, and how long 10,000 tasks take to load.
"""

from __future__ import annotations

import marshal
import pickle
import shutil
import subprocess
import sys
import time

from measure import ROOT, alternate, measure, options, scratch, show, spry_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from measure import Environment, Sample

PAGE = "# One\n\n```bash one --descr 'The only task'\n:\n```\n"


def modules(argv: list[str], folder: Path, env: Environment) -> tuple[int, int]:
    """How many modules a command imports, and how many of them are spry's."""
    traced = [sys.executable, "-X", "importtime", *argv]
    done = subprocess.run(traced, cwd=folder, env=env, capture_output=True, text=True, check=False)
    names = [line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")]
    return len(names) - 1, sum(name.split(".")[0] == "spry" for name in names)


def starts(rounds: int) -> list[dict[str, object]]:
    with scratch() as (folder, env):
        folder.joinpath("one.md").write_text(PAGE)
        python = [sys.executable]
        command = spry_command()
        words = {
            "python -c pass": None,
            "import spry": [],
            "spry --version": ["--version"],
            "spry ls": ["ls", "one.md"],
            "spry exec echo hi": ["exec", "echo", "hi"],
            "spry task one, again": ["task", "one", "one.md"],
            "spry task one, first": ["task", "one", "one.md"],
        }

        def run(name: str) -> Sample:
            if name.endswith("first"):
                shutil.rmtree(env["XDG_CACHE_HOME"], ignore_errors=True)
            arguments = words[name]
            if not arguments:
                return measure([*python, "-c", "pass" if arguments is None else "import spry"], folder, env)
            return measure([*command, *arguments], folder, env)

        run("spry task one, first")
        found = alternate({name: lambda name=name: run(name) for name in words}, rounds)
        tail = command[1:] if command[0] == sys.executable else command
        counts = {}
        for name, arguments in words.items():
            if name.endswith("first"):
                shutil.rmtree(env["XDG_CACHE_HOME"], ignore_errors=True)
            bare = ["-c", "pass" if arguments is None else "import spry"]
            counts[name] = modules([*tail, *arguments] if arguments else bare, folder, env)
    unit = found["python -c pass"].seconds
    return [
        {
            "start": name,
            "ms": sample.seconds * 1000,
            "times bare": sample.seconds / unit,
            "peak MB": sample.peak,
            "modules": counts[name][0],
            "of spry": counts[name][1],
        }
        for name, sample in found.items()
    ]


def _seconds(load: object, times: int = 5) -> float:
    spent = []
    for _ in range(times):
        begin = time.perf_counter()
        load()  # type: ignore[operator]
        spent.append(time.perf_counter() - begin)
    return sorted(spent)[times // 2]


def records(count: int = 10_000) -> list[dict[str, object]]:
    """The same tasks as NamedTuples from marshalled tuples, and as frozen dataclasses from a pickle."""
    import dataclasses

    sys.path.insert(0, str(ROOT))
    from spry.core.model import Task

    tasks = [Task(f"t{i}", "bash", ":\n", line=i * 4, deps=(f"t{i - 1}",)) for i in range(1, count + 1)]
    record = dataclasses.make_dataclass("Record", Task._fields, frozen=True)
    record.__module__ = __name__
    globals()["Record"] = record
    as_tuples = marshal.dumps([tuple(task) for task in tasks])
    as_objects = pickle.dumps([record(*task) for task in tasks])
    tuples = _seconds(lambda: [Task._make(fields) for fields in marshal.loads(as_tuples)])
    objects = _seconds(lambda: pickle.loads(as_objects))
    return [
        {"load 10,000 tasks": "tuples", "ms": tuples * 1000, "ratio": 1.0},
        {"load 10,000 tasks": "frozen dataclasses", "ms": objects * 1000, "ratio": objects / tuples},
    ]


def imports(rounds: int) -> list[dict[str, object]]:
    """What one heavy import adds to the bare interpreter."""
    names = ("pass", "import dataclasses", "import json", "import click", "import markdown_it", "import networkx")
    with scratch() as (folder, env):
        contenders = {name: lambda name=name: measure([sys.executable, "-c", name], folder, env) for name in names}
        found = alternate(contenders, rounds)
    unit = found["pass"].seconds
    return [
        {"python -c": name, "ms": found[name].seconds * 1000, "times bare": found[name].seconds / unit}
        for name in names
    ]


def main() -> None:
    chosen = options(__doc__ or "", rounds=9).parse_args()
    tables = [starts(chosen.rounds), imports(chosen.rounds), records()]
    if chosen.json:
        show([line for table in tables for line in table], as_json=True)
        return
    for table in tables:
        show(table, as_json=False)


if __name__ == "__main__":
    main()
