"""Handlers for prompts and agents that ask GitHub Copilot, through its SDK: the extra `copilot`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from spry.api.context import TaskContext, TaskHandler

PROMPT_MODEL, AGENT_MODEL, PATIENCE = "gpt-5.4-mini", "gpt-5.5", 60.0  # as for cells, in `execute.copilot`


def make_copilot_prompt_handler(*, model: str = PROMPT_MODEL, timeout: float = PATIENCE) -> TaskHandler:
    """A handler that puts the payload to a model without any tools; its answer is the output. `timeout` in seconds."""
    return _handler(model, timeout, agent=False)


def make_copilot_agent_handler(*, model: str = AGENT_MODEL) -> TaskHandler:
    """A handler that gives the payload to an agent, which uses tools without asking; its last words are the output."""
    return _handler(model, None, agent=True)


def _handler(model: str, timeout: float | None, *, agent: bool) -> TaskHandler:
    def handler(context: TaskContext) -> str:
        from spry.execute.copilot import ask

        longest = context.timeout or timeout
        answer = ask(context.payload, agent=agent, model=model, timeout=longest, stopped=lambda: context.cancelled)
        context.raise_if_cancelled()
        return answer

    handler.needs_copilot = True  # type: ignore[attr-defined] # so that its absence is noticed before anything starts
    return handler
