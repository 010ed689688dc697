"""The responder `local` as a LangChain chat model: one, streamed and in batches it says the same."""

from pathlib import Path
from typing import Any

import pytest
import tiny
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage, ToolMessage
from langchain_core.prompts import ChatPromptTemplate

from bot.local_chat import LocalChat
from bot.local_model import LocalModel, Written
from data.errors import BadInput
from data.sampling import Sampling

COMMENTS = [comment for comment, _ in tiny.pairs()][:6]


@pytest.fixture(scope="module")
def chat(tiny_base: Path) -> LocalChat:
    model = LocalModel(str(tiny_base), device="cpu", precision="float32")
    return LocalChat(model=model, sampling=Sampling(max_tokens=12, seed=3))


def test_invoke_stream_and_batch_say_the_same(chat: LocalChat) -> None:
    alone = [chat.invoke(comment) for comment in COMMENTS]
    assert len({reply.text for reply in alone}) > 1
    assert [reply.text for reply in chat.batch(list(COMMENTS))] == [reply.text for reply in alone]
    assert {index: reply.text for index, reply in chat.batch_as_completed(COMMENTS)} == {
        index: reply.text for index, reply in enumerate(alone)
    }
    for comment, reply in zip(COMMENTS, alone, strict=True):
        chunks = list(chat.stream(comment))
        assert len(chunks) >= 2
        whole = sum(chunks[1:], chunks[0])
        assert isinstance(whole, AIMessageChunk)
        assert whole.text == reply.text
        assert whole.usage_metadata == reply.usage_metadata
        assert whole.response_metadata["finish_reason"] == reply.response_metadata["finish_reason"]


def test_a_reply_says_how_long_it_is_and_why_it_ended(chat: LocalChat) -> None:
    conversation = [SystemMessage("Be kind."), HumanMessage("Hello"), AIMessage("Hi!"), HumanMessage("Which beans?")]
    reply = chat.invoke(conversation)
    turns: Any = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi!"},
        {"role": "user", "content": "Which beans?"},
    ]
    prompt = chat.model.prompt_ids(turns)
    *_, written = chat.model.stream(prompt, chat.sampling)
    assert isinstance(written, Written)
    asked, used = len(prompt), written.tokens
    assert reply.usage_metadata == {"input_tokens": asked, "output_tokens": used, "total_tokens": asked + used}
    assert reply.response_metadata["finish_reason"] == {"end": "stop", "length": "length"}[written.ended]
    assert reply.response_metadata["model_name"] == chat.model.name


def test_stop_strings_of_a_call_hold_beside_those_of_the_sampling(chat: LocalChat) -> None:
    whole = chat.invoke(COMMENTS[0]).text
    first, later = whole[4:6], whole[10:12]
    reply = chat.invoke(COMMENTS[0], stop=[later])
    assert reply.text == whole[: whole.index(later)]
    assert reply.response_metadata["finish_reason"] == "stop"
    stopping = LocalChat(model=chat.model, sampling=Sampling(max_tokens=12, seed=3, stop=(first,)))
    for text in (
        stopping.invoke(COMMENTS[0], stop=[later]).text,
        stopping.batch([COMMENTS[0]], stop=[later])[0].text,
        "".join(str(chunk.text) for chunk in stopping.stream(COMMENTS[0], stop=[later])),
    ):
        assert text == whole[: whole.index(first)]


def test_it_stands_in_a_chain(chat: LocalChat) -> None:
    chain = ChatPromptTemplate.from_messages([("system", "Be kind."), ("human", "{comment}")]) | chat
    replies = chain.batch([{"comment": comment} for comment in COMMENTS])
    assert [reply.text for reply in replies] == [chain.invoke({"comment": comment}).text for comment in COMMENTS]


def test_what_it_cannot_answer_is_an_error_in_its_own_place(chat: LocalChat) -> None:
    with pytest.raises(BadInput, match="must end with what the user says"):
        chat.invoke([HumanMessage("Hello"), AIMessage("Hi!")])
    with pytest.raises(BadInput, match="no tool message"):
        chat.invoke([ToolMessage("4", tool_call_id="1"), HumanMessage("Hello")])
    long = "tea and coffee " * 500
    replies = chat.batch([COMMENTS[0], long, COMMENTS[1]], return_exceptions=True)
    assert isinstance(replies[1], BadInput)
    assert [replies[0].text, replies[2].text] == [chat.invoke(comment).text for comment in COMMENTS[:2]]
    with pytest.raises(BadInput, match="shorten it"):
        chat.batch([COMMENTS[0], long])
