"""How often something is tried."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a task is tried: `max_attempts` in all, the first included, `backoff` seconds between them."""

    max_attempts: int = 1
    backoff: float = 0.0

    def __post_init__(self) -> None:
        if type(self.max_attempts) is not int:
            raise TypeError("max_attempts must be an int")
        if self.max_attempts < 1:
            raise ValueError("max_attempts must be at least 1")
        if type(self.backoff) not in (int, float):
            raise TypeError("backoff must be a number")
        if not isfinite(self.backoff) or self.backoff < 0:
            raise ValueError("backoff must be a finite non-negative number")
