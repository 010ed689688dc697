"""Which token comes next: penalties, temperature, top-p, and a die of its own for every prompt."""

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from data.sampling import Sampling

if TYPE_CHECKING:
    from torch import Tensor

_LEAST = 2.0**-25  # below what a random float32 in [0, 1) can be but 0, whose logarithm is none


class TokenChoice:
    """Chooses the next tokens of a batch of prompts.

    The random numbers of a row come from the seed and its prompt, so that what is written doesn't depend on which
    prompts are written at the same time.
    """

    def __init__(self, prompts: Sequence[Sequence[int]], sampling: Sampling) -> None:
        import torch

        self._sampling = sampling
        self._dice = [torch.Generator().manual_seed(_seed(prompt, sampling.seed)) for prompt in prompts]
        self._counts: Tensor | None = None  # how often each token was written: (rows, vocabulary)

    def next(self, logits: "Tensor") -> "Tensor":
        """The next token of each row, an int64 tensor (rows,), by the logits (rows, vocabulary) of the model."""
        import torch

        sampling = self._sampling
        logits = logits.float()
        penalised = sampling.frequency_penalty != 0 or sampling.presence_penalty != 0
        if penalised:
            if self._counts is None:
                self._counts = torch.zeros_like(logits)
            logits = logits - sampling.frequency_penalty * self._counts
            logits = logits - sampling.presence_penalty * (self._counts > 0)
        if sampling.temperature > 0:
            logits = _likely(logits / sampling.temperature, sampling.top_p) + self._noise(logits)
        chosen = logits.argmax(-1)
        if self._counts is not None:
            self._counts[torch.arange(len(chosen)), chosen] += 1
        return chosen

    def _noise(self, logits: "Tensor") -> "Tensor":
        """Gumbel noise: the likeliest token of logits plus this is a sample of their softmax (Gumbel 1954, § 4).

        A slip in the sixth digit, as another batch size makes, changes such a choice only where two tokens tie; it
        would often change one made from running sums over the sorted tokens.
        """
        import torch

        size = logits.shape[-1]
        rolled = torch.stack([torch.rand(size, generator=die) for die in self._dice]).clamp_(min=_LEAST)
        return -torch.log(-torch.log(rolled)).to(logits.device)


def _likely(logits: "Tensor", top_p: float) -> "Tensor":
    """`logits` with minus infinity for all but the fewest tokens whose probabilities add up to `top_p` (at least one).

    Holtzman et al. 2020, arXiv:1904.09751.
    """
    if top_p == 1:
        return logits
    ordered, tokens = logits.softmax(-1).sort(-1, descending=True)
    beyond = ordered.cumsum(-1) - ordered >= top_p
    return logits.masked_fill(beyond.scatter(-1, tokens, beyond), float("-inf"))


def _seed(prompt: Sequence[int], seed: int) -> int:
    digest = hashlib.sha256(f"{seed}:{','.join(map(str, prompt))}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1  # torch takes 63 bits
