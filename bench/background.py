"""What a command costs that nobody waits for: seconds to its id, and to its result, from `spry exec --detach` on.

Next to it are the same command in the foreground, and `python -c pass`; all take turns, and the best of each counts.
"""

from __future__ import annotations

import subprocess
import sys
import time

from measure import options, scratch, show, spry_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from measure import Environment


def turn(folder: Path, env: Environment) -> dict[str, float]:
    """One round: seconds of each."""

    def run(*argv: str) -> str:
        done = subprocess.run(argv, cwd=folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, check=True)
        return done.stdout.decode().strip()

    spry = spry_command()
    begin = time.perf_counter()
    run(sys.executable, "-c", "pass")
    bare = time.perf_counter()
    run(*spry, "exec", "echo", "hi")
    waited = time.perf_counter()
    name = run(*spry, "exec", "--detach", "echo", "hi")
    known = time.perf_counter()
    assert '"hi' in run(*spry, "result", name, "--timeout", "60", "--json")
    end = time.perf_counter()
    return {
        "python -c pass": bare - begin,
        "spry exec": waited - bare,
        "--detach: to its id": known - waited,
        "--detach: to its result": end - waited,
    }


def main() -> None:
    chosen = options(__doc__ or "", rounds=15).parse_args()
    with scratch() as (folder, env):
        subprocess.run([*spry_command(), "init"], cwd=folder, env=env, stdout=subprocess.DEVNULL, check=True)
        rounds = [turn(folder, env) for _ in range(chosen.rounds)]
        subprocess.run([*spry_command(), "manager", "stop"], cwd=folder, env=env, capture_output=True, check=True)
    best = {name: min(one[name] for one in rounds) for name in rounds[0]}
    unit = best["python -c pass"]
    rows = [{"what": name, "s": seconds, "times bare": seconds / unit} for name, seconds in best.items()]
    show(rows, as_json=chosen.json)


if __name__ == "__main__":
    main()
