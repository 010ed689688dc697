"""Folders of models and adapters by someone who means harm: each is refused in one line, and takes no other with it."""

import json
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.adapters import find_adapter, list_adapters
from bot.chat_template import ChatTemplate
from bot.cli import main
from bot.local_model import LocalModel
from bot.responders import Asked, persona_of, settle
from data.errors import AdapterRefused, BadInput, NotFound, ShawGPTError
from data.persona import load_persona
from data.sampling import Sampling
from finetune.base import add_lora, find_base, load_base
from finetune.card import CARD, Card, hash_files, library_versions, read_card, write_card
from finetune.export import export
from finetune.lora_weights import SETTINGS, WEIGHTS
from finetune.prompt import PROMPT_VERSION
from finetune.recipe import Lora, Recipe
from finetune.record import RECORD, read_examples_record
from finetune.tokens import folder_tokens

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"
)
TURNS: Any = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Which beans?"}]
DEEP = "[" * 100_000
NESTED = '{"a":' * 400 + "1" + "}" * 400  # little enough to be read, and more than anyone needs
RECIPE = Recipe(
    name="mine", base="tiny", format="replies", lora=Lora(rank=4, alpha=8), learning_rate=1e-3,
    epochs=1, batch_size=1, max_tokens=64,
)  # fmt: skip


def tell(error: pytest.ExceptionInfo[ShawGPTError]) -> str:
    """The message, which is one line that a terminal can show."""
    said = str(error.value)
    assert said
    assert "\n" not in said
    assert "\x1b" not in said
    assert len(said) < 1000
    return said


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of random weights with a byte-level tokenizer and ChatML turns."""
    import torch
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("base") / "base"
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    letters = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(["which beans"], trainers.BpeTrainer(vocab_size=280, initial_alphabet=letters))
    names = ["<|im_start|>", "<|im_end|>"]
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in names])
    config = LlamaConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1,
        max_position_embeddings=512, vocab_size=tokenizer.get_vocab_size(), bos_token_id=None,
        eos_token_id=tokenizer.token_to_id("<|im_end|>"),
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|im_end|>"}))
    (folder / "chat_template.jinja").write_text(CHATML)
    return folder


@pytest.fixture(scope="module")
def model(base: Path) -> LocalModel:
    return LocalModel(str(base), device="cpu", precision="float32")


@pytest.fixture(scope="module")
def trained(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound adapter of that model, as training leaves it."""
    folder = tmp_path_factory.mktemp("trained") / "mine"
    loaded = load_base(str(base), quantisation="none", device="cpu")
    assert RECIPE.lora
    add_lora(loaded.model, RECIPE.lora).save_pretrained(folder)
    (folder / RECORD).write_text(
        '{"side": "train", "origin": "row 2", "prompt": [{"role": "user", "content": "hi"}], "reply": "ho"}\n'
    )
    seal(folder, base=str(base), base_sha256=loaded.sha256)
    return folder


def seal(folder: Path, **changes: Any) -> None:
    """Write a card with the hashes of the files as they are now, as who can write the folder can."""
    known = read_card(folder) if (folder / CARD).is_file() else Card(
        name="mine", recipe=RECIPE.model_dump(mode="json"), recipe_sha256=RECIPE.sha256(), base="", base_revision=None,
        base_sha256="", prompt_version=PROMPT_VERSION, data_sha256="", rows=1, rows_held_out=0, seed=1, steps=1,
        best_step=1, held_out_before=None, held_out_after=None, curve=(), versions=library_versions(), files={},
    )  # fmt: skip
    write_card(folder, known.model_copy(update={"files": hash_files(folder), **changes}))


@pytest.fixture
def home(trained: Path, tmp_path: Path) -> Path:
    """A work folder with two adapters, `mine` and `evil`, which are sound yet."""
    for name in ("mine", "evil"):
        shutil.copytree(trained, tmp_path / "home" / "adapters" / name)
    return tmp_path / "home"


def use(home: Path, model: LocalModel, name: str) -> None:
    """All that a reply with an adapter reads of it."""
    persona = load_persona("shawgpt", home)
    assert persona_of(name, home) == "shawgpt"
    writing = settle(Asked(adapter=name), persona, home)
    assert writing.adapter
    model.add_adapter(f"{name} of {home}", writing.adapter)


