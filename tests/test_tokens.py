"""Token ids: those that are served, one start, an end that is learned, and nothing learned but the reply."""

import json
from pathlib import Path

import pytest

from data.errors import BadInput, Rejected
from data.persona import load_persona
from finetune.examples import Example
from finetune.prompt import messages, token_ids
from finetune.tokens import encode, encode_all, folder_tokens, v1_tokens

TOKENIZER = Path(__import__("mistral_common").__file__).parent / "data" / "tokenizer.model.v1"


@pytest.fixture(scope="module")
def persona():
    return load_persona("shawgpt")


@pytest.fixture
def mistral(tmp_path):
    (tmp_path / "tokenizer.model").write_bytes(TOKENIZER.read_bytes())
    return folder_tokens(tmp_path)


def byte_level(folder: Path, **config: object) -> Path:
    """A folder with a byte-level tokenizer as GPT-2 has it: tokenizer.json, an end token, nothing at the start."""
    from tokenizers import ByteLevelBPETokenizer

    folder.mkdir(exist_ok=True)
    model = ByteLevelBPETokenizer()
    model.train_from_iterator(
        ["Quote by somebody: be brief. Thanks, thanks"] * 9, 320, special_tokens=["<|endoftext|>"]
    )
    model.save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text(json.dumps(config or {"eos_token_id": 0}))
    return folder


def talk(persona, reply: str = "Thanks, glad it helped! -ShawGPT") -> Example:
    return Example(tuple(messages(persona, "Great video <3 [INST] </s>")), reply, "row 2")


def test_ids_are_those_that_are_served_and_then_the_reply(persona):
    example, tokens = talk(persona), v1_tokens()
    encoded = encode(example, tokens, 512)
    served = token_ids(list(example.prompt), tokens.encode)
    assert list(encoded.ids[: len(served)]) == served
    assert list(encoded.ids) == token_ids(
        [*example.prompt, {"role": "assistant", "content": example.reply}], tokens.encode
    )


def test_ids_equal_the_authoritys(persona):
    from mistral_common.protocol.instruct.messages import AssistantMessage, SystemMessage, UserMessage
    from mistral_common.protocol.instruct.request import ChatCompletionRequest
    from mistral_common.protocol.instruct.validator import ValidationMode
    from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

    example = talk(persona)
    kinds = {"system": SystemMessage, "user": UserMessage}
    said = [*(kinds[t["role"]](content=t["content"]) for t in example.prompt), AssistantMessage(content=example.reply)]
    v1 = MistralTokenizer.from_file(TOKENIZER, mode=ValidationMode.finetuning)
    expected = v1.encode_chat_completion(ChatCompletionRequest(messages=said)).tokens
    assert list(encode(example, v1_tokens(), 512).ids) == expected


def test_reply_and_its_end_are_learned_and_nothing_else(persona):
    tokens = v1_tokens()
    encoded = encode(talk(persona), tokens, 512)
    learned = [tokens.piece(id) for id, is_learned in zip(encoded.ids, encoded.learned, strict=True) if is_learned]
    assert "".join(learned) == "▁Thanks,▁glad▁it▁helped!▁-ShawGPT</s>"
    assert encoded.ids.count(tokens.bos) == 1
    assert encoded.ids[0] == tokens.bos


def test_ids_of_a_model_folder_are_those_of_the_tokenizer_that_comes_along(persona, mistral):
    assert encode(talk(persona), mistral, 512) == encode(talk(persona), v1_tokens(), 512)


def test_reply_that_does_not_fit_is_refused_and_never_cut(persona):
    example = talk(persona)
    needed = len(encode(example, v1_tokens(), 512).ids)
    assert len(encode(example, v1_tokens(), needed).ids) == needed
    with pytest.raises(Rejected, match=rf"^{needed} tokens \(prompt \d+, reply \d+\), and the window is {needed - 1}$"):
        encode(example, v1_tokens(), needed - 1)
    fitting, refused = encode_all([example, talk(persona, "Hi")], v1_tokens(), needed - 1)
    assert [e.learned.count(True) for e in fitting] == [2]
    assert [origin for origin, _ in refused] == ["row 2"]


def test_long_conversation_loses_its_earliest_turns_and_says_so(persona):
    turns = tuple(messages(persona, "the last", examples=[("first " * 40, "a"), ("second", "b")]))
    whole = encode(Example(turns, "reply", ""), v1_tokens(), 1024)
    assert not whole.cut
    shorter = encode(Example(turns, "reply", ""), v1_tokens(), len(whole.ids) - 1)
    assert shorter.cut
    kept = (turns[0], *turns[3:])
    assert shorter.ids == encode(Example(kept, "reply", ""), v1_tokens(), 1024).ids


def test_plain_text_has_one_space_before_the_reply_whatever_the_tokenizer(tmp_path, mistral):
    example = Example("Quote by somebody:", "Thanks, be brief.", "line 1")
    for tokens, start, end in (
        (mistral, "<s>", "</s>"),
        (folder_tokens(byte_level(tmp_path / "b")), "", "<|endoftext|>"),
    ):
        encoded = encode(example, tokens, 64)
        shown = "".join(tokens.piece(id) for id in encoded.ids)
        assert shown.removeprefix(start).lstrip("▁") == f"Quote▁by▁somebody:▁Thanks,▁be▁brief.{end}"
        prompt = [*([tokens.bos] if tokens.bos is not None else []), *tokens.encode(example.prompt)]
        assert list(encoded.ids[: len(prompt)]) == prompt
        assert encoded.learned == (False,) * len(prompt) + (True,) * (len(encoded.ids) - len(prompt))


def test_special_tokens_in_a_text_are_text(tmp_path, mistral):
    gpt2 = folder_tokens(byte_level(tmp_path / "b"))
    assert gpt2.eos not in gpt2.encode("so <|endoftext|> it goes")
    assert mistral.eos not in mistral.encode("so </s> it goes")


def test_pieces_are_readable(tmp_path):
    tokens = folder_tokens(byte_level(tmp_path / "b"))
    assert "".join(tokens.piece(id) for id in tokens.encode(" brief")) == "▁brief"
    assert [tokens.piece(id) for id in tokens.encode("日")] == ["<0xE6>", "<0x97>", "<0xA5>"]


def test_conversation_on_a_base_of_another_kind_is_refused(tmp_path, persona):
    with pytest.raises(BadInput, match="format: completion"):
        encode(talk(persona), folder_tokens(byte_level(tmp_path / "b")), 512)


def test_end_token_is_the_folders_own(tmp_path):
    assert folder_tokens(byte_level(tmp_path / "one", eos_token_id=[7, 8])).eos == 7
    folder = byte_level(tmp_path / "two", hidden_size=4)
    with pytest.raises(BadInput, match="eos_token_id"):
        folder_tokens(folder)
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": {"content": "<|endoftext|>"}}))
    assert folder_tokens(folder).eos == 0


def test_folder_without_a_tokenizer_or_with_a_broken_one_is_told(tmp_path):
    with pytest.raises(BadInput, match="has no tokenizer"):
        folder_tokens(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(BadInput, match="can't be read"):
        folder_tokens(tmp_path)
    (tmp_path / "tokenizer.model").write_bytes(b"no model")
    with pytest.raises(BadInput, match="can't be read"):
        folder_tokens(tmp_path)
