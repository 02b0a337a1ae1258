"""One question to GitHub Copilot, through its SDK."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec

from spry.errors import HostError

LONGEST = 24 * 3600.0  # seconds; the SDK wants a number


def require(who: str) -> None:
    """HostError if the SDK is not installed; it is not imported."""
    if find_spec("copilot") is None:
        raise HostError(
            f"{who} need the Copilot SDK, which is not installed",
            "install it with: pip install 'spry[copilot]', or register a handler of your own",
        )


def ask(text: str, *, model: str, timeout: float | None, tools: bool) -> str:
    """Put a text to a model and wait for its last words; with `tools` it may use all of them without asking.

    Raises HostError without the SDK, TimeoutError after `timeout` seconds, and whatever the SDK raises.
    """
    require("prompts and agents")
    return asyncio.run(_ask(text, model, timeout or LONGEST, tools=tools))


async def _ask(text: str, model: str, timeout: float, *, tools: bool) -> str:  # noqa: ASYNC109 - the SDK keeps it
    from copilot import CopilotClient  # noqa: PLC0415 - the SDK is large, and an extra
    from copilot.session import PermissionHandler  # noqa: PLC0415 - as above

    options = {"model": model, "on_permission_request": PermissionHandler.approve_all}
    if not tools:
        options["available_tools"] = []
    async with CopilotClient() as client, await client.create_session(**options) as session:
        reply = await session.send_and_wait(text, timeout=timeout)
    return "" if reply is None else str(reply.data.content or "")
