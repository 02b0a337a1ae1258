"""Handlers for prompts and agents that ask GitHub Copilot, through its SDK: the extra `copilot`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from spry.api.context import TaskContext, TaskHandler

PROMPT_MODEL, AGENT_MODEL = "gpt-5.4-mini", "gpt-5.5"


def make_copilot_prompt_handler(*, model: str = PROMPT_MODEL, timeout: float = 60.0) -> TaskHandler:
    """A handler that puts the payload to a model without any tools; its answer is the output. `timeout` in seconds."""

    def handler(context: TaskContext) -> str:
        from spry.execute.copilot import ask

        return ask(context.payload, model=model, timeout=context.timeout or timeout, tools=False)

    handler.needs_copilot = True  # type: ignore[attr-defined] # so that its absence is noticed before anything starts
    return handler


def make_copilot_agent_handler(*, model: str = AGENT_MODEL) -> TaskHandler:
    """A handler that gives the payload to an agent, which uses tools without asking; its last words are the output."""

    def handler(context: TaskContext) -> str:
        from spry.execute.copilot import ask

        return ask(context.payload, model=model, timeout=context.timeout, tools=True)

    handler.needs_copilot = True  # type: ignore[attr-defined] # as above
    return handler
