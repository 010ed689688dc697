"""Exports say what the adapter says: merged weights, vLLM's LoRA, llama.cpp's LoRA; what is wrong is refused whole."""

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tiny

from data.errors import AdapterRefused, BadInput, NotFound
from finetune.agreement import Agreement, check
from finetune.base import add_lora, fingerprint, load_base
from finetune.card import hash_files, read_card, write_card
from finetune.examples import Example
from finetune.export import Exported, export, export_gguf_lora, export_lora, export_merged
from finetune.lora_weights import LoraWeights, read_lora
from finetune.merge import merge
from finetune.recipe import Lora
from finetune.record import write_examples
from finetune.tokens import Encoded, encode_all
from finetune.training import train

TRAIN, HELD_OUT = tiny.examples()


def tune(base: Path, out: Path, **changes: Any) -> Path:
    recipe = tiny.recipe(base=str(base), **changes)
    loaded = load_base(str(base), quantisation=recipe.quantisation, device="cpu")
    return train(recipe, TRAIN, HELD_OUT, loaded, out).folder


@pytest.fixture(scope="module")
def adapter(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained over NF4, as by default."""
    data = "/home/nell/private/replies.csv"
    return tune(tiny_base, tmp_path_factory.mktemp("nf4") / "adapter", data=data, epochs=2)


@pytest.fixture(scope="module")
def stabilised(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained with rsLoRA over the base as it is."""
    return tune(
        tiny_base, tmp_path_factory.mktemp("rs") / "adapter", quantisation="none", epochs=1,
        learning_rate=2e-3, lora=Lora(rank=16, alpha=32, rslora=True),
    )  # fmt: skip


@pytest.fixture(scope="module")
def merged(adapter: Path, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return export(adapter, "merged", tmp_path_factory.mktemp("merged") / "model")


@pytest.fixture(scope="module")
def gpt2(stabilised: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A small GPT-2, its file's names as the hub's have them, and an adapter over it, both of random weights."""
    import torch
    from safetensors.torch import load_file, save_file
    from tokenizers import ByteLevelBPETokenizer
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("gpt2")
    base, adapter = folder / "base", folder / "adapter"
    size: dict[str, Any] = {"n_positions": 128, "n_embd": 64, "n_layer": 2, "n_head": 4, "initializer_range": 0.2}
    GPT2LMHeadModel(GPT2Config(vocab_size=300, bos_token_id=0, eos_token_id=0, **size)).save_pretrained(base)
    weights = load_file(base / "model.safetensors")
    named = {name.removeprefix("transformer."): tensor for name, tensor in weights.items()}
    save_file(named, base / "model.safetensors", metadata={"format": "pt"})
    tokenizer = ByteLevelBPETokenizer()
    replies = [reply for _, reply in tiny.pairs()]
    tokenizer.train_from_iterator(replies, vocab_size=300, special_tokens=["<|endoftext|>"])
    tokenizer.save_model(str(base))
    model = add_lora(load_base(str(base), quantisation="none", device="cpu").model, Lora(rank=8, alpha=16))
    for weights in model.parameters():
        if weights.requires_grad:
            torch.nn.init.normal_(weights, std=0.1)
    model.save_pretrained(adapter)
    write_examples(adapter, [], [Example(f"Reply {row}:", reply, f"row {row}") for row, reply in enumerate(replies)])
    recipe = tiny.recipe(base=str(base), format="completion", quantisation="none", max_tokens=128)
    changes = {"recipe": recipe.model_dump(mode="json"), "files": hash_files(adapter)}
    write_card(adapter, read_card(stabilised).model_copy(update=changes))
    return base, with_base(adapter, base, folder / "gpt2")


def with_base(adapter: Path, base: Path, to: Path) -> Path:
    """A copy of an adapter whose card names another base."""
    shutil.copytree(adapter, to)
    card = read_card(to)
    write_card(to, card.model_copy(update={"base": str(base), "base_sha256": fingerprint(base)}))
    return to


def without_record(adapter: Path, to: Path) -> Path:
    """A copy of an adapter as those were that kept no record of their examples."""
    shutil.copytree(adapter, to)
    (to / "examples.jsonl").unlink()
    write_card(to, read_card(to).model_copy(update={"files": hash_files(to)}))
    return to


def test_a_merged_model_says_what_base_and_adapter_say(merged: Exported) -> None:
    agreement = merged.agreement
    assert agreement
    assert agreement.positions >= 512
    assert f"{len(HELD_OUT)} of them held out" in agreement.texts
    assert agreement.precision == "float32"
    assert agreement.unmerged >= 0.99
    assert agreement.trained
    assert agreement.base < agreement.trained < agreement.unmerged
    assert [name for name, _ in merged.files] == [
        "card.json", "config.json", "generation_config.json", "model.safetensors", "tokenizer.model"
    ]  # fmt: skip
    assert (
        merged.as_json()["commands"]["shawgpt"]
        == f"shawgpt serve --model {merged.folder} --persona shawgpt --adapter ''"
    )
    loaded = load_base(str(merged.folder), quantisation="none", device="cpu")
    assert tiny.reply_ids(loaded.model, HELD_OUT[0])


def test_each_weight_is_changed_by_its_two_matrices_and_rounded_once(
    tiny_base: Path, adapter: Path, merged: Exported
) -> None:
    import torch
    from safetensors.torch import load_file

    before, after = load_file(tiny_base / "model.safetensors"), load_file(merged.folder / "model.safetensors")
    lora = read_lora(adapter)
    assert set(after) == set(before)
    changed = {f"{layer}.weight" for layer in lora.pairs}
    assert len(changed) == 3 * 7
    for name, weight in before.items():
        if name in changed:
            a, b = lora.pairs[name.removesuffix(".weight")]
            assert torch.equal(after[name], (weight.float() + 32 / 16 * (b @ a)).bfloat16())
            assert not torch.equal(after[name], weight)
        else:
            assert torch.equal(after[name], weight)


def test_rslora_is_merged_and_converted_at_its_own_scale(stabilised: Path, tmp_path: Path) -> None:
    from gguf import GGUFReader

    assert read_lora(stabilised).scale == 32 / math.sqrt(16)
    heard: list[tuple[str, int, int]] = []
    made = export_merged(stabilised, tmp_path / "merged", progress=lambda *told: heard.append(told))
    assert made.agreement
    assert made.agreement.unmerged >= 0.99
    assert made.agreement.trained is None
    layers = [("merging layers", number, 21) for number in range(1, 22)]
    assert heard == [*layers, ("measuring", 1, 2), ("measuring", 2, 2)]
    reader = GGUFReader(export_gguf_lora(stabilised, tmp_path / "gguf").folder / "tiny-lora.gguf")
    alpha = reader.get_field("adapter.lora.alpha")
    assert alpha
    assert alpha.contents() / 16 == 32 / math.sqrt(16)  # llama.cpp divides by the rank


def test_a_sharded_base_is_merged_in_its_own_shards(tiny_base: Path, stabilised: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    sharded = tmp_path / "sharded"
    shutil.copytree(tiny_base, sharded)
    weights = load_file(sharded / "model.safetensors")
    (sharded / "model.safetensors").unlink()
    (sharded / "evil.py").write_text("raise SystemExit")
    (sharded / "pytorch_model.bin").write_bytes(b"\x80")
    names = sorted(weights)
    index = {}
    for number, part in enumerate((names[:9], names[9:]), 1):
        file = f"model-0000{number}-of-00002.safetensors"
        save_file({name: weights[name] for name in part}, sharded / file, metadata={"format": "pt"})
        index |= dict.fromkeys(part, file)
    (sharded / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))
    adapter = with_base(stabilised, sharded, tmp_path / "adapter")
    made = export_merged(adapter, tmp_path / "merged")
    assert {name for name, _ in made.files} == {
        "card.json", "config.json", "generation_config.json", "tokenizer.model", "model.safetensors.index.json",
        *index.values(),
    }  # fmt: skip
    for file in set(index.values()):
        assert set(load_file(made.folder / file)) == set(load_file(sharded / file))
    (sharded / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(BadInput, match="not whole: model-00002"):
        export_merged(with_base(stabilised, sharded, tmp_path / "again"), tmp_path / "other")


@pytest.mark.parametrize("factor", [0.0, 0.5])
def test_a_merge_that_says_something_else_is_refused_and_nothing_is_left(
    stabilised: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, factor: float
) -> None:
    right = read_lora(stabilised).scale
    monkeypatch.setattr(LoraWeights, "scale", factor * right)
    with pytest.raises(AdapterRefused, match=r"agrees with its base and adapter on .*: nothing was written"):
        export_merged(stabilised, tmp_path / "merged")
    assert not list(tmp_path.iterdir())


def test_a_merge_far_from_the_model_over_nf4_is_refused() -> None:
    fine = Agreement(534, 22, "", "float32", unmerged=0.998, trained=0.88, base=0.6)
    check(fine)
    with pytest.raises(AdapterRefused, match="over NF4, on 60"):
        check(replace(fine, trained=0.6))
    with pytest.raises(AdapterRefused, match=r"98\.0% of 534"):
        check(replace(fine, unmerged=0.98))
    check(replace(fine, unmerged=0.98, precision="as stored"))
    check(replace(fine, unmerged=0.95, positions=20))  # one token of twenty


def test_another_base_and_a_quantised_base_are_refused(tiny_base: Path, stabilised: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(tiny_base, other)
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "rms_norm_eps": 0.1}))
    for form in ("merged", "gguf-lora"):
        with pytest.raises(AdapterRefused, match="another base"):
            export(stabilised, form, tmp_path / "out", base=str(other))  # type: ignore[arg-type]
    (other / "config.json").write_text(json.dumps({**config, "quantization_config": {"quant_method": "gptq"}}))
    with pytest.raises(BadInput, match="is quantised: only original weights"):
        export_merged(with_base(stabilised, other, tmp_path / "adapter"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_base_that_lies_elsewhere_is_named(tiny_base: Path, stabilised: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(stabilised, moved)
    write_card(moved, read_card(moved).model_copy(update={"base": "/gone/base"}))
    with pytest.raises(NotFound, match="name its folder with --base"):
        export_gguf_lora(moved, tmp_path / "out")
    assert export_gguf_lora(moved, tmp_path / "out", base=str(tiny_base)).files


@pytest.mark.parametrize("form", ["merged", "lora", "gguf-lora"])
def test_an_adapter_that_was_changed_is_refused(stabilised: Path, tmp_path: Path, form: Any) -> None:
    shutil.copytree(stabilised, tmp_path / "adapter")
    config = tmp_path / "adapter" / "adapter_config.json"
    config.write_text(config.read_text().replace('"lora_alpha": 32', '"lora_alpha": 64'))
    with pytest.raises(AdapterRefused, match=r"adapter_config\.json changed"):
        export(tmp_path / "adapter", form, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["adapter"]


def test_an_interrupted_export_leaves_nothing_and_what_a_kill_left_is_not_kept(
    stabilised: Path, tmp_path: Path
) -> None:
    def interrupt(doing: str, done: int, of: int) -> None:
        if (doing, done) == ("measuring", 1):
            assert (tmp_path / ".out.part" / "model.safetensors").is_file()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_merged(stabilised, tmp_path / "out", progress=interrupt)
    assert not list(tmp_path.iterdir())
    (tmp_path / ".out.part").mkdir()
    (tmp_path / ".out.part" / "model-00001-of-00003.safetensors").write_bytes(b"half")
    export_lora(stabilised, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "adapter_config.json", "adapter_model.safetensors", "card.json"
    ]  # fmt: skip
    with pytest.raises(BadInput, match="exists already"):
        export_lora(stabilised, tmp_path / "out")


def test_exports_hold_nothing_of_the_examples_and_no_path_of_the_machine(
    adapter: Path, tiny_base: Path, merged: Exported, tmp_path: Path
) -> None:
    said = TRAIN[0].example.reply[:30]
    assert said in (adapter / "examples.jsonl").read_text()
    folders = [merged.folder, export_lora(adapter, tmp_path / "lora").folder]
    folders.append(export_gguf_lora(adapter, tmp_path / "gguf").folder)
    for folder in folders:
        for path in folder.iterdir():
            assert path.name != "examples.jsonl"
            content = path.read_bytes()
            assert not any(part.encode() in content for part in (said, str(tiny_base.parent), "/home/nell"))
        card = read_card(folder)
        assert (card.base, card.recipe["base"], card.recipe["data"]) == ("base", "base", "")
        assert card.data_sha256 == read_card(adapter).data_sha256
        assert card.files == hash_files(folder)


def test_an_adapter_without_a_record_is_measured_on_the_sample(stabilised: Path, tmp_path: Path) -> None:
    made = export_merged(without_record(stabilised, tmp_path / "adapter"), tmp_path / "out")
    assert made.agreement
    assert "the sample's comments" in made.agreement.texts
    assert made.agreement.positions >= 512


def test_vllms_lora_is_pefts_in_bfloat16_with_nothing_that_vllm_refuses(
    tiny_base: Path, adapter: Path, tmp_path: Path
) -> None:
    import torch
    from peft import PeftModel
    from safetensors.torch import load_file

    hub = tmp_path / "hub"
    shutil.copytree(adapter, hub)
    write_card(hub, read_card(hub).model_copy(update={"base": "mistralai/Mistral", "base_revision": "3ad372f"}))
    made = export_lora(hub, tmp_path / "out")
    command = dict(made.commands)["vLLM"]
    assert command == (
        "vllm serve mistralai/Mistral --revision 3ad372f --enable-lora --max-lora-rank 16 "
        f"--lora-modules tiny={tmp_path / 'out'}"
    )
    settings = json.loads((made.folder / "adapter_config.json").read_text())
    assert (settings["base_model_name_or_path"], settings["revision"]) == ("mistralai/Mistral", "3ad372f")
    assert (settings["r"], settings["lora_alpha"], settings["bias"]) == (16, 32, "none")  # as PEFTHelper reads them
    assert not any(settings[name] for name in ("modules_to_save", "use_dora", "use_rslora"))
    weights = load_file(made.folder / "adapter_model.safetensors")
    assert {tensor.dtype for tensor in weights.values()} == {torch.bfloat16}
    assert set(weights) == set(load_file(adapter / "adapter_model.safetensors"))
    model = PeftModel.from_pretrained(load_base(str(tiny_base), device="cpu").model, str(made.folder))
    assert tiny.reply_ids(model, HELD_OUT[0])


def test_layers_that_have_no_weight_and_more_than_plain_lora_are_refused(
    tiny_base: Path, stabilised: Path, tmp_path: Path
) -> None:
    lora = read_lora(stabilised)
    pair = next(iter(lora.pairs.values()))
    for layer, says in {
        "model.layers.9.mlp.up_proj": "has no such linear layer",
        "model.embed_tokens": "has no such linear layer",
        "lm_head": "embeddings too",  # the tests' base ties the two
        "model.layers.0.mlp.up_proj": "don't fit",
    }.items():
        with pytest.raises(BadInput, match=says):
            merge(tiny_base, replace(lora, pairs={layer: pair}), tmp_path, lambda done, of: None)
    dora = tmp_path / "dora"
    shutil.copytree(stabilised, dora)
    (dora / "adapter_config.json").write_text(json.dumps({**lora.settings, "use_dora": True}))
    with pytest.raises(BadInput, match="more than plain LoRA"):
        read_lora(dora)
    (dora / "adapter_model.safetensors").unlink()
    with pytest.raises(BadInput, match="holds no LoRA"):
        read_lora(dora)


def test_gpt2s_layers_are_merged_from_the_other_side(gpt2: tuple[Path, Path], tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    base, adapter = gpt2
    made = export_merged(adapter, tmp_path / "merged")
    assert made.agreement
    assert made.agreement.unmerged >= 0.99
    assert made.agreement.base < 0.7
    lora = read_lora(adapter)
    name = "h.1.attn.c_attn.weight"  # (64, 192), as Conv1D has it
    a, b = lora.pairs["transformer.h.1.attn.c_attn"]
    before, after = (load_file(folder / "model.safetensors")[name] for folder in (base, made.folder))
    assert torch.allclose(after - before, 2 * (b @ a).T, atol=1e-6)
    with pytest.raises(BadInput, match="vLLM serves no LoRA over GPT-2"):
        export_lora(adapter, tmp_path / "lora")


def test_llama_cpps_file_has_its_names_and_one_without_the_package_says_which(
    stabilised: Path, tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gguf import GGUFReader

    made = export_gguf_lora(stabilised, tmp_path / "out")
    assert f"llama-server -m base.gguf --lora {made.folder / 'tiny-lora.gguf'}" in dict(made.commands)["llama.cpp"]
    reader = GGUFReader(made.folder / "tiny-lora.gguf")
    fields = {"general.architecture": "llama", "general.type": "adapter", "adapter.type": "lora"}
    for name, value in fields.items():
        field = reader.get_field(name)
        assert field
        assert field.contents() == value
    names = {tensor.name for tensor in reader.tensors}
    assert len(names) == 2 * 3 * 7
    assert {"blk.0.attn_q.weight.lora_a", "blk.2.ffn_down.weight.lora_b"} <= names

    qwen = tmp_path / "qwen"
    shutil.copytree(tiny_base, qwen)
    config = json.loads((qwen / "config.json").read_text())
    (qwen / "config.json").write_text(json.dumps({**config, "model_type": "qwen2"}))
    with pytest.raises(BadInput, match="of type 'qwen2'"):
        export_gguf_lora(with_base(stabilised, qwen, tmp_path / "adapter"), tmp_path / "other")
    monkeypatch.setitem(__import__("sys").modules, "gguf", None)
    with pytest.raises(BadInput, match=r"pip install 'shawgpt\[gguf\]'"):
        export_gguf_lora(stabilised, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def agree(one: list[Any], other: list[Any]) -> tuple[float, float]:
    """(share of positions with the same likeliest token, greatest difference of a logit)."""
    same = [
        float(a == b) for x, y in zip(one, other, strict=True) for a, b in zip(x.argmax(-1), y.argmax(-1), strict=True)
    ]
    return sum(same) / len(same), max(float(abs(x - y).max()) for x, y in zip(one, other, strict=True))


def transformers_logits(base: Path, adapter: Path | None, examples: list[Encoded]) -> list[Any]:
    import torch
    from peft import PeftModel

    model = load_base(str(base), quantisation="none", device="cpu").model.float()
    if adapter:
        model = PeftModel.from_pretrained(model, str(adapter))
    model.eval()
    with torch.no_grad():
        return [model(input_ids=torch.tensor([example.ids])).logits[0].numpy() for example in examples]


def llama_cpp_logits(gguf: Path, lora: Path | None, examples: list[Encoded]) -> list[Any]:
    from llama_cpp import Llama

    llama = Llama(
        str(gguf), lora_path=str(lora) if lora else None, n_ctx=512, n_batch=512, n_threads=1, logits_all=True,
        type_k=0, type_v=0, verbose=False,
    )  # fmt: skip
    found = []
    for example in examples:
        llama.reset()
        llama.eval(list(example.ids))
        found.append(llama.scores[: len(example.ids)].copy())
    return found


@pytest.mark.parametrize("which", ["lora", "rslora", "gpt2"])
def test_llama_cpp_says_with_the_lora_what_transformers_says(
    tiny_base: Path,
    request: pytest.FixtureRequest,
    which: str,
    tmp_path: Path,
) -> None:
    pytest.importorskip("llama_cpp", reason="llama-cpp-python isn't installed: it is compiled for minutes")
    from gguf_base import write_base

    if which == "gpt2":
        base, adapter = request.getfixturevalue("gpt2")
        tokens = load_base(str(base), quantisation="none", device="cpu").tokens
        examples, _ = encode_all([Example("Reply 3:", reply, "") for _, reply in tiny.pairs()[:20]], tokens, 128)
    else:
        base, adapter = tiny_base, request.getfixturevalue("adapter" if which == "lora" else "stabilised")
        examples = HELD_OUT[:6]
    gguf = write_base(base, tmp_path / "base.gguf")
    lora = export_gguf_lora(adapter, tmp_path / "lora").folder / "tiny-lora.gguf"
    alone = transformers_logits(base, None, examples)
    adapted = transformers_logits(base, adapter, examples)
    assert agree(alone, adapted)[0] < 0.8
    for here, there in (
        (alone, llama_cpp_logits(gguf, None, examples)),
        (adapted, llama_cpp_logits(gguf, lora, examples)),
    ):
        share, greatest = agree(here, there)
        assert share >= 0.998
        assert greatest < 1e-2  # of logits up to 13: 1e-5 for a Mistral, 4e-3 for a GPT-2, with or without LoRA
