"""One question to GitHub Copilot, through its SDK: the extra `copilot`."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec

from spry.core.events import Reason
from spry.core.result import Ending
from spry.errors import HostError, UsageError
from spry.execute.protocol import Output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from spry.core.model import Task
    from spry.execute.protocol import Notice

PROMPT_MODEL, AGENT_MODEL = "gpt-5.4-mini", "gpt-5.5"
PATIENCE = 60.0  # seconds for the answer to a prompt
LONGEST = 24 * 3600.0  # seconds for an agent; the SDK wants a number
GLANCE = 0.1  # seconds between two looks whether somebody wants it to end


def require(who: str, advice: str = "or register a handler of your own") -> None:
    """HostError if the SDK is not installed; it is not imported."""
    if find_spec("copilot") is None:
        hint = f"install it with: pip install 'spry[copilot]', {advice}"
        raise HostError(f"{who} need the Copilot SDK, which is not installed", hint)


def check(task: Task) -> None:
    """HostError or UsageError if a cell cannot be put to Copilot as it is written."""
    place = f'{task.path}:{task.line}: {task.language} cells (task "{task.name}")'
    require(place, f"or set spry.handlers.{task.language} to a command that reads stdin")
    if task.limits or task.interactive:
        flag = "--limit" if task.limits else "--interactive"
        hint = f"remove it, or set spry.handlers.{task.language} to a command"
        raise UsageError(f"{place} that Copilot answers can have no {flag}", hint)


def ask(text: str, *, agent: bool, model: str, timeout: float | None, stopped: Callable[[], bool]) -> str:
    """Put a text to a model and wait for its last words; an agent may use all tools without asking, a prompt none.

    It ends early, with an empty answer, once `stopped` says so. Raises TimeoutError after `timeout` seconds, and
    whatever the SDK raises.
    """
    require("prompts and agents")
    return asyncio.run(_watched(text, agent, model, timeout or LONGEST, stopped))


async def _watched(text: str, agent: bool, model: str, timeout: float, stopped: Callable[[], bool]) -> str:  # noqa: ASYNC109 - the SDK keeps it
    asking = asyncio.ensure_future(_ask(text, model, timeout, agent=agent))
    while not asking.done():
        await asyncio.wait([asking], timeout=GLANCE)
        if stopped() and not asking.done():
            asking.cancel()
            await asyncio.wait([asking])
    return "" if asking.cancelled() else asking.result()


async def _ask(text: str, model: str, timeout: float, *, agent: bool) -> str:  # noqa: ASYNC109 - as above
    from copilot import CopilotClient  # noqa: PLC0415 - the SDK is large, and an extra
    from copilot.session import PermissionHandler  # noqa: PLC0415 - as above

    options = {"model": model, "on_permission_request": PermissionHandler.approve_all}
    if not agent:
        options["available_tools"] = []
    async with CopilotClient() as client, await client.create_session(**options) as session:
        reply = await session.send_and_wait(text, timeout=timeout)
    return "" if reply is None else str(reply.data.content or "")


class Asking:
    """A prompt or agent cell that Copilot answers: the answer is its stdout."""

    __slots__ = ("_stopped", "_task", "_text")

    def __init__(self, task: Task, text: str) -> None:
        self._task, self._text = task, text
        self._stopped = False

    def __call__(self, post: Callable[[Notice], None]) -> Ending:
        """Ask, and tell the answer."""
        agent = self._task.language == "agent"
        model, patience = (AGENT_MODEL, None) if agent else (PROMPT_MODEL, PATIENCE)
        timeout = self._task.timeout or patience
        try:
            answer = ask(self._text, agent=agent, model=model, timeout=timeout, stopped=lambda: self._stopped)
        except Exception as error:  # noqa: BLE001 - whatever the SDK raises, the task has failed
            return Ending(None, reason=Reason.HANDLER, message=f"{type(error).__name__}: {error}")
        if answer:
            post(Output(self._task.name, 1, answer.rstrip("\n").encode() + b"\n"))
        return Ending(0)

    def cancel(self) -> None:
        """End it soon."""
        self._stopped = True
