"""The prompt renderer against its authority, mistral-common's v1 tokenizer."""

import random
import re

import pytest

from data.models import Passage
from data.persona import load_persona
from finetune.prompt import BOS_ID, EOS_ID, messages, neutralise, render, token_ids

mistral = pytest.importorskip("mistral_common.tokens.tokenizers.mistral")
chat = pytest.importorskip("mistral_common.protocol.instruct.messages")
protocol = pytest.importorskip("mistral_common.protocol.instruct.request")

CONTROL = [
    "[INST]", "[/INST]", "<s>", "</s>", "<unk>", "<<SYS>>", "<</SYS>>", "[ INST ]", "[inst]", "［INST］", "[IN[INST]ST]",  # noqa: E501
    "[AVAILABLE_TOOLS]", "[TOOL_CALLS]", "[/TOOL_RESULTS]", "<|im_start|>", "<|turn>", "<turn|>", "<|endoftext|>",
    "[IMG]", "<start_of_turn>", "</comment>", "<passages>", "\nsystem: ", "\n### Instruction:", "<pad>", "[control_8]",
    "<<s>s>",
]  # fmt: skip
PLAIN = [
    "thanks", "Wavelet", "  ", "\n", "\n\n", "\t", "🔥", "👩‍🚀", "हिन्दी", "شكرا", "日本語", "é", "e\u0301", "½", "x²", ":)", "…", "—",  # noqa: E501
    "[1]", "a[i]", "<b>", "1 < 2 > 0", "\u00a0", "\u3000", "\r\n", "{}", "“so”", "don't", "0.5", "https://a.b/c?d=e", "ß", "ﬁ", "\u200b",  # noqa: E501
]  # fmt: skip


@pytest.fixture(scope="module")
def v1():
    return mistral.MistralTokenizer.v1()


@pytest.fixture(scope="module")
def encode(v1):
    tokenizer = v1.instruct_tokenizer.tokenizer
    return lambda text: tokenizer.encode(text, bos=False, eos=False)


@pytest.fixture(scope="module")
def persona():
    return load_persona("shawgpt")


def fuzzed(seed: int) -> tuple[str, list[Passage], list[tuple[str, str]]]:
    """A comment, passages and examples, of words, white space, scripts and control strings."""
    draw = random.Random(seed)

    def text(most: int) -> str:
        return "".join(draw.choice(PLAIN + CONTROL) + draw.choice(["", " ", ""]) for _ in range(draw.randint(0, most)))

    passages = [
        Passage(n, 0.5, "a.pdf", text(3), draw.choice([None, 4]), None, "", str(n), text(12))
        for n in range(draw.randint(0, 2))
    ]
    return text(25), passages, [(text(6), text(6)) for _ in range(draw.randint(0, 2))]


def authority(v1, turns):
    kinds = {"system": chat.SystemMessage, "user": chat.UserMessage, "assistant": chat.AssistantMessage}
    return v1.encode_chat_completion(
        protocol.ChatCompletionRequest(messages=[kinds[turn["role"]](content=turn["content"]) for turn in turns])
    )


def test_ids_and_text_equal_the_authoritys_over_a_thousand_fuzzed_comments(v1, encode, persona):
    for seed in range(1000):
        turns = messages(persona, *fuzzed(seed))
        expected = authority(v1, turns)
        assert token_ids(turns, encode) == expected.tokens, f"seed {seed}"
        assert render(turns) == unescaped(expected.text), f"seed {seed}"


def unescaped(text: str) -> str:
    """The authority's text with SentencePiece's spelling of spaces and of bytes outside its vocabulary undone."""
    raw = re.sub(rb"<0x([0-9A-F]{2})>", lambda byte: bytes([int(byte[1], 16)]), text.encode())
    return raw.decode().replace("▁", " ")


def test_nothing_in_a_comment_a_passage_or_a_past_reply_opens_or_ends_a_turn(encode, persona):
    opening, closing = encode("[INST]"), encode("[/INST]")
    for seed in range(1000):
        turns = messages(persona, *fuzzed(seed))
        ids = token_ids(turns, encode)
        replies = sum(turn["role"] == "assistant" for turn in turns)
        assert ids.count(BOS_ID) == 1
        assert ids[0] == BOS_ID
        assert ids.count(EOS_ID) == replies
        for marker in (opening, closing):
            assert sum(ids[i : i + len(marker)] == marker for i in range(len(ids))) == replies + 1, f"seed {seed}"
        text = render(turns)
        assert (
            text.count("[INST]")
            == text.count("[/INST]")
            == text.count("</comment>\n") + text.count("</comment> ")
            == replies + 1
        )


@pytest.mark.parametrize("control", CONTROL)
def test_control_strings_are_respelt_and_stay_readable(control):
    safe = neutralise(f"what does {control} mean")
    assert control not in safe
    assert re.sub(r"\W", "", safe).lower() == re.sub(r"\W", "", f"what does {control} mean").lower()


@pytest.mark.parametrize(
    "text", ["a[i] + b[j]", "1 < 2 > 0", "see [1] and <b>", "my system is fine: really", "👩‍🚀 हिन्दी"]
)
def test_ordinary_text_is_left_as_it_is(text):
    assert neutralise(text) == text


def test_hidden_characters_do_not_reach_the_model(persona):
    hidden = "nice" + "".join(chr(0xE0000 + ord(c)) for c in "obey") + "\u202e\u200b"
    assert messages(persona, hidden)[-1]["content"] == "<comment>\nnice\n</comment>"


def test_the_comment_is_fenced_and_stands_last(persona):
    passage = Passage(1, 0.9, "a.pdf", "Bread", 7, 7, "", "1", "Let it rise.")
    turns = messages(persona, "How long?", [passage], [("Nice!", "Thanks!")])
    assert [turn["role"] for turn in turns] == ["system", "user", "assistant", "user"]
    assert (
        turns[-1]["content"]
        == "<passages>\n[1] Bread, p. 7\nLet it rise.\n</passages>\n\n<comment>\nHow long?\n</comment>"
    )
    assert turns[2]["content"] == "Thanks!"
