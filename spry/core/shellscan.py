"""Where in a shell script something stands: quoted, in a comment, in arithmetic, in a here-document.

A scanner, not a parser: it keeps a stack of what is open and the words of the commands being read, no more. A script
that no shell would accept gets some answer, never an endless loop; the stack is a list, so that any depth is fine.
"""

from __future__ import annotations

from spry.core import shellexpansion as expansion
from spry.core.shellcommand import end_command, read_command
from spry.core.shellmeaning import settle_integers
from spry.core.shellstate import COMMAND, State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

# By the kind of what is open: COMMAND, DOUBLE, BRACE, ARITHMETIC, HEREDOC, QUOTED.
STEPS = (
    read_command,
    expansion.read_double,
    expansion.read_brace,
    expansion.read_arithmetic,
    expansion.read_heredoc,
    expansion.read_quoted,
)


def scan(text: str, spans: Sequence[tuple[int, int]], shell: str) -> list[str]:
    """What each span (start, end; in order, apart) of a script of that shell stands in.

    `plain`, `double`, `heredoc` or `arithmetic` where the shell would expand a parameter; `single`, `quoted_heredoc`,
    `comment` and `escaped` where it would not; `command` where the text would name the program to run, unquoted, and
    `code` where it would become part of a script (`eval`, `trap`, `bash -c`).
    """
    state = State(text, spans, shell)
    while state.at < len(text):
        _step(state)
    for frame in reversed(state.frames):
        if frame.kind == COMMAND:
            end_command(state, frame)
    settle_integers(state)
    return state.contexts


def _step(state: State) -> None:
    if state.regions and state.at >= state.regions[-1].end:
        expansion.close_document(state)
        return
    frame = state.frames[-1]
    if state.is_met():
        state.meet(frame)
        return
    STEPS[frame.kind](state, frame)
