"""What stops a training, before and while it runs: each with one line that says why and what to do."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tiny

from data.errors import TrainingStopped
from finetune.guards import Moving, check_examples, check_loss
from finetune.recipe import Lora
from finetune.tokens import v1_tokens

TRAIN, HELD_OUT = tiny.examples()
FIRST = TRAIN[0]


def test_good_examples_pass() -> None:
    check_examples(TRAIN, HELD_OUT, 256, v1_tokens())


@pytest.mark.parametrize(
    ("train", "held_out", "why"),
    [
        (TRAIN[:7], HELD_OUT, "7 different examples to train on, and 8"),
        ([FIRST] * 20, HELD_OUT, "1 different example to train on, and 8"),
        (TRAIN, [*HELD_OUT, FIRST], "1 held-out examples are trained on too"),
        ([*TRAIN, replace(FIRST, ids=FIRST.ids * 9, learned=FIRST.learned * 9)], [], "window 256"),
        ([*TRAIN, replace(FIRST, learned=(False,) * len(FIRST.ids))], [], "no token to learn"),
        ([*TRAIN, replace(FIRST, learned=(*FIRST.learned[:-1], False))], [], "learned end token"),
        ([*TRAIN, replace(FIRST, ids=FIRST.ids[:-1], learned=FIRST.learned[:-1])], [], "learned end token"),
        ([*TRAIN, replace(FIRST, ids=(1, *FIRST.ids), learned=(False, *FIRST.learned))], [], "one start token"),
    ],
)
def test_examples_that_can_not_teach_stop_it_in_one_line(train: list, held_out: list, why: str) -> None:
    with pytest.raises(TrainingStopped, match=why) as error:
        check_examples(train, held_out, 256, v1_tokens())
    assert "\n" not in str(error.value)


def test_an_example_longer_than_the_base_reads_stops_it() -> None:
    longest = max([*TRAIN, *HELD_OUT], key=lambda example: len(example.ids))
    said = f"{longest.origin} has {len(longest.ids)} tokens, and the base reads {len(longest.ids) - 1}: set"
    with pytest.raises(TrainingStopped, match=said):
        check_examples(TRAIN, HELD_OUT, 256, v1_tokens(), len(longest.ids) - 1)
    check_examples(TRAIN, HELD_OUT, 256, v1_tokens(), len(longest.ids))


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_it(loss: float) -> None:
    with pytest.raises(TrainingStopped, match=r"step 3 is (nan|inf): lower"):
        check_loss([4.0, 3.9, loss], 6, 0)


def test_a_loss_that_never_falls_stops_it() -> None:
    stuck = [4.23 + 0.2 * (step % 6 - 2.5) for step in range(24)]
    check_loss(stuck[:18], 6, 0)  # too early to tell
    with pytest.raises(TrainingStopped, match="has not fallen in 24 steps"):
        check_loss(stuck, 6, 0)
    check_loss(stuck, 6, 12)  # the warm-up is given its time


def test_a_loss_that_fell_once_may_rise_again() -> None:
    check_loss([4.0] * 6 + [2.0] * 6 + [5.0] * 12, 6, 0)


class _Model:
    def __init__(self) -> None:
        import torch

        self.weights = [torch.nn.Parameter(torch.ones(3, 200)), torch.nn.Parameter(torch.zeros(3))]

    def parameters(self) -> list:
        return self.weights


def test_no_gradient_by_step_three_stops_it() -> None:
    moving = Moving(_Model())
    moving.check(1, 0.0)
    moving.check(2, 0.0)
    with pytest.raises(TrainingStopped, match="No gradient reached the 2 trainable"):
        moving.check(3, 0.0)


def test_no_moved_weight_by_step_three_stops_it_and_one_is_enough() -> None:
    model = _Model()
    moving = Moving(model)
    moving.check(1, 0.5)
    with pytest.raises(TrainingStopped, match="No trainable weight changed"):
        moving.check(3, 0.5)
    model.weights[1].data += 1e-6
    moving.check(3, 0.5)


def test_a_training_that_does_not_take_hold_stops_and_leaves_no_adapter(
    tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from finetune.base import add_lora, load_base
    from finetune.training import train

    def half_frozen(model: Any, lora: Lora) -> Any:  # B begins at zero, and lets A have no gradient unless it moves
        model = add_lora(model, lora)
        for name, weights in model.named_parameters():
            weights.requires_grad = "lora_A" in name
        return model

    monkeypatch.setattr("finetune.base.add_lora", half_frozen)
    with pytest.raises(TrainingStopped, match="No gradient reached the 21 trainable weights in 3 steps"):
        train(tiny.recipe(), TRAIN, [], load_base(str(tiny_base), device="cpu"), tmp_path / "out")
    assert not (tmp_path / "out" / "card.json").exists()
