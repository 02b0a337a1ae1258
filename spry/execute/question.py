"""Questions on the terminal, each answered with a line."""

from __future__ import annotations

import os
import termios

from spry.execute.protocol import Exited

TYPE_CHECKING = False
if TYPE_CHECKING:
    from spry.execute.protocol import Attempt, Notice
    from spry.execute.reactor import Reactor

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


class Questions:
    """The questions that are open, by task; their answers are told as the ends of attempts, 0 for yes."""

    __slots__ = ("_notices", "_reactor", "open")

    def __init__(self, reactor: Reactor, notices: list[Notice]) -> None:
        self._reactor, self._notices = reactor, notices
        self.open: dict[str, Question] = {}

    def ask(self, attempt: Attempt) -> None:
        """Put a question; without a terminal that is told."""
        try:
            question = Question(attempt.question)
        except OSError as error:
            self._notices.append(Exited(attempt.task, None, error=f"no terminal to ask on: {error.strerror}"))
            return
        self.open[attempt.task] = question
        self._reactor.watch(question.fd, lambda: self._answered(attempt.task, question))

    def withdraw(self, task: str) -> bool:
        """Ask no more; False if nothing was asked."""
        question = self.open.pop(task, None)
        if question is not None:
            self._reactor.forget(question.fd)
        return question is not None

    def close(self) -> None:
        """Give back the terminal."""
        for question in self.open.values():
            os.close(question.fd)

    def _answered(self, task: str, question: Question) -> None:
        answer = question.answer()
        if answer is not None:
            self.withdraw(task)
            self._notices.append(Exited(task, 0 if answer else 1))