def test_a_sound_adapter_is_used(home: Path, model: LocalModel) -> None:
    use(home, model, "mine")
    assert list(model.stream(model.prompt_ids(TURNS), Sampling(max_tokens=2), f"mine of {home}"))


def to_zero(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to("/dev/zero")


def to_pipe(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def to_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def to_huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)  # of no blocks


def card_without(*fields: str) -> Callable[[Path], None]:
    """The card rewritten, its own digest right, with those fields of its recipe missing."""

    def change(path: Path) -> None:
        import hashlib

        content = json.loads(path.read_text())
        content.pop("sha256")
        for field in fields:
            content["recipe"].pop(field)
        content["sha256"] = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
        path.write_text(json.dumps(content))

    return change


def text(written: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(written)


CARDS: dict[str, Callable[[Path], object]] = {
    "deep": text(DEEP),
    "deep enough to be read": text('{"recipe": ' + "[" * 400 + "]" * 400 + "}"),
    "null": text("null"),
    "digits": text('{"rows": ' + "1" * 5000 + "}"),
    "bytes": lambda path: path.write_bytes(b"\xff\xfe\x00"),
    "huge": to_huge,
    "no lora": card_without("lora"),
    "no format": card_without("format"),
    "no recipe to speak of": card_without("lora", "format", "name", "base"),
}


@pytest.mark.parametrize("kind", CARDS)
def test_a_broken_card_is_told_and_leaves_the_other_adapters_alone(home: Path, model: LocalModel, kind: str) -> None:
    CARDS[kind](home / "adapters" / "evil" / CARD)
    evil, mine = list_adapters(home)
    assert (mine.name, mine.trouble) == ("mine", "")
    assert "card.json can't be read as a card" in evil.trouble
    use(home, model, "mine")
    with pytest.raises(AdapterRefused) as error:
        use(home, model, "evil")
    assert "train the adapter again" in tell(error)


@pytest.mark.parametrize("change", [to_zero, to_pipe, to_folder, Path.unlink])
def test_a_card_that_is_no_file_is_no_card(home: Path, model: LocalModel, change: Callable[[Path], None]) -> None:
    change(home / "adapters" / "evil" / CARD)
    assert "card.json is missing" in list_adapters(home)[0].trouble
    use(home, model, "mine")
    with pytest.raises(NotFound):
        use(home, model, "evil")


def test_a_card_without_a_persona_has_the_recipes_own(home: Path) -> None:
    card_without("persona")(home / "adapters" / "evil" / CARD)
    assert persona_of("evil", home) == "shawgpt"


@pytest.mark.parametrize(
    "name", ["..", ".", "", "../adapters/mine", "mine/../mine", "a" * 300, "x\0y", "/etc", "\x1b[31m"]
)
def test_only_a_name_finds_an_adapter(home: Path, name: str) -> None:
    (home / "adapters" / "odd\x1b[31m\nname").mkdir()
    with pytest.raises(NotFound, match="known: evil, mine") as error:
        find_adapter(name, home)
    tell(error)


SETTINGS_OF: dict[str, str] = {
    "rank infinite": '{"r": 1e999}', "rank nothing": '{"r": 0}', "rank below nothing": '{"r": -4}',
    "rank huge": '{"r": 1000000000000}', "rank a list": '{"r": [4]}', "rank digits": '{"r": ' + "1" * 5000 + "}",
    "alpha huge": '{"lora_alpha": 1' + "0" * 400 + "}", "alpha no number": '{"lora_alpha": NaN}',
    "targets a pattern": '{"target_modules": ["(a+)+$"]}', "targets none": '{"target_modules": []}',
    "targets a word": '{"target_modules": "q_proj"}', "targets numbers": '{"target_modules": [1, null]}',
    "targets missing": '{"target_modules": null}', "scale no word": '{"use_rslora": {"a": 1}}',
    "deep": DEEP, "list": "[1, 2]", "torn": '{"r": 4',
}  # fmt: skip


@pytest.mark.parametrize("kind", SETTINGS_OF)
def test_settings_that_no_training_writes_are_refused(home: Path, model: LocalModel, kind: str) -> None:
    folder = home / "adapters" / "evil"
    path = folder / SETTINGS
    if SETTINGS_OF[kind].endswith("}"):  # behind what the file says, where JSON takes the latter
        path.write_text(path.read_text().rstrip().removesuffix("}") + f", {SETTINGS_OF[kind].removeprefix('{')}")
    else:
        path.write_text(SETTINGS_OF[kind])
    seal(folder)
    with pytest.raises(AdapterRefused, match=r"train it again|plain LoRA") as error:
        use(home, model, "evil")
    assert str(folder) in tell(error)


def weights(change: Callable[[Any], Any]) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        from safetensors.torch import load_file, save_file

        save_file({key: change(tensor).contiguous() for key, tensor in load_file(path).items()}, path)

    return write


def in_eight_bits(tensor: Any) -> Any:
    import torch

    return tensor.to(torch.float8_e4m3fn)


WEIGHTS_OF: dict[str, Callable[[Path], object]] = {
    "whole numbers": weights(lambda tensor: tensor.char()),
    "eight bits": weights(in_eight_bits),
    "empty": weights(lambda tensor: tensor[:0]),
    "flat": weights(lambda tensor: tensor.flatten()),
    "more": weights(lambda tensor: tensor.repeat(50, 1)),
    "header of 2^60": lambda path: path.write_bytes(struct.pack("<Q", 1 << 60) + b"{}"),
    "header deep": lambda path: path.write_bytes(struct.pack("<Q", len(DEEP)) + DEEP.encode()),
    "nothing": lambda path: path.write_bytes(b""),
    "a device": to_zero,
    "a pipe": to_pipe,
    "a folder": to_folder,
    "none": Path.unlink,
}


@pytest.mark.parametrize("kind", WEIGHTS_OF)
def test_weights_that_no_training_writes_are_refused(home: Path, model: LocalModel, kind: str) -> None:
    folder = home / "adapters" / "evil"
    WEIGHTS_OF[kind](folder / WEIGHTS)
    seal(folder)
    for _ in range(2):
        with pytest.raises(AdapterRefused) as error:
            use(home, model, "evil")
        assert str(folder) in tell(error)
    with pytest.raises(ShawGPTError) as error:
        export(folder, "lora", home / "out")
    tell(error)
    use(home, model, "mine")


def test_weights_larger_than_any_are_not_hashed(home: Path, model: LocalModel) -> None:
    to_huge(home / "adapters" / "evil" / WEIGHTS)
    with pytest.raises(AdapterRefused, match="larger than any"):
        use(home, model, "evil")


@pytest.mark.parametrize("field", ["base", "base_sha256", "prompt_version"])
def test_what_a_card_says_is_no_terminals_to_obey(home: Path, model: LocalModel, field: str) -> None:
    seal(home / "adapters" / "evil", **{"base_sha256": "0", "base": "x", field: "\x1b]0;owned\x07\x1b[31m\nx"})
    with pytest.raises(AdapterRefused, match="another base") as error:
        use(home, model, "evil")
    tell(error)


def test_a_cards_name_leads_nowhere(home: Path) -> None:
    folder = home / "adapters" / "evil"
    seal(folder, name="../../elsewhere")
    with pytest.raises(AdapterRefused, match="can't be read as a card"):
        export(folder, "lora")


@pytest.mark.parametrize("kind", ["deep", "null", "no format", "huge"])
@pytest.mark.parametrize(
    "command",
    [
        ("adapters",), ("adapters", "--json"), ("export", "evil", "--to", "lora"), ("export", "evil", "--to", "merged"),
        ("eval", "replies", "--adapter", "evil"), ("reply", "comments.csv", "-o", "out.csv", "--adapter", "evil"),
    ],
)  # fmt: skip
def test_the_command_line_tells_a_broken_adapter(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: Any,
    kind: str,
) -> None:  # fmt: skip
    CARDS[kind](home / "adapters" / "evil" / CARD)
    (tmp_path / "comments.csv").write_text("Comment\nhi\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["shawgpt", "--home", str(home), *command])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    if command[0] == "adapters":
        assert ended.value.code in (None, 0)
        assert "mine" in said.out
    else:
        assert ended.value.code == 2
        assert said.err.count("\n") == 1
        assert "can't be read as a card" in said.err


@pytest.mark.parametrize(
    "line",
    [
        DEEP, "[]", "null", "{}", '{"side": [], "origin": "a", "prompt": "b", "reply": "c"}',
        '{"side": "train", "origin": "a", "prompt": "b", "reply": 1}',
        '{"side": "train", "origin": "a", "prompt": [], "reply": "c"}',
        '{"side": "train", "origin": "a", "prompt": [{"role": "user"}], "reply": "c"}',
        '{"side": "train", "origin": "a", "prompt": [{"role": "evil", "content": "x"}], "reply": "c"}',
    ],
)  # fmt: skip
def test_a_record_of_no_examples_is_refused(home: Path, line: str) -> None:
    folder = home / "adapters" / "evil"
    (folder / RECORD).write_text(line + "\n")
    with pytest.raises(AdapterRefused, match=f"{RECORD} can't be read") as error:
        read_examples_record(folder)
    tell(error)


def copy(base: Path, out: Path, **config: Any) -> Path:
    shutil.copytree(base, out)
    path = out / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **config}))
    return out


