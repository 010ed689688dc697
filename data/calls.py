"""How a provider's model is called, and what its tokens cost."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Calls(BaseModel):
    """The settings of the requests to a provider. Prices change, so none is known until it is given."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    timeout: float | None = Field(default=None, gt=0, le=3600)
    """Seconds for one reply; None for 120, or 600 from a server on this computer."""
    retries: int = Field(default=3, ge=0, le=10)  # after the first try, where another may help
    per_minute: float | None = Field(default=None, gt=0)  # requests at most, retries included; None for any number
    together: int = Field(default=8, ge=1, le=64)  # requests at a time in a batch
    price_in: float | None = Field(default=None, ge=0)  # of a million tokens that are read
    price_out: float | None = Field(default=None, ge=0)  # of a million tokens that are written
    currency: str = Field(default="USD", min_length=1, max_length=8)

    @model_validator(mode="after")
    def _both_prices(self) -> Self:
        if (self.price_in is None) != (self.price_out is None):
            raise ValueError("price_in and price_out go together: give both, or neither")
        return self
