"""What language models have read and written, in tokens, and what that cost."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from threading import Lock
from typing import Any

from data.calls import Calls

NO_PRICES = Calls()


@dataclass(frozen=True)
class Usage:
    """Tokens as the model's server counts them, and their price."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost: float | None = None  # None where no price is known
    currency: str | None = None

    def __add__(self, other: "Usage") -> "Usage":
        """Both together; one with a price makes the sum have one."""
        priced = [each for each in (self, other) if each.cost is not None]
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            sum(each.cost or 0.0 for each in priced) if priced else None,
            priced[0].currency if priced else None,
        )

    def __str__(self) -> str:
        said = f"{self.input_tokens:,} tokens read, {self.output_tokens:,} written"
        return said if self.cost is None else f"{said}, {_money(self.cost)} {self.currency}"

    def as_json(self) -> dict[str, Any]:
        """As `ask --json` and `reply --json` print it."""
        return asdict(replace(self, cost=None if self.cost is None else round(self.cost, 6)))


def usage_of(counted: Mapping[str, Any] | None, calls: Calls = NO_PRICES) -> Usage:
    """LangChain's `usage_metadata` of a message, priced."""
    if not counted:
        return Usage()
    read, written = int(counted["input_tokens"]), int(counted["output_tokens"])
    if calls.price_in is None or calls.price_out is None:
        return Usage(read, written)
    cost = (read * calls.price_in + written * calls.price_out) / 1e6
    return Usage(read, written, cost, calls.currency)


class Meter:
    """Adds up what several threads use."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._total = Usage()

    def add(self, usage: Usage) -> None:
        """Count it."""
        with self._lock:
            self._total += usage

    @property
    def total(self) -> Usage:
        """All that was counted so far."""
        with self._lock:
            return self._total


def _money(amount: float) -> str:
    if amount and amount < 0.1:
        return f"{amount:.4f}" if amount >= 0.0001 else "under 0.0001"
    return f"{amount:,.2f}"