CONFIGS: dict[str, dict[str, Any]] = {
    "layers": {"num_hidden_layers": 10**9}, "layers infinite": {"num_hidden_layers": float("inf")},
    "layers more than weights": {"num_hidden_layers": 64}, "labels": {"num_labels": 10**9},
    "wide": {"hidden_size": 10**7, "intermediate_size": 10**7}, "vocabulary": {"vocab_size": 10**12},
    "negative": {"hidden_size": -16}, "heads": {"num_attention_heads": 0},
    "window 0": {"max_position_embeddings": 0}, "window negative": {"max_position_embeddings": -5},
    "window a word": {"max_position_embeddings": "big"}, "window null": {"max_position_embeddings": None},
    "window infinite": {"max_position_embeddings": float("inf")},
    "quantised list": {"quantization_config": ["x"]}, "quantised word": {"quantization_config": "\x1b[31m"},
    "quantised number": {"quantization_config": 7}, "quantised evil": {"quantization_config": {"quant_method": "evil"}},
    "type list": {"model_type": ["llama"]}, "type unknown": {"model_type": "evil"},
    "rope": {"rope_parameters": {"rope_type": "evil\x1b[31m"}},
    "kernel": {"_attn_implementation": "evil/kernel"},
}  # fmt: skip


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_config_that_describes_no_model_is_refused(base: Path, tmp_path: Path, kind: str) -> None:
    folder = copy(base, tmp_path / "evil", **CONFIGS[kind])
    with pytest.raises(BadInput) as error:
        LocalModel(str(folder), device="cpu", precision="float32")
    assert str(folder) in tell(error)


