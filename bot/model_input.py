"""What a model reads of a batch of prompts and the replies to them, step by step."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import StaticCache


class ModelInput:
    """First the prompts, filled up on the left, and after each `follow` the one token that was added to each row.

    With a `fixed` cache the shapes stay what they are from the first `follow` on. `rows` may be more than the prompts:
    what the others hold means nothing.
    """

    def __init__(
        self,
        prompts: Sequence[Sequence[int]],
        rows: int,
        window: int,
        device: str,
        fixed: "StaticCache | None" = None,
    ) -> None:
        import torch

        longest = max(map(len, prompts))
        padded = [*prompts, *[[0]] * (rows - len(prompts))]
        ids = [[0] * (longest - len(prompt)) + list(prompt) for prompt in padded]
        mask = [[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in padded]
        self.ids: Tensor = torch.tensor(ids, device=device)
        self.mask: Tensor = torch.tensor(mask, device=device)  # (rows, tokens so far); of a fixed cache's length later
        self.places: Tensor = (self.mask.cumsum(1) - 1).clamp(min=0)  # of `ids` in the row, its filling left out
        self.cache: Any = fixed  # of what was read before
        self.begun = False
        self._window = window
        self._length = None if fixed is None else fixed.get_max_length()

    def follow(self, chosen: "Tensor") -> None:
        """The token ids (prompts,) are what comes next."""
        import torch

        rows = len(self.ids)
        self.begun = True
        self.ids = torch.nn.functional.pad(chosen, (0, rows - len(chosen)))[:, None]
        self.places = (self.places[:, -1:] + 1).clamp(max=self._window - 1)  # a reply that is done may run over the end
        ahead = 1 if self._length is None else self._length - self.mask.shape[1]  # what is ahead, causality keeps out
        if ahead:
            self.mask = torch.cat([self.mask, self.mask.new_ones(rows, ahead)], dim=1)
