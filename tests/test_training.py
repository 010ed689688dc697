"""Training on a small real Mistral: it learns to answer and to stop, goes on after a kill, and keeps what it should."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tiny
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from data.errors import AdapterRefused, BadInput, NotFound, TrainingStopped, WorkFolderError
from finetune.base import Base, add_lora, find_base, fingerprint, load_base
from finetune.card import check_card
from finetune.prompt import EOS_ID
from finetune.recipe import Lora
from finetune.record import RECORD, read_examples_record
from finetune.tokens import Encoded, v1_tokens
from finetune.training import Trained, steps_per_epoch, train

TRAIN, HELD_OUT = tiny.examples()


def tune(base: Path, out: Path, held_out: list[Encoded] = HELD_OUT, **changes: Any) -> Trained:
    recipe = tiny.recipe(**changes)
    return train(recipe, TRAIN, held_out, load_base(str(base), quantisation=recipe.quantisation, device="cpu"), out)


def replies(base: Path, adapter: Path) -> list[list[int]]:
    from peft import PeftModel

    model = PeftModel.from_pretrained(load_base(str(base), device="cpu").model, adapter).eval()
    return [tiny.reply_ids(model, example) for example in HELD_OUT]


def original_collator(examples: list[Encoded], packing: bool = False) -> dict[str, Any]:
    """The first ShawGPT's: the end token pads, and the collator takes every one of them for padding."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import DataCollatorForLanguageModeling, PreTrainedTokenizerFast

    vocabulary = {"<unk>": 0, "<s>": 1, "</s>": EOS_ID}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(WordLevel(vocabulary, unk_token="<unk>")))
    tokenizer.add_special_tokens({"eos_token": "</s>", "pad_token": "</s>"})
    masking = DataCollatorForLanguageModeling(tokenizer, mlm=False)
    return dict(masking([{"input_ids": list(example.ids)} for example in examples]))


@pytest.fixture(scope="module")
def tuned(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return tune(tiny_base, tmp_path_factory.mktemp("tuned") / "out")


def test_the_loss_of_held_out_replies_falls(tuned: Trained) -> None:
    before, after = tuned.card.held_out_before, tuned.card.held_out_after
    assert before is not None
    assert after is not None
    assert after < before - 0.5
    assert after == min(point.held_out for point in tuned.history if point.held_out is not None and point.step)


def test_replies_stop_and_sign_once_at_the_end_and_with_the_original_masking_they_do_not(
    tiny_base: Path, tuned: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = replies(tiny_base, tuned.folder)
    assert sum(ids[-1] == EOS_ID for ids in answers) >= 9  # of 12
    texts = [tiny.text(ids) for ids in answers]
    ends = [text.endswith(f" {tiny.SIGNATURE}</s>") and text.count(tiny.SIGNATURE) == 1 for text in texts]
    assert sum(ends) >= 7, texts
    monkeypatch.setattr("finetune.trainer.collate", original_collator)
    badly = tune(tiny_base, tmp_path / "original", epochs=2)
    assert sum(ids[-1] == EOS_ID for ids in replies(tiny_base, badly.folder)) <= 4


def test_the_end_token_is_learned_where_the_original_masks_it() -> None:
    from finetune.trainer import collate

    batch, original = collate(TRAIN[:4]), original_collator(TRAIN[:4])
    assert (batch["labels"] == EOS_ID).sum() == 4
    assert (original["labels"][original["input_ids"] == EOS_ID] == -100).all()


def test_nf4_trains_with_the_shipped_settings_and_nothing_is_upcast(tiny_base: Path, tmp_path: Path) -> None:
    import torch
    from bitsandbytes.nn import Linear4bit

    recipe = tiny.recipe(epochs=2, accumulation=2, optimiser="paged_adamw_8bit", checkpointing=True)
    base = load_base(str(tiny_base), device="cpu")
    trained = train(recipe, TRAIN, HELD_OUT, base, tmp_path / "out")
    assert trained.card.steps == 2 * steps_per_epoch(len(TRAIN), 8, 2) == 6
    assert trained.card.held_out_after < trained.card.held_out_before
    linear = [module for module in base.model.modules() if isinstance(module, Linear4bit)]
    assert len(linear) == 3 * 7
    assert all(module.weight.quant_state.nested for module in linear)  # the scales are quantised too
    frozen = {name: weights.dtype for name, weights in base.model.named_parameters() if not weights.requires_grad}
    assert {frozen[name] for name in frozen if "embed" in name or "norm" in name} == {torch.bfloat16}
    learned = {weights.dtype for weights in base.model.parameters() if weights.requires_grad}
    assert learned == {torch.float32}


def test_the_adapter_says_row_by_row_what_it_was_trained_on(tuned: Trained) -> None:
    train_on, held_out = read_examples_record(tuned.folder)
    assert train_on == [each.example for each in TRAIN]
    assert held_out == [each.example for each in HELD_OUT]
    assert {each.origin for each in train_on} | {each.origin for each in held_out} == {
        f"row {row}" for row in range(2, 62)
    }
    assert check_card(tuned.folder, tuned.card.base_sha256) == tuned.card


def test_a_changed_record_of_examples_is_refused(tuned: Trained, tmp_path: Path) -> None:
    folder = shutil.copytree(tuned.folder, tmp_path / "copy")
    with (folder / RECORD).open("a") as file:
        file.write('{"side": "train", "origin": "row 99", "prompt": "Who?", "reply": "me"}\n')
    with pytest.raises(AdapterRefused, match=RECORD):
        check_card(folder, tuned.card.base_sha256)
    (folder / RECORD).write_text('{"side": "both"}\n')
    with pytest.raises(AdapterRefused, match="can't be read"):
        read_examples_record(folder)
    (folder / RECORD).unlink()
    with pytest.raises(NotFound, match="trained on"):
        read_examples_record(folder)


def test_a_measure_does_not_change_what_training_sees(tiny_base: Path) -> None:
    """bitsandbytes repacks NF4 weights at the first evaluation on some CPUs, coarser and without a gradient."""
    from finetune.trainer import collate, held_out_loss

    model = add_lora(load_base(str(tiny_base), device="cpu").model, Lora(rank=4, alpha=8))

    def gradients() -> list[Any]:
        model.zero_grad()
        model(**collate(TRAIN[:2])).loss.backward()
        return [weights.grad.clone() for weights in model.parameters() if weights.requires_grad]

    before = gradients()
    loss = held_out_loss(model, HELD_OUT, 4)
    assert all(one.equal(other) for one, other in zip(before, gradients(), strict=True))
    assert held_out_loss(model, HELD_OUT, 4) == loss


def test_the_held_out_loss_counts_every_token_once(tiny_base: Path) -> None:
    from finetune.trainer import held_out_loss

    model = load_base(str(tiny_base), quantisation="none", device="cpu").model.float()
    assert held_out_loss(model, HELD_OUT, 1) == pytest.approx(held_out_loss(model, HELD_OUT, 5), abs=1e-5)


RESUMED = """
import os, pathlib, signal, sys
import finetune.trainer, tiny
from finetune.base import load_base
from finetune.training import train
finetune.trainer.CHECKPOINT_EVERY = 4
def kill(point, steps):
    if point.step == int(sys.argv[3]) and point.loss is not None:
        os.kill(os.getpid(), signal.SIGKILL)
train(tiny.recipe(epochs=2), *tiny.examples(), load_base(sys.argv[1], device="cpu"), pathlib.Path(sys.argv[2]), kill)
"""


def kill_at(step: int, base: Path, out: Path) -> None:
    import torch

    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), "OMP_NUM_THREADS": str(torch.get_num_threads())}
    done = subprocess.run([sys.executable, "-c", RESUMED, str(base), str(out), str(step)], env=env, check=False)
    assert done.returncode == -signal.SIGKILL