@pytest.mark.parametrize("written", [DEEP, "[]", "null", "{", '"x"', "[" * 900 + "]" * 900, NESTED])
@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_json_of_a_model_that_is_none_is_refused(base: Path, tmp_path: Path, name: str, written: str) -> None:
    folder = copy(base, tmp_path / "evil")
    (folder / name).write_text(written)
    with pytest.raises(BadInput) as error:
        LocalModel(str(folder), device="cpu", precision="float32")
    assert name in tell(error)


@pytest.mark.parametrize("ends", [["a", None], [[1]], "x", -5, 2**70, 1e300, {"a": 1}, True, [], [2**40]])
def test_an_odd_end_token_ends_nothing_or_is_refused(base: Path, tmp_path: Path, ends: object) -> None:
    folder = copy(base, tmp_path / "evil")
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": ends}))
    try:
        made = LocalModel(str(folder), device="cpu", precision="float32")
    except BadInput:
        return
    assert made.tokens.eos == folder_tokens(base).eos
    assert list(made.stream(made.prompt_ids(TURNS), Sampling(max_tokens=2)))


@pytest.mark.parametrize("change", [to_zero, to_pipe, to_huge])
@pytest.mark.parametrize("name", ["model.safetensors", "more.safetensors", "generation_config.json", "tokenizer.json"])
def test_a_models_devices_and_pipes_are_not_read(
    base: Path, tmp_path: Path, name: str, change: Callable[[Path], None]
) -> None:
    folder = copy(base, tmp_path / "evil")
    change(folder / name)
    with pytest.raises(BadInput) as error:
        LocalModel(str(folder), device="cpu", precision="float32")
    assert name in tell(error)


@pytest.mark.parametrize(
    "content", [struct.pack("<Q", 1 << 60) + b"{}", struct.pack("<Q", len(DEEP)) + DEEP.encode(), b"", b"\xff" * 100]
)
@pytest.mark.parametrize("precision", [None, "float32"])
def test_damaged_weights_are_refused(base: Path, tmp_path: Path, content: bytes, precision: Any) -> None:
    folder = copy(base, tmp_path / "evil")
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(BadInput, match=r"model\.safetensors is no whole") as error:
        LocalModel(str(folder), device="cpu", precision=precision)
    tell(error)


