"""A value that is typed on the terminal and not seen there."""

from __future__ import annotations

import os
import termios

MODES, ECHO = 3, termios.ECHO


def ask(text: str, terminal: str = "/dev/tty") -> str:
    """The line that somebody types, without its end; raises OSError without a terminal, EOFError if it ends."""
    descriptor = os.open(terminal, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        before = termios.tcgetattr(descriptor)
        silent = list(before)
        silent[MODES] &= ~ECHO
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, silent)  # before anybody is asked to type
        try:
            os.write(descriptor, f"{text}: ".encode("utf-8", "replace"))
            return _line(descriptor)
        finally:
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
            os.write(descriptor, b"\n")
    finally:
        os.close(descriptor)


def _line(descriptor: int) -> str:
    typed = b""
    while not typed.endswith(b"\n"):
        more = os.read(descriptor, 4096)
        if not more:
            raise EOFError
        typed += more
    return os.fsdecode(typed.rstrip(b"\r\n"))
