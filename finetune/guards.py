"""Checks before and during training. Each stops it with one line that says why, and what to do."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from data.errors import TrainingStopped
from finetune.processes import exchange

if TYPE_CHECKING:
    from finetune.tokens import Encoded, TextTokens

FEWEST = 8  # examples to train on
MOVING_BY = 3  # step by which there must have been a gradient, and a weight must have changed
FALL = 0.99  # the loss must come below this share of where it began
_SAMPLED = 64  # numbers watched of each trainable tensor


def check_examples(
    train: Sequence["Encoded"], held_out: Sequence["Encoded"], max_tokens: int, tokens: "TextTokens", reads: int = 0
) -> None:
    """Stop before any step where the examples can't teach what they should. Raises TrainingStopped.

    `reads`: the longest text that the base reads, in tokens; 0 where that isn't known.
    """
    different = len({example.ids for example in train})
    if different < FEWEST:
        raise TrainingStopped(
            f"{different} different example{'s' * (different != 1)} to train on, and {FEWEST} are the fewest: "
            "add more pairs."
        )
    both = {example.ids for example in train} & {example.ids for example in held_out}
    if both:
        where = next(example.origin for example in held_out if example.ids in both)
        raise TrainingStopped(
            f"{len(both)} held-out examples are trained on too ({where} is one), so their loss would show nothing: "
            "hold out different ones."
        )
    for example in [*train, *held_out]:
        if len(example.ids) > max_tokens:
            raise TrainingStopped(
                f"{example.origin} has {len(example.ids)} tokens, and the recipe's window {max_tokens}: "
                "raise `max_tokens`, or shorten or drop it."
            )
        if 0 < reads < len(example.ids):
            raise TrainingStopped(
                f"{example.origin} has {len(example.ids)} tokens, and the base reads {reads}: set `max_tokens` to "
                f"{reads}, and what doesn't fit is refused or shortened."
            )
        if not any(example.learned):
            raise TrainingStopped(f"{example.origin} has no token to learn: its reply is empty or was masked.")
        if example.ids[-1] != tokens.eos or not example.learned[-1]:
            raise TrainingStopped(
                f"{example.origin} does not end with a learned end token, so the model would never stop: "
                "make the examples with finetune.tokens.encode."
            )
        if tokens.bos is not None and example.ids[:2].count(tokens.bos) != 1:
            raise TrainingStopped(
                f"{example.origin} does not begin with one start token: make the examples with finetune.tokens.encode."
            )


class Moving:
    """Watches that training takes hold: a gradient, and a trainable weight that changed, by step 3."""

    def __init__(self, model: Any) -> None:
        self._before = [(weights, self._sample(weights)) for weights in model.parameters() if weights.requires_grad]
        self._gradient = False

    def check(self, step: int, gradient: float) -> None:
        """After each step, with the norm of its gradient. Raises TrainingStopped."""
        self._gradient |= gradient > 0
        if step != MOVING_BY:
            return
        if not self._gradient:
            raise TrainingStopped(
                f"No gradient reached the {len(self._before)} trainable weights in {step} steps: check the recipe's "
                "`lora: targets`."
            )
        still = all(self._sample(weights).equal(before) for weights, before in self._before)
        if all(exchange(still)):  # each of several processes may hold a part of the weights
            raise TrainingStopped(
                f"No trainable weight changed in {step} steps: raise `learning_rate`, or shorten `warmup`."
            )

    @staticmethod
    def _sample(weights: Any) -> Any:
        return weights.detach().flatten()[:_SAMPLED].clone()


def check_loss(losses: Sequence[float], window: int, warmup: int) -> None:
    """After each step, with the loss of every step so far.

    `window` steps are averaged (an epoch, where it is short: batches differ more than the loss falls in a step).
    Raises TrainingStopped for a loss that is no number, or that three windows, and twenty steps, after `warmup` steps
    has in none of them fallen 1 % below the first.
    """
    if not math.isfinite(losses[-1]):
        raise TrainingStopped(
            f"The loss of step {len(losses)} is {losses[-1]}: lower `learning_rate`, or set `gradient_clip` to 1."
        )
    if len(losses) < warmup + max(3 * window, 20) or len(losses) % window:
        return
    means = [sum(losses[i : i + window]) / window for i in range(0, len(losses), window)]
    if min(means[1:]) > FALL * means[0]:
        raise TrainingStopped(
            f"The loss has not fallen in {len(losses)} steps (from {means[0]:.2f} to {means[-1]:.2f}): raise "
            "`learning_rate`, or check that the replies have something in common to learn."
        )
