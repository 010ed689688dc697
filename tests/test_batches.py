"""Batches: packed or padded, the loss and the gradients are those of the examples one by one."""

from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from transformers import GPT2Config, GPT2LMHeadModel, MistralConfig, MistralForCausalLM

from data.errors import TrainingStopped
from finetune.base import add_lora, load_base
from finetune.batches import check_packing, collate, lay_out
from finetune.examples import Example
from finetune.packing import shape
from finetune.prompt import EOS_ID
from finetune.recipe import Lora
from finetune.tokens import Encoded
from finetune.trainer import held_out_loss

TRAIN, HELD_OUT = tiny.examples()


def some(*lengths: int) -> list[Encoded]:
    """Examples of these lengths, of which the last third is learned."""
    draw = torch.Generator().manual_seed(0)
    made = []
    for length in lengths:
        ids = torch.randint(3, 300, (length,), generator=draw).tolist()
        learned = tuple(place >= length - max(1, length // 3) for place in range(length))
        made.append(Encoded(tuple(ids), learned, Example("", "", "")))
    return made


BATCH = some(30, 7, 21, 12)


def mistral(**changes: Any) -> Any:
    torch.manual_seed(0)
    shape: dict[str, Any] = {
        "vocab_size": 300, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "sliding_window": None, "initializer_range": 0.2,
        "attn_implementation": "sdpa",
    }  # fmt: skip
    return MistralForCausalLM(MistralConfig(**{**shape, **changes}))


def gpt2() -> Any:
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=300, n_embd=32, n_layer=2, n_head=4, n_positions=64, initializer_range=0.2,
        resid_pdrop=0, embd_pdrop=0, attn_pdrop=0, attn_implementation="sdpa",
    )  # fmt: skip
    return GPT2LMHeadModel(config)


MODELS = {"mistral": mistral, "sliding": lambda: mistral(sliding_window=5), "gpt2": gpt2}


def learn(model: Any, batches: list[dict[str, Any]]) -> tuple[float, list[Any]]:
    """The loss a learned token over all batches, and its gradients, as a training step takes them."""
    model.train()
    model.zero_grad()
    tokens = sum(batch["shift_labels"].numel() for batch in batches)
    loss = sum(model(**batch, num_items_in_batch=tokens).loss for batch in batches)
    loss.backward()
    return float(loss.detach()), [weights.grad.clone() for weights in model.parameters() if weights.grad is not None]


def by_hand(model: Any, examples: list[Encoded]) -> float:
    """The loss of each example alone, from the logits of every place."""
    total, tokens = 0.0, 0
    for example in examples:
        ids, learned = torch.tensor([example.ids]), torch.tensor(example.learned[1:])
        losses = torch.nn.functional.cross_entropy(model(input_ids=ids).logits[0, :-1], ids[0, 1:], reduction="none")
        total, tokens = total + float(losses[learned].sum().detach()), tokens + int(learned.sum())
    return total / tokens


def assert_alike(model: Any, one: list[dict[str, Any]], other: list[dict[str, Any]], tolerance: float = 1e-5) -> None:
    (loss, gradients), (other_loss, other_gradients) = learn(model, one), learn(model, other)
    assert loss == pytest.approx(other_loss, rel=tolerance)
    assert len(gradients) == len(other_gradients) > 0
    for mine, theirs in zip(gradients, other_gradients, strict=True):
        assert torch.allclose(mine, theirs, rtol=1e-3, atol=tolerance * float(theirs.abs().max() + 1))


@pytest.mark.parametrize("packing", [True, False])
@pytest.mark.parametrize("kind", MODELS)
def test_a_batch_has_the_loss_and_the_gradients_of_its_examples_one_by_one(kind: str, packing: bool) -> None:
    model = MODELS[kind]()
    assert_alike(model, [collate(BATCH, packing)], [collate([example], packing) for example in BATCH])
    assert learn(model, [collate(BATCH, packing)])[0] == pytest.approx(by_hand(model, BATCH), rel=1e-5)


@pytest.mark.parametrize("kind", MODELS)
def test_packed_examples_would_leak_with_the_cache_that_a_model_makes_by_itself(kind: str) -> None:
    """What the test above guards against: transformers leaves documents alone only where there is no cache."""
    model = MODELS[kind]()
    leaking = {name: value for name, value in collate(BATCH).items() if name != "use_cache"}
    assert learn(model, [leaking])[0] != pytest.approx(by_hand(model, BATCH), rel=1e-3)


@pytest.mark.parametrize("checkpointing", [True, False])
def test_packing_is_sound_in_nf4_with_lora_and_checkpointing(tiny_base: Path, checkpointing: bool) -> None:
    model = add_lora(load_base(str(tiny_base), device="cpu").model, Lora(rank=4, alpha=8))
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if "lora_B" in name:  # they begin as zeros, which would hide half of the gradients
                weights.copy_(torch.randn(weights.shape, generator=torch.Generator().manual_seed(1)) / 50)
    if checkpointing:
        model.activation_checkpointing_enable()
    packed = lay_out(TRAIN[:4], packed=True)
    assert_alike(model, [packed], [collate([example]) for example in TRAIN[:4]], 1e-3)
    assert_alike(model, [packed], [collate(TRAIN[:4], packing=False)], 1e-3)


def test_logits_are_made_for_the_learned_tokens_alone() -> None:
    for packing in (True, False):
        assert mistral()(**collate(BATCH, packing)).logits.shape == (10 + 2 + 7 + 4, 300)


def test_every_learned_token_and_each_end_is_learned_once_and_nothing_else() -> None:
    expected = [id for e in TRAIN[:4] for id, learned in zip(e.ids, e.learned, strict=True) if learned]
    for packing in (True, False):
        batch = collate(TRAIN[:4], packing)
        assert batch["labels"].tolist() == expected
        assert expected.count(EOS_ID) == 4
        kept = batch["logits_to_keep"]
        assert batch["input_ids"].roll(-1, dims=1)[kept].tolist() == expected
    assert batch["attention_mask"].sum() == sum(len(example.ids) for example in TRAIN[:4])


def test_batches_are_packed_only_where_that_is_less_work() -> None:
    assert shape([300, 290, 250, 240], True) == (1, 1080)
    assert shape([300, 290, 250, 240], False) == (4, 300)
    assert shape([300] * 4, True) == (4, 300)  # nothing is saved
    assert shape([300] * 64 + [320], True) == (65, 320)  # padding costs less than attention over such a row
    assert shape([300] * 64 + [1200], True) == (1, 20_400)
    assert shape([300], True) == shape([300], False) == (1, 300)


def test_a_packed_batch_has_no_padding() -> None:
    batch = collate(BATCH)
    assert batch["input_ids"].shape == (1, 30 + 7 + 21 + 12)
    assert batch["position_ids"][0].tolist() == [place for example in BATCH for place in range(len(example.ids))]


@pytest.mark.parametrize("kind", MODELS)
def test_models_that_keep_examples_apart_pass_the_check(kind: str) -> None:
    check_packing(MODELS[kind](), BATCH)


def test_a_model_that_lets_packed_examples_see_each_other_is_told() -> None:
    from transformers import BloomConfig, BloomForCausalLM

    torch.manual_seed(0)
    config = BloomConfig(vocab_size=300, hidden_size=32, n_layer=2, n_head=4, initializer_range=0.2)

    class Bloom(BloomForCausalLM):  # which knows no positions, and reads a row as one text
        def forward(self, position_ids: Any = None, **others: Any) -> Any:
            return super().forward(**others)

    with pytest.raises(TrainingStopped, match="packing: false"):
        check_packing(Bloom(config), BATCH)


def test_the_held_out_loss_is_the_same_packed_padded_and_in_batches_of_any_size() -> None:
    model = mistral()
    losses = [held_out_loss(model, BATCH, size, packing) for size in (1, 3, 4) for packing in (True, False)]
    assert losses == pytest.approx([by_hand(model, BATCH)] * 6, rel=1e-5)


def trained(tmp_path: Path, model: Any, **changes: Any) -> Any:
    """Trainer's state after an epoch."""
    from transformers import TrainerCallback

    from finetune.trainer import ReplyTrainer, arguments

    recipe = tiny.recipe(epochs=1, lora=None, quantisation="none", **changes)
    settings = arguments(recipe, 100, tmp_path, "cpu", measured=False, fresh=True)
    trainer = ReplyTrainer(model, settings, some(*range(10, 34)), [], TrainerCallback(), recipe.packing)
    trainer.train()
    return trainer.state


@pytest.mark.parametrize("packing", [True, False])
def test_tokens_read_are_counted_without_padding(tmp_path: Path, packing: bool) -> None:
    assert trained(tmp_path, mistral(), packing=packing).num_input_tokens_seen == sum(range(10, 34))


def test_a_step_of_several_batches_learns_as_one_of_all_their_examples(tmp_path: Path) -> None:
    """Each learned token counts the same, in whichever batch of the step it is."""
    ways = [(8, 1, True), (2, 4, True), (8, 1, False), (2, 4, False)]
    first, *others = [
        trained(tmp_path / str(n), mistral(), batch_size=size, accumulation=batches, packing=packing).log_history[:3]
        for n, (size, batches, packing) in enumerate(ways)
    ]
    for other in others:
        for name in ("loss", "grad_norm"):
            assert [step[name] for step in other] == pytest.approx([step[name] for step in first], rel=1e-3)
