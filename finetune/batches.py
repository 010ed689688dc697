"""Examples as batches: packed without letting one see another, with logits for what is learned alone."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from data.errors import TrainingStopped
from finetune.packing import shape as layout
from finetune.tokens import Encoded

LEAK = 0.01  # share of the logits' spread that may be rounding


def collate(examples: Sequence[Encoded], packing: bool = True) -> dict[str, Any]:
    """Examples as one batch: with `packing`, and where that is less work, packed; else filled up. See `lay_out`."""
    rows, _ = layout([len(example.ids) for example in examples], packing)
    return lay_out(examples, packed=rows == 1)


def lay_out(examples: Sequence[Encoded], packed: bool) -> dict[str, Any]:
    """Examples as one batch: `packed` end to end in one row, or a row each that is filled up to the longest.

    input_ids and position_ids are int64 (rows, longest); positions begin at 0 in each example. Logits are made for
    logits_to_keep alone, the places (bool, of the same shape) before a learned token; labels and shift_labels are those
    tokens, row by row. What is learned is told by its place and never by its id, so no end token is taken for padding.

    In a row without an attention_mask, transformers' `find_packed_sequence_indices` sees where positions begin anew,
    and lets no example attend to another; only without a cache, which a model otherwise makes even in training.
    """
    rows = [list(examples)] if packed else [[example] for example in examples]
    shape = (len(rows), max(sum(len(example.ids) for example in row) for row in rows))
    ids, positions, seen = (torch.zeros(shape).long() for _ in range(3))
    before_learned = torch.zeros(shape).bool()
    for number, row in enumerate(rows):
        start = 0
        for example in row:
            end = start + len(example.ids)
            ids[number, start:end] = torch.tensor(example.ids)
            positions[number, start:end] = torch.arange(end - start)
            before_learned[number, start : end - 1] = torch.tensor(example.learned[1:])  # the first is not predicted
            seen[number, start:end] = 1
            start = end
    learned = ids.roll(-1, dims=1)[before_learned]
    return {
        "input_ids": ids,
        "position_ids": positions,
        "logits_to_keep": before_learned,
        "labels": learned,
        "shift_labels": learned,
        "use_cache": False,
        **({} if packed else {"attention_mask": seen}),
    }


def check_packing(model: Any, examples: Sequence[Encoded]) -> None:
    """Raise TrainingStopped for a kind of model that lets one example of a packed row see another.

    Told by trying: other words in the first of two examples must leave the logits of the second as they were.
    """
    first, second = examples[0], examples[-1]
    other = replace(first, ids=(*first.ids[:1], *(second.ids * len(first.ids))[1 : len(first.ids)]))
    was_training = model.training
    model.eval()
    with torch.no_grad():
        batches = [on_device(model, lay_out([each, second], packed=True)) for each in (first, other)]
        one, two = (model(**batch).logits[-1].float() for batch in batches)
    model.train(was_training)
    if float((one - two).abs().max()) > LEAK * float(one.std()):
        raise TrainingStopped(
            "In a packed batch this kind of model lets one example see another, and would learn from what it is not "
            "shown when it answers: set `packing: false` in the recipe."
        )


def on_device(model: Any, batch: dict[str, Any]) -> dict[str, Any]:
    """`batch` on the device of `model`."""
    return {name: each.to(model.device) if torch.is_tensor(each) else each for name, each in batch.items()}