def test_a_training_killed_within_an_epoch_ends_with_the_same_weights(
    tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("finetune.trainer.CHECKPOINT_EVERY", 4)  # an epoch has six steps
    undisturbed = tune(tiny_base, tmp_path / "whole", epochs=2)
    out = tmp_path / "killed"
    kill_at(10, tiny_base, out)
    assert {path.name for path in (out / "checkpoints").iterdir()} == {"checkpoint-4", "checkpoint-8"}
    torn = out / "checkpoints" / "checkpoint-10"  # as a kill within a save leaves it
    torn.mkdir()
    (torn / "trainer_state.json").write_text('{"global_step": 10, "log_hist')
    with pytest.raises(BadInput, match="another recipe"):
        tune(tiny_base, out, epochs=2, seed=7)

    again = tune(tiny_base, out, epochs=2)

    def went(trained: Trained) -> list[tuple[int, float | None, float | None]]:
        return [(point.step, point.loss, point.held_out) for point in trained.history]

    assert went(again) == went(undisturbed)
    weights = "adapter_model.safetensors"
    assert (again.folder / weights).read_bytes() == (undisturbed.folder / weights).read_bytes()
    assert again.card.curve[-1].step == 12


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 640 vs 534"),  # torch.save's
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
        OSError(errno.ENOSPC, "No space left on device"),
    ],
    ids=["torch", "safetensors", "python"],
)
def test_a_full_disk_stops_it_in_one_line_and_it_goes_on_once_there_is_room(
    error: Exception, tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr("finetune.trainer.CHECKPOINT_EVERY", 4)  # of six steps
    saved: list[Path] = []
    save = torch.save

    def save_until_full(what: Any, path: Any, **options: Any) -> None:
        saved.append(Path(path))
        if "checkpoint-6" in str(path):
            saved[-1].write_bytes(b"PK")
            raise error
        save(what, path, **options)

    with monkeypatch.context() as full:
        full.setattr(torch, "save", save_until_full)
        with pytest.raises(WorkFolderError, match="disk is full: make room") as raised:
            tune(tiny_base, tmp_path / "out", epochs=1)
    assert "\n" not in str(raised.value)
    assert saved[-1].parent.name == "checkpoint-6"
    again = tune(tiny_base, tmp_path / "out", epochs=1)
    assert [point.step for point in again.history if point.loss is not None] == [1, 2, 3, 4, 5, 6]
    assert again.card.steps == 6


def test_another_error_while_training_is_not_taken_for_a_full_disk(
    tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def save(*_: Any, **__: Any) -> None:
        raise RuntimeError("something else")

    monkeypatch.setattr("torch.save", save)
    with pytest.raises(RuntimeError, match="something else"):
        tune(tiny_base, tmp_path / "out", epochs=1)


def test_the_warm_up_begins_above_zero_and_wastes_no_step(tiny_base: Path, tmp_path: Path) -> None:
    trained = tune(tiny_base, tmp_path / "out", epochs=1, warmup=0.5, schedule="linear")
    rates = [point.learning_rate for point in trained.history if point.loss is not None]
    assert rates == pytest.approx([5e-3 * share for share in (1 / 3, 2 / 3, 1, 1, 2 / 3, 1 / 3)])


def test_an_example_longer_than_the_base_reads_stops_it_before_the_first_step(tiny_base: Path, tmp_path: Path) -> None:
    short = load_base(str(tiny_base), device="cpu")
    short.model.config.max_position_embeddings = 64
    with pytest.raises(TrainingStopped, match="tokens, and the base reads 64: set `max_tokens` to 64"):
        train(tiny.recipe(), TRAIN, HELD_OUT, short, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_finished_training_is_not_done_again_and_leaves_no_checkpoints(tiny_base: Path, tuned: Trained) -> None:
    names = {path.name for path in tuned.folder.iterdir()}
    kept = {"adapter_model.safetensors", "adapter_config.json", "card.json", "history.jsonl", "loss.png", "tensorboard"}
    assert kept <= names
    assert "checkpoints" not in names
    assert (tuned.folder / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert any((tuned.folder / "tensorboard").iterdir())
    lines = [json.loads(line) for line in (tuned.folder / "history.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "loss" in line] == list(range(1, 19))
    assert tune(tiny_base, tuned.folder) == tuned


def test_it_stops_early_once_held_out_replies_get_no_better(tiny_base: Path, tmp_path: Path) -> None:
    trained = tune(tiny_base, tmp_path / "out", learning_rate=2e-2, epochs=20, early=1)
    assert trained.card.steps < 120
    assert trained.best_step == trained.card.steps - 6


def test_all_weights_can_be_trained_without_lora_into_a_model_that_can_be_loaded(
    tiny_base: Path, tmp_path: Path
) -> None:
    from finetune.trainer import held_out_loss

    trained = tune(tiny_base, tmp_path / "out", lora=None, quantisation="none", learning_rate=1e-3, epochs=1)
    assert trained.card.held_out_after < trained.card.held_out_before
    assert "model.safetensors" in trained.card.files
    loaded = load_base(str(trained.folder), quantisation="none", device="cpu")
    assert held_out_loss(loaded.model, HELD_OUT, 8) == pytest.approx(trained.card.held_out_after, rel=1e-5)
    assert loaded.tokens.encode("Thanks, you two") == v1_tokens().encode("Thanks, you two")


def test_a_model_that_is_not_there_says_what_to_download_and_where_to_put_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(
        NotFound, match=r"hf download mistralai/Nothing .*--local-dir models/mistralai/Nothing"
    ) as error:
        find_base("mistralai/Nothing")
    assert "\n" not in str(error.value)


def test_pickled_weights_code_and_adapters_are_no_base(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "evil", "auto_map": {"AutoModelForCausalLM": "evil.Model"}}')
    (tmp_path / "evil.py").write_text("raise SystemExit('ran')")
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(BadInput, match="safetensors"):
        find_base(str(tmp_path))
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(BadInput, match="Can't load"):
        load_base(str(tmp_path), device="cpu")
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(BadInput, match="holds an adapter"):
        find_base(str(tmp_path))


def test_a_base_with_other_weights_has_another_fingerprint(tiny_base: Path, tmp_path: Path) -> None:
    for path in tiny_base.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    assert fingerprint(tmp_path) == fingerprint(tiny_base)
    weights = load_file(tmp_path / "model.safetensors")
    for name in weights:  # as an adapter merged into one kind of layer changes a few
        save_file({**weights, name: weights[name] * 1.01}, tmp_path / "model.safetensors", metadata={"format": "pt"})
        assert fingerprint(tmp_path) != fingerprint(tiny_base), name


def test_lora_names_modules_that_are_not_there(tiny_base: Path) -> None:
    base: Base = load_base(str(tiny_base), quantisation="none", device="cpu")
    with pytest.raises(BadInput, match="targets"):
        add_lora(base.model, Lora(rank=4, alpha=8, targets=("nothing",)))
