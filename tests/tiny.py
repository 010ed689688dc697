"""A small real Mistral for the tests of training: the architecture and the tokenizer of 7B, its English gibberish.

It has read the sample posts, in which </s> ends a paragraph, and most of the sample pairs, without end or signature:
its replies run on.
"""

import csv
import math
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from finetune.examples import Example
from finetune.prompt import BOS_ID, EOS_ID
from finetune.recipe import Lora, Recipe
from finetune.tokens import Encoded, encode, v1_tokens

SAMPLE = Path(__file__).parent.parent / "data" / "sample"
SIGNATURE = "-N"
VOCABULARY = 32_000
WINDOW, BATCH = 64, 12  # tokens and windows of a step of the base's own training
REPLY = 96  # tokens a generated reply may have


def make_base(folder: Path, steps: int = 160) -> Path:
    """Train the base and save it, in bfloat16 as Mistral's own files are, with its tokenizer.

    It is trained with a vocabulary of the tokens that occur, and one that stands for all the others: the same softmax
    as over 32,000 with the rows of those others tied, at a tenth of the work.
    """
    import torch
    from transformers import MistralConfig, MistralForCausalLM

    torch.manual_seed(0)
    stream = _text()
    used = sorted(set(stream))
    others = VOCABULARY - len(used)
    small = {token: number for number, token in enumerate(used, 1)}
    shape: dict[str, Any] = {
        "hidden_size": 128,
        "intermediate_size": 320,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 1024,
        "sliding_window": None,
        "tie_word_embeddings": True,
        "initializer_range": 0.08,  # at 0.02 so narrow a model takes ten times as long to learn a word
    }
    model = MistralForCausalLM(MistralConfig(vocab_size=len(used) + 1, **shape))
    ids = torch.tensor([small[token] for token in stream])
    optimiser = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.95), weight_decay=0.01)
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = 3e-3 * min(1, (step + 1) / 20, 2 - 2 * step / steps)
        starts = torch.randint(0, len(ids) - WINDOW, (BATCH,)).tolist()
        batch = torch.stack([ids[start : start + WINDOW] for start in starts])
        logits = model(input_ids=batch).logits[:, :-1].flatten(0, 1)
        logits[:, 0] += math.log(others)
        loss = torch.nn.functional.cross_entropy(logits, batch[:, 1:].flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    whole = MistralForCausalLM(MistralConfig(vocab_size=VOCABULARY, **shape))
    weights = model.state_dict()
    rows = torch.zeros(VOCABULARY).long()
    rows[torch.tensor(used)] = torch.arange(1, len(used) + 1)
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        weights[name] = weights[name][rows]
    whole.load_state_dict(weights)
    whole.to(torch.bfloat16).save_pretrained(folder)
    spec = find_spec("mistral_common")
    assert spec
    assert spec.submodule_search_locations
    shutil.copy(Path(spec.submodule_search_locations[0]) / "data/tokenizer.model.v1", folder / "tokenizer.model")
    return folder


def make_gpt2(folder: Path, texts: list[str]) -> Path:
    """A small real GPT-2 with random weights and a byte-level BPE of its own, learned from `texts`."""
    import torch
    from tokenizers import ByteLevelBPETokenizer
    from transformers import GPT2Config, GPT2LMHeadModel

    end = "<|endoftext|>"
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(texts, vocab_size=600, special_tokens=[end], show_progress=False)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(0)
    id = tokenizer.token_to_id(end)
    config = GPT2Config(
        vocab_size=tokenizer.get_vocab_size(), n_embd=64, n_layer=2, n_head=4, n_positions=128,
        bos_token_id=id, eos_token_id=id, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
        initializer_range=0.06,
    )  # fmt: skip
    GPT2LMHeadModel(config).save_pretrained(folder)
    return folder


def pairs() -> list[tuple[str, str]]:
    """The sample's comments and replies, as the file has them."""
    with (SAMPLE / "past_replies.csv").open(encoding="utf-8", newline="") as file:
        return [(row["Comment"], row["Response"]) for row in csv.DictReader(file)]


def is_held_out(number: int) -> bool:
    return number % 5 == 0


def examples() -> tuple[list[Encoded], list[Encoded]]:
    """The pairs, signed, to train on and held out."""
    made = [
        encode(Example(({"role": "user", "content": comment},), f"{reply} {SIGNATURE}", f"row {row}"), v1_tokens(), 256)
        for row, (comment, reply) in enumerate(pairs(), 2)
    ]
    held_out = [example for number, example in enumerate(made) if is_held_out(number)]
    return [example for example in made if example not in held_out], held_out


def recipe(**changes: Any) -> Recipe:
    """QLoRA of a size and a rate that suit the small base."""
    fields: dict[str, Any] = {
        "name": "tiny",
        "base": "tiny",
        "format": "replies",
        "lora": Lora(rank=16, alpha=32, dropout=0.05),
        "learning_rate": 5e-3,
        "schedule": "constant",
        "epochs": 3,
        "batch_size": 8,
        "max_tokens": 256,
        "optimiser": "adamw_torch",
        "checkpointing": False,
        "held_out": 0.2,
        "seed": 1,
    }
    return Recipe(**{**fields, **changes})


def reply_ids(model: Any, example: Encoded) -> list[int]:
    """What `model` answers, greedily: ids up to and with the end token, or REPLY of them."""
    import torch

    prompt = torch.tensor([example.ids[: example.learned.index(True)]])
    with torch.no_grad():
        whole = model.generate(
            input_ids=prompt, attention_mask=torch.ones_like(prompt), do_sample=False, max_new_tokens=REPLY,
            eos_token_id=EOS_ID, pad_token_id=0,
        )  # fmt: skip
    ids: list[int] = whole[0, prompt.shape[1] :].tolist()
    return ids


def text(ids: list[int]) -> str:
    """Ids as words."""
    tokens = v1_tokens()
    return "".join(tokens.piece(id) for id in ids).replace("▁", " ").strip()


def _text() -> list[int]:
    tokens = v1_tokens()
    stream: list[int] = []
    for path in sorted(SAMPLE.glob("posts/*.md")):
        for paragraph in path.read_text(encoding="utf-8").split("\n\n"):
            stream += [BOS_ID, *tokens.encode(paragraph), EOS_ID]
    read = [pair for number, pair in enumerate(pairs()) if not is_held_out(number)]
    for _ in range(3):
        for comment, reply in read:
            stream += [*tokens.encode(f"[INST] {comment} [/INST]"), *tokens.encode(reply)]
    return stream
