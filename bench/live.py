"""What the live view costs: a terminal, tasks that print now and then, and the processor time of spry itself.

It should stay below 5 % of one processor at 8 tasks. The time of the tasks is not counted; that of starting spry is.
Linux only: it reads /proc.
"""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import sys
import termios
import threading
import time
from typing import NamedTuple

from measure import options, scratch, show, spry_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from measure import Environment

LIMIT = 5.0  # per cent
LOOK = 0.02  # seconds between two looks at the time that was used


class Used(NamedTuple):
    """Seconds on the clock and on a processor, and bytes that the terminal was given."""

    wall: float
    cpu: float
    drawn: int


def watch(argv: list[str], folder: Path, env: Environment) -> Used:
    """Run a command on a terminal of 100 columns."""
    begin = time.monotonic()
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.execve(argv[0], argv, {**env, "TERM": "xterm-256color"})
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("4H", 40, 100, 0, 0))
    drawn: list[int] = []
    reader = threading.Thread(target=_read, args=(terminal, drawn))
    reader.start()
    cpu = 0.0
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        cpu = max(cpu, _used(pid))
        time.sleep(LOOK)
    wall = time.monotonic() - begin
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    reader.join()
    os.close(terminal)
    if code:
        sys.exit(f"{' '.join(argv)}: exit code {code}")
    return Used(wall, cpu, sum(drawn))


def _read(terminal: int, sizes: list[int]) -> None:
    while True:
        try:
            data = os.read(terminal, 65536)
        except OSError:
            return
        if not data:
            return
        sizes.append(len(data))


def _used(pid: int) -> float:
    """Seconds that a process has spent on a processor, its children's not counted."""
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as stat:
        return int((stat.read().split() or ["0"])[0]) / 1e9


def runbook(tasks: int, seconds: float, pause: float) -> str:
    """Tasks that print a line after every pause, without starting any process."""
    count = int(seconds / pause)
    body = f"""for ((i = 0; i < {count}; i++)); do
  echo "step $i of task $SPRY_TASK"
  read -rt {pause} <> quiet || true
done"""
    return "".join(f"```bash t{number}\n{body}\n```\n\n" for number in range(tasks))


def row(tasks: int, seconds: float, pause: float) -> dict[str, object]:
    with scratch() as (folder, env):
        (folder / "Spryfile.md").write_text(runbook(tasks, seconds, pause))
        os.mkfifo(folder / "quiet")
        argv = [*spry_command(), "runbook", "-j", str(tasks)]
        live = watch([*argv, "--output", "live"], folder, env)
        quiet = watch([*argv, "--output", "quiet"], folder, env)
    return {
        "tasks": f"{tasks} for {seconds:g} s, a line each {pause:g} s",
        "wall s": live.wall,
        "cpu s": live.cpu,
        "cpu %": live.cpu / live.wall * 100,
        "at most": LIMIT,
        "cpu s without the view": quiet.cpu,
        "KB drawn": live.drawn / 1024,
    }


def main() -> None:
    parser = options(__doc__ or "", rounds=1)
    parser.add_argument("--tasks", default="8", help="numbers of tasks (default 8)")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long they take (default 5)")
    parser.add_argument("--pause", type=float, default=0.1, help="seconds between two lines of a task (default 0.1)")
    chosen = parser.parse_args()
    rows = [row(int(count), chosen.seconds, chosen.pause) for count in chosen.tasks.split(",")]
    show(rows, as_json=chosen.json)


if __name__ == "__main__":
    main()