def gguf_of(*entries: tuple[str, bytes]) -> bytes:
    head = b"GGUF" + struct.pack("<IQQ", 3, 0, len(entries))
    return head + b"".join(struct.pack("<Q", len(key)) + key.encode() + value for key, value in entries)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"GGUF", b"GGUF" + b"\xff" * 200, b"GGUF" + struct.pack("<IQQ", 3, 1 << 60, 1 << 60),
        gguf_of(("a", struct.pack("<IIQ", 9, 0, 1 << 60))), gguf_of(("a", struct.pack("<IIQ", 9, 8, 5_000_000))),
        gguf_of(("a", struct.pack("<IIQ", 9, 9, 1000))), gguf_of(("a", struct.pack("<IQ", 8, 1 << 60))),
        gguf_of(("a", struct.pack("<I", 99))), gguf_of(("llama.block_count", struct.pack("<II", 4, 10**9))),
        gguf_of(("general.architecture", struct.pack("<IQ", 8, 4) + b"evil")),
    ],
)  # fmt: skip
def test_a_damaged_gguf_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "evil.gguf"
    path.write_bytes(content)
    with pytest.raises(BadInput) as error:
        LocalModel(str(path), device="cpu")
    assert str(path) in tell(error)


@pytest.mark.parametrize("change", [to_zero, to_pipe])
def test_a_gguf_file_that_is_none_is_not_read(tmp_path: Path, change: Callable[[Path], None]) -> None:
    change(tmp_path / "evil.gguf")
    with pytest.raises(NotFound) as error:
        find_base(str(tmp_path / "evil.gguf"))
    tell(error)


SECONDS = 2  # for a template, in place of 5
LOOP = "{% for a in range(99999) %}" * 3 + "{% endfor %}" * 3
TEMPLATES = {
    "loops": (LOOP, "longer than 2 s"),
    "center": ("{{ 'a'.center(4000000000) }}" + CHATML, "MemoryError"),
    "repeat": ("{% set x = 'a' * 1000000000 %}{% set y = x * 20 %}" + CHATML, "MemoryError|longer than 2 s"),
    "list": ("{% set x = [0] * 4000000000 %}" + CHATML, "MemoryError"),
    "format": ("{{ '%04000000000d' % 1 }}" + CHATML, "MemoryError"),
    "indent": ("{{ messages[0].content | indent(4000000000, true) }}" + CHATML, "MemoryError"),
    "long": ("{{ 'a ' * 3000000 }}" + CHATML, "more than"),
    "recursion": ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "recursion"),
    "raises nothing": ("{{ raise_exception('') }}", "TemplateError"),
    "raises escapes": ("{{ raise_exception('\x1b[31mboo\n') }}", "boo"),
    "file": ("{% include '/etc/passwd' %}" + CHATML, "no loader"),
    "leaves out": ("hello", "leaves out"),
    "nested": ("{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}" + CHATML, "recursion|ends the process"),
}


@pytest.mark.parametrize("kind", TEMPLATES)
def test_a_template_has_little_time_and_memory(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr("bot.template_rendering.SECONDS", SECONDS)
    template, why = TEMPLATES[kind]
    folder = copy(base, tmp_path / "evil")
    (folder / "chat_template.jinja").write_text(template)
    with pytest.raises(BadInput, match=why) as error:
        ChatTemplate(folder).ids(TURNS)
    assert str(folder) in tell(error)


def test_a_template_that_hung_writes_the_next_conversation(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.template_rendering.SECONDS", SECONDS)
    folder = copy(base, tmp_path / "evil")
    (folder / "chat_template.jinja").write_text(
        "{% if 'beans' in messages[-1].content %}" + LOOP + "{% endif %}" + CHATML
    )
    template, sound = ChatTemplate(folder), ChatTemplate(base)
    with pytest.raises(BadInput, match="longer than"):
        template.ids(TURNS)
    other: Any = [{"role": "user", "content": "Which cup?"}]
    assert template.ids(other) == sound.ids(other)


def test_a_template_larger_than_any_is_not_read(base: Path, tmp_path: Path) -> None:
    folder = copy(base, tmp_path / "evil")
    (folder / "chat_template.jinja").write_text(CHATML + "{# " + "x" * (2 << 20) + " #}")
    with pytest.raises(BadInput, match="larger than 1 MiB"):
        ChatTemplate(folder)
