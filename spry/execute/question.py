"""A question on the terminal, answered with a line."""

from __future__ import annotations

import os
import termios

YES = ("y", "yes")


class Question:
    """Puts a question on the terminal; `fd` is readable when there may be an answer. Raises OSError without one.

    What was typed before it was asked is no answer to it.
    """

    __slots__ = ("_typed", "fd")

    def __init__(self, text: str, terminal: str = "/dev/tty") -> None:
        self.fd = os.open(terminal, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self._typed = b""
        termios.tcflush(self.fd, termios.TCIFLUSH)
        os.write(self.fd, f"{text} [y/N] ".encode("utf-8", "replace"))

    def answer(self) -> bool | None:
        """Whether the line typed means yes; None while it is not complete. The end of the terminal means no."""
        try:
            typed = os.read(self.fd, 4096)
        except BlockingIOError:
            return None
        except OSError:  # the terminal hung up
            return False
        self._typed += typed
        if typed and b"\n" not in self._typed:
            return None
        return self._typed.partition(b"\n")[0].strip().lower().decode("utf-8", "replace") in YES
