"""How fast a task's output gets into the log: `head -c N /dev/zero` as a task against the same piped into `cat > file`.

A task's bytes should arrive at 200 MB/s or more. `to a pipe` is a run whose stdout somebody reads as well.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from measure import Sample, alternate, measure, options, scratch, show, spry_command

WANTED = 200.0  # MB/s
BASH = shutil.which("bash") or "/bin/bash"


def row(megabytes: int, rounds: int) -> dict[str, object]:
    write = f"head -c {megabytes}M /dev/zero"
    with scratch() as (folder, env):
        (folder / "Spryfile.md").write_text(f"```bash big\n{write}\n```\n")
        spry = " ".join(spry_command())

        def run(command: str) -> Sample:
            sample = measure([BASH, "-o", "pipefail", "-c", command], folder, env)
            (folder / "copy").unlink(missing_ok=True)
            shutil.rmtree(Path(env["XDG_STATE_HOME"]), ignore_errors=True)
            return sample

        contenders = {
            "cat": lambda: run(f"{write} | cat > copy"),
            "log": lambda: run(f"exec {spry} task big -q"),
            "pipe": lambda: run(f"{spry} task big --output raw | cat > /dev/null"),
        }
        found = alternate(contenders, rounds)
    rates = {name: megabytes * 1.048576 / sample.seconds for name, sample in found.items()}
    return {
        "output": f"{megabytes:,} MiB",
        "cat > file MB/s": rates["cat"],
        "log MB/s": rates["log"],
        "at least": WANTED,
        "ratio": found["log"].seconds / found["cat"].seconds,
        "to a pipe MB/s": rates["pipe"],
        "peak MB": found["log"].peak,
    }


def main() -> None:
    parser = options(__doc__ or "", rounds=3)
    parser.add_argument("--megabytes", default="512", help="sizes (default 512)")
    chosen = parser.parse_args()
    rows = [row(int(size), chosen.rounds) for size in chosen.megabytes.split(",")]
    show(rows, as_json=chosen.json)


if __name__ == "__main__":
    main()
