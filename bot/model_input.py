"""What a model reads of a batch of prompts and the replies to them, step by step."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import StaticCache


class ModelInput:
    """First the prompts, filled up on the left, and after each `follow` the one token that was added to each row.

    With a `fixed` cache the shapes are the same after every `follow`. `rows` may be more than the prompts: what the
    others hold means nothing.
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
        ahead = 0 if fixed is None else fixed.get_max_length() - longest
        padded = [*prompts, *[[0]] * (rows - len(prompts))]
        ids = [[0] * (longest - len(prompt)) + list(prompt) for prompt in padded]
        mask = [[0] * (longest - len(prompt)) + [1] * len(prompt) + [0] * ahead for prompt in padded]
        self.ids: Tensor = torch.tensor(ids, device=device)
        self.mask: Tensor = torch.tensor(mask, device=device)  # (rows, tokens so far), or of the fixed cache's length
        self.places: Tensor = (self.mask.cumsum(1) - 1).clamp(min=0)[:, :longest]  # of `ids`, the filling not counted
        self.cache: Any = fixed  # of what was read before
        self.begun = False
        self._window = window
        self._fixed = fixed is not None

    def named(self, takes: Collection[str]) -> dict[str, Any]:
        """As the parameters of the model's forward, which takes those, to compute the logits behind the last token."""
        given: dict[str, Any] = {"input_ids": self.ids, "attention_mask": self.mask}
        given |= {"past_key_values": self.cache, "use_cache": True}
        more = {"position_ids": self.places, "logits_to_keep": 1}
        return given | {name: value for name, value in more.items() if name in takes}

    def follow(self, chosen: "Tensor") -> None:
        """The token ids (prompts,) are what comes next."""
        import torch

        rows = len(self.ids)
        if not self._fixed:
            self.mask = torch.cat([self.mask, self.mask.new_ones(rows, 1)], dim=1)
        elif not self.begun:
            self.mask[:, self.ids.shape[1] :] = 1  # for good: what is ahead, causality keeps out
        self.begun = True
        self.ids = torch.nn.functional.pad(chosen, (0, rows - len(chosen)))[:, None]
        self.places = (self.places[:, -1:] + 1).clamp(max=self._window - 1)  # a reply that is done may run over the end
