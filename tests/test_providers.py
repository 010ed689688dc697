"""Providers' models: what is asked of a server that speaks their protocols, what it may know, and how it may fail."""

import csv
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import Result
from provider_server import READ, WRITTEN, ProviderServer
from typer.testing import CliRunner

from bot.assistant import Assistant
from bot.cli import app as cli
from bot.provider_chat import ProviderChat, make_provider_chat
from bot.providers import KINDS, Provider
from bot.reply import reply_to_csv
from bot.responders import Asked
from bot.sql.schema import from_script
from bot.sql.write import ChatWriter
from data.calls import Calls
from data.errors import BadInput, NotFound, ProviderFailed, ProviderRefused
from data.sampling import Sampling

KEY = "sk-planted-Zx81qwTT0aBc9"
TURNS = [("system", "Answer kindly."), ("human", "When do you post?")]
PATHS = {"openai": "/v1", "anthropic": "", "mistralai": "/v1", "ollama": ""}
POST = "# Drying pots\n\nA pot dries for three days before the first firing. Never dry it in the sun.\n"
COMMENTS = "id,Comment\n1,Thank you so much!\n2,How long does a pot dry?\n3,Loved this one :)\n4,You are a fraud\n"


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in KINDS.values():
        for name in (kind.key, *kind.others):
            monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[ProviderServer]:
    made = ProviderServer()
    yield made
    made.close()


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def chat(server: ProviderServer, told: list[str]) -> Callable[..., ProviderChat]:
    def make(kind: str = "openai", sampling: Sampling = Sampling(), **calls: object) -> ProviderChat:  # noqa: B008
        calls = {"timeout": 30, **calls}
        provider = Provider(kind, "m-1", server.address + PATHS[kind], True, Calls.model_validate(calls))
        return make_provider_chat(provider, sampling, told.append)

    return make


def settings(body: dict) -> dict:
    """What a request says of sampling."""
    about = ("model", "messages", "stream", "stream_options", "system", "tools")
    return {name: value for name, value in (body.get("options") or body).items() if name not in about}


@pytest.mark.parametrize(
    ("kind", "header", "named"),
    [
        ("openai", "authorization", {"max_tokens": 40, "seed": 7, "top_p": 0.5, "frequency_penalty": 0.5}),
        ("anthropic", "x-api-key", {"max_tokens": 40, "top_p": 0.5}),
        ("mistralai", "authorization", {"max_tokens": 40, "random_seed": 7, "top_p": 0.5, "frequency_penalty": 0.5}),
        ("ollama", "authorization", {"num_predict": 40, "seed": 7, "top_p": 0.5}),
    ],
)
def test_each_provider_is_asked_in_its_own_words_whole_and_streamed(
    server, chat, told, monkeypatch, kind, header, named
):
    monkeypatch.setenv(KINDS[kind].key, KEY)
    sampling = Sampling(temperature=0.3, top_p=0.5, max_tokens=40, seed=7, stop=("STOP",), frequency_penalty=0.5)
    model = chat(kind, sampling)
    whole = model.invoke(TURNS)
    pieces = list(model.stream(TURNS))
    assert whole.text == "".join(str(piece.text) for piece in pieces) == "You are welcome."
    for counted in (whole.usage_metadata, next(piece.usage_metadata for piece in pieces if piece.usage_metadata)):
        assert (counted["input_tokens"], counted["output_tokens"]) == (READ, WRITTEN)
    assert pieces[-1].response_metadata["finish_reason"] == whole.response_metadata["finish_reason"] == "stop"
    stop = {"stop_sequences" if kind == "anthropic" else "stop": ["STOP"]}
    for asked in server.asked:
        assert settings(asked.body) == {"temperature": 0.3, **named, **stop}
        assert [name for name, value in asked.headers.items() if KEY in value] == [header]
        said = json.dumps(asked.body)
        assert said.index("Answer kindly.") > 0
        assert "When do you post?" in said
    left_out = {"anthropic": {"frequency_penalty", "seed"}, "ollama": {"frequency_penalty"}}.get(kind, set())
    assert {line.split()[3].rstrip(":") for line in told} == left_out
    assert KEY not in repr(model) + repr(model.inner) + str(model.inner.__dict__)


def test_server_that_asks_to_wait_is_asked_again_no_sooner(server, chat):
    server.script.append("429 retry-after: 1")
    assert chat().invoke(TURNS).text == "You are welcome."
    first, second = server.asked
    assert second.at - first.at >= 1


def test_what_may_pass_is_tried_again_and_the_batch_is_whole(server, chat):
    server.script.extend(["500", "503 busy", "cut", "garbage", "unlike", "429"])
    replies = list(chat(together=6).batch_as_completed([TURNS] * 6))
    assert sorted(number for number, _ in replies) == list(range(6))
    assert {reply.text for _, reply in replies} == {"You are welcome."}
    assert len(server.asked) == 12


@pytest.mark.parametrize("how", ["hang", "drip"])
def test_reply_that_never_comes_is_given_up_after_a_second_try(server, chat, how):
    server.script.extend([how] * 4)
    with pytest.raises(ProviderFailed, match=r"took longer than 0\.3 s, tried 2 times"):
        chat(timeout=0.3).invoke(TURNS)
    assert len(server.asked) == 2


def test_tries_end_with_the_reason(server, chat):
    server.script.extend(["500 retry-after: 0"] * 5)
    with pytest.raises(ProviderFailed, match=r"answered 500.*, tried 3 times"):
        chat(retries=2).invoke(TURNS)
    assert len(server.asked) == 3


@pytest.mark.parametrize("kind", ["openai", "anthropic", "mistralai", "ollama"])
def test_stream_that_is_cut_off_is_no_reply_and_not_begun_again(server, chat, kind, monkeypatch):
    monkeypatch.setenv(KINDS[kind].key, KEY)
    server.script.append("cut")
    server.words = ["One ", "two ", "three ", "four."]
    heard = map(str, (piece.text for piece in chat(kind).stream(TURNS)))
    assert (next(heard), next(heard)) == ("One ", "two ") or kind == "anthropic"  # which begins with nothing
    with pytest.raises(ProviderFailed, match="broke off in the middle"):
        list(heard)
    assert len(server.asked) == 1


def test_stream_that_has_not_begun_is_tried_again(server, chat):
    server.script.extend(["503 retry-after: 0", "garbage"])
    assert "".join(str(piece.text) for piece in chat().stream(TURNS)) == "You are welcome."
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("401 Incorrect API key provided: sk-pl***aBc9", "refuses the key in OPENAI_API_KEY"),
        ("403 no", "refuses the key in OPENAI_API_KEY"),
        ("404 The model does not exist", "has no model 'm-1'"),
        ("400 Server is pinned to 'a'; requested 'm-1'.", "has no model 'm-1'"),
        ("402 pay", "wants to be paid first"),
        ("429 insufficient_quota: you ran out", "wants to be paid first"),
        ("redirect http://127.0.0.1:1/elsewhere", "leads elsewhere"),
        ("429 retry-after: 3600", "asks to wait 3600 s"),
    ],
)
def test_what_no_request_would_get_past_is_told_at_the_first(server, chat, monkeypatch, step, said):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server.script.append(step)
    with pytest.raises(ProviderRefused, match=said) as raised:
        chat().invoke(TURNS)
    assert len(server.asked) == 1
    assert "sk-pl" not in str(raised.value)
    assert "aBc9" not in str(raised.value)


def test_server_that_is_not_there_is_told_after_the_tries(chat, server):
    server.close()
    with pytest.raises(ProviderRefused, match=r"can't be reached .*refused.*tried 2 times"):
        chat(retries=1).invoke(TURNS)


def test_request_that_is_refused_for_itself_fails_alone(server, chat):
    server.script.append("400 this prompt was flagged")
    with pytest.raises(ProviderFailed, match="flagged"):
        chat().invoke(TURNS)
    assert chat().invoke(TURNS).text
    assert len(server.asked) == 2


def test_many_failures_in_a_row_end_it(server, chat):
    server.script.extend(["400 no"] * 25)
    replies = chat(together=1).batch_as_completed([TURNS] * 25, return_exceptions=True)
    assert [type(next(replies)[1]) for _ in range(19)] == [ProviderFailed] * 19
    with pytest.raises(ProviderRefused, match="20 requests in a row failed"):
        next(replies)


def test_setting_that_a_model_refuses_is_left_out_from_then_on_and_told_once(server, chat, told):
    server.script.extend(["surplus temperature", "surplus top_p"])
    model = chat()
    model.invoke(TURNS)
    model.invoke(TURNS)
    assert len(server.asked) == 4
    assert "temperature" not in server.asked[-1].body
    assert "top_p" not in server.asked[-1].body
    assert told == ["m-1 takes no temperature: it is left out", "m-1 takes no top_p: it is left out"]


def test_setting_is_kept_where_leaving_it_out_does_not_help(server, chat, told):
    server.script.extend(["400 no stop here, nor seed"] * 3)
    model = chat(sampling=Sampling(stop=("STOP",)))
    with pytest.raises(ProviderFailed):
        model.invoke(TURNS)
    model.invoke(TURNS)
    assert (server.asked[-1].body["seed"], server.asked[-1].body["stop"], told) == (42, ["STOP"], [])


def test_server_that_repeats_the_key_is_not_quoted_with_it(server, chat, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server.script.extend(["400 you sent KEY, or was it " + KEY[3:12] + "…"])
    with pytest.raises(ProviderFailed, match="you sent") as raised:
        chat().invoke(TURNS)
    for start in range(len(KEY) - 6):
        assert KEY[start : start + 6] not in str(raised.value)


def test_no_more_are_asked_together_than_was_said(server, chat):
    server.together = threading.Barrier(3)  # fewer than three at once would wait for ever
    replies = list(chat(together=3).batch_as_completed([TURNS] * 9))
    assert (len(replies), server.most_at_work) == (9, 3)


def test_requests_are_spread_over_the_minute(server, chat):
    model = chat(per_minute=300)
    for _ in range(3):
        model.invoke(TURNS)
    times = [asked.at for asked in server.asked]
    assert times[2] - times[0] >= 0.2


def test_what_comes_packed_or_without_end_is_refused(server, chat):
    server.words = ["long " * 40_000] * 50
    with pytest.raises(ProviderFailed, match="longer than 8 MiB"):
        chat().invoke(TURNS)
    server.script.append("packed")
    with pytest.raises(ProviderFailed, match="a packed reply"):
        chat().invoke(TURNS)


# -- who may be asked, and what it is shown


@pytest.fixture
def desk(assistant: Assistant, write: Callable[[str, str], str]) -> Callable[..., Assistant]:
    """The assistant with a post, as a persona of those fields, asked for that."""
    assistant.ingest([write("pots.md", POST)], "default")

    def use(asked: Asked = Asked(), **fields: object) -> Assistant:  # noqa: B008
        persona = {"name": "Pia", "instructions": "Answer kindly.", "signature": "-Pia", **fields}
        path = assistant.folder.path / "personas" / "pia.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump(persona), "utf-8")
        assistant.use("pia", asked)
        return assistant

    return use


def test_answer_of_a_provider_is_compared_with_the_documents_and_counted(server, desk):
    server.words = ["A pot dries for three days ", "before the first firing. ", "The moon is made of cheese."]
    asked = Asked("openai:m-1", base_url=server.address + "/v1", calls=("price_in=2", "price_out=10"))
    answer = desk(asked).answer("How long does a pot dry?")
    assert answer.status == "answered"
    assert [bool(sentence.support) for sentence in answer.sentences] == [True, False]
    said = answer.as_json()
    assert said["responder"] == "openai:m-1"
    cost = round((READ * 2 + WRITTEN * 10) / 1e6, 6)
    assert said["usage"] == {"input_tokens": READ, "output_tokens": WRITTEN, "cost": cost, "currency": "USD"}


def test_answer_that_fails_says_so_and_is_no_answer(server, desk):
    server.script.append("cut")
    answer = desk(Asked("openai:m-1", base_url=server.address + "/v1")).answer("How long does a pot dry?")
    assert (answer.status, answer.sentences) == ("failed", ())
    assert "broke off" in answer.reason


def test_key_is_not_shown_to_an_address_that_only_a_file_names(server, desk, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    own = server.address + "/v1"
    desk(responder="openai:m-1", base_url=own).draft("Thank you so much!")
    desk(Asked(base_url=own), responder="openai:m-1", base_url="http://127.0.0.1:1/v1").draft("Thank you so much!")
    monkeypatch.setenv("OPENAI_BASE_URL", own)
    desk(responder="openai:m-1").draft("Thank you so much!")
    assert [asked.headers.get("authorization") for asked in server.asked] == [None, f"Bearer {KEY}", f"Bearer {KEY}"]


def test_file_cannot_send_text_to_another_computer(desk):
    with pytest.raises(BadInput, match=r"would send comments and passages to https://evil\.example/v1"):
        desk(responder="openai:m-1", base_url="https://evil.example/v1")
    made = desk(Asked(base_url="https://evil.example/v1"), responder="openai:m-1", base_url="https://evil.example/v1")
    assert made.writing.sent_to == "https://evil.example/v1"
    assert desk(responder="openai:m-1", base_url="http://[::1]:8000/v1").writing.sent_to == ""


@pytest.mark.parametrize(
    "name",
    ["http://127.0.0.1.evil.example/v1", "http://localhost.evil.example", "http://0.0.0.0/v1", "http://2130706433"],
)
def test_what_only_looks_like_this_computer_is_another(desk, name):
    with pytest.raises(BadInput, match="would send"):
        desk(responder="openai:m-1", base_url=name)


def test_comments_that_are_the_creators_never_reach_a_provider(server, desk):
    made = desk(Asked("openai:m-1", base_url=server.address + "/v1"))
    assert made.draft("You are a fraud and your videos are rubbish").status == "needs_you"
    assert server.asked == []


def test_what_a_model_thought_first_is_not_in_the_reply(server, desk):
    server.words = ["<think>They thank me.\nSo I am polite.</think>\n\n", "You're very welcome!"]
    draft = desk(Asked("openai:m-1", base_url=server.address + "/v1")).draft("Thank you so much!")
    assert draft.reply == "You're very welcome! -Pia"


@pytest.mark.parametrize(
    ("asked", "error", "said"),
    [
        (Asked("gemini:m-1"), NotFound, "known: openai, anthropic, mistralai, ollama"),
        (Asked("gpt-5"), NotFound, "known: extractive, local, openai:MODEL"),
        (Asked("openai"), BadInput, "openai:MODEL"),
        (Asked("openai:"), BadInput, "openai:MODEL"),
        (Asked("openai:m\u202e1"), BadInput, "openai:MODEL"),
        (Asked("openai:m-1", model="folder"), BadInput, "--model is for a model on this computer"),
        (Asked("openai:m-1", adapter="nell"), BadInput, "--adapter is for a model on this computer"),
        (Asked("extractive", base_url="http://127.0.0.1/v1"), BadInput, "--base-url is for a provider"),
        (Asked(calls=("retries=1",)), BadInput, "--calls is for a provider"),
        (Asked("openai:m-1", calls=("patience=1",)), BadInput, "KEY is one of timeout, retries"),
        (Asked("openai:m-1", calls=("timeout=0",)), BadInput, "--calls timeout: must be above 0"),
        (Asked("openai:m-1", calls=("price_in=1",)), BadInput, "price_in and price_out go together"),
        (Asked("openai:m-1", base_url="ftp://127.0.0.1"), BadInput, "give an address such as"),
        (Asked("openai:m-1", base_url="http://:80"), BadInput, "give an address such as"),
        (Asked("openai:m-1", base_url="http://h:99999"), BadInput, "give an address such as"),
        (Asked("openai:m-1", base_url="http://me:sk-1@h/v1"), BadInput, "no place in an address"),
        (Asked("openai:m-1", base_url="http://h/v1?key=1"), BadInput, "ends before"),
        (Asked("anthropic:m-1", sampling=("temperature=1.5",)), BadInput, "anthropic takes 1 at most"),
    ],
)  # fmt: skip
def test_what_does_not_fit_a_provider_is_told_before_anything_is_asked(desk, asked, error, said):
    with pytest.raises(error, match=said):
        desk(asked)


def test_missing_key_and_package_are_told_with_what_to_do(desk, monkeypatch):
    with pytest.raises(BadInput, match="set OPENAI_API_KEY in the environment"):
        _ = desk(Asked("openai:m-1")).chat
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1\nsk-2")
    with pytest.raises(BadInput, match="OPENAI_API_KEY holds what no key has"):
        _ = desk(Asked("openai:m-1")).chat
    monkeypatch.setitem(sys.modules, "langchain_mistralai", None)
    with pytest.raises(BadInput, match=r"pip install 'shawgpt\[mistralai\]'"):
        _ = desk(Asked("mistralai:m-1")).chat


# -- batches


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_row_that_fails_is_named_and_the_others_go_on_in_their_order(server, desk, write, tmp_path):
    comments = Path(write("comments.csv", "Comment\n" + "Thank you so much!\n" * 12))
    server.words = ["Thank you so much!"]
    server.script.extend(["400 this one is flagged", "429 retry-after: 0", "answer", "500 retry-after: 0"])
    made = desk(Asked("openai:m-1", base_url=server.address + "/v1", calls=("together=4",)))
    output = tmp_path / "replies.csv"
    together = made.responder.together
    state = reply_to_csv(comments, output, made.drafts, made.writing.written_by, together=lambda: together)
    assert state.counts == {"failed": 1, "drafted": 11}
    (failed,) = (row for row in rows(output) if row["status"] == "failed")
    assert "refuses this request (400) (this one is flagged)" in failed["flags"]
    assert {row["responder"] for row in rows(output)} == {"openai:m-1"}
    assert len(server.asked) == 14
    assert made.usage.input_tokens == 11 * READ


def test_refused_key_ends_the_run_at_once_and_the_same_command_goes_on(server, desk, write, tmp_path):
    comments = Path(write("comments.csv", "Comment\n" + "Thank you so much!\n" * 40))
    made = desk(Asked("openai:m-1", base_url=server.address + "/v1", calls=("together=1",)))
    server.words = ["Thank you so much!"]
    server.script.extend(["answer"] * 6 + ["401"])
    output = tmp_path / "replies.csv"

    def run() -> None:
        drafts, together = made.drafts, made.responder.together
        reply_to_csv(comments, output, drafts, made.writing.written_by, together=lambda: together)

    with pytest.raises(ProviderRefused, match=r"wants a key.*\(6 of 40 rows are drafted; the same command goes on"):
        run()
    assert len(server.asked) == 7
    assert len(rows(output)) == 6
    run()
    assert [row["status"] for row in rows(output)] == ["drafted"] * 40
    assert len(server.asked) == 41


# -- the command line


def test_chat_with_a_server_of_ones_own_goes_on_after_a_failure_and_ends_with_it(server, desk, monkeypatch):
    assistant = desk()
    monkeypatch.setattr("data.embedding.load_embedder", lambda: assistant.embedder)
    assistant.folder.unlock()
    server.words = ["A pot dries for three days before the first firing."]
    server.script.extend(["400", "answer"])
    writer = ["--responder", "openai:m-1", "--base-url", server.address + "/v1", "--calls", "together=1"]
    question = "How long does a pot dry?\n"

    def chat_about(said: str) -> Result:
        return CliRunner().invoke(
            cli,
            ["--home", str(assistant.folder.path), "chat", "--persona", "pia", "--json", *writer],
            input=said,
        )

    done = chat_about(question * 2)
    assert [json.loads(line)["status"] for line in done.stdout.splitlines()] == ["failed", "answered"]
    assert done.exit_code == 1
    server.script.extend(["answer", "401"])
    broken_off = chat_about(question * 2)
    assert isinstance(broken_off.exception, ProviderRefused)
    assert f"--session {json.loads(broken_off.stdout)['session']}" in broken_off.stderr


@pytest.fixture
def shawgpt(tmp_path: Path, server: ProviderServer) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a command with a key in the environment, and tracing switched on as for another program."""
    tracing = {"LANGSMITH_TRACING": "true", "LANGCHAIN_TRACING_V2": "true", "LANGSMITH_API_KEY": "lsv2_pt_1",
               "LANGSMITH_ENDPOINT": server.address + "/langsmith", "LANGSMITH_GATEWAY": server.address}  # fmt: skip
    ours = {"OPENAI_API_KEY": KEY, "NO_COLOR": "1", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    environment = {**os.environ, **tracing, **ours}

    def run(*args: object, code: int = 0) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", "from bot.cli import main; main()", "--home", "home", *map(str, args)]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        return done

    return run


@pytest.mark.timeout(240)  # three commands, each of which loads what it needs
def test_query_that_gets_no_reply_fails_alone(server, chat):
    writer, schema = ChatWriter(chat()), from_script("CREATE TABLE boat (name TEXT)")
    server.words = ["SELECT count(*) FROM boat"]
    server.script.append("400 not today")
    failed = writer.write("How many boats?", schema)
    assert (failed.status, failed.sql) == ("failed", "")
    assert "not today" in failed.reason
    assert writer.write("How many boats?", schema).sql == "SELECT count(*) FROM boat"


def test_command_tells_what_was_used_and_leaves_the_key_nowhere(server, desk, shawgpt, write, tmp_path):
    desk()
    write("comments.csv", COMMENTS)
    write("questions.txt", "How long does a pot dry?\n" * 3)
    server.words = ["A pot dries for three days before the first firing."]
    writer = ("--responder", "openai:m-1", "--base-url", server.address + "/v1", "--calls", "together=1")
    server.script.extend(["500 retry-after: 0", "400 you sent KEY"])
    reply = shawgpt("reply", "comments.csv", "-o", "replies.csv", *writer, "--json", code=1)
    said = json.loads(reply.stdout)
    assert (said["rows"], said["counts"]["failed"]) == (4, 1)
    assert said["usage"] == {"input_tokens": 2 * READ, "output_tokens": 2 * WRITTEN, "cost": None, "currency": None}
    server.script.extend(["answer", "400 KEY", "401 Incorrect API key provided: KEY"])
    ask = shawgpt("ask", "--questions", "questions.txt", *writer, code=2)
    assert [json.loads(line)["status"] for line in ask.stdout.splitlines()] == ["answered", "failed"]
    assert "refuses the key in OPENAI_API_KEY (401)" in ask.stderr
    prices = ("--calls", "price_in=1", "--calls", "price_out=1", "--calls", "currency=EUR")
    shown = shawgpt("ask", "How long does a pot dry?", *writer, *prices)
    assert "responder: openai:m-1; 100 tokens read, 10 written, 0.0001 EUR" in shown.stdout
    assert not [text for run in (reply, ask, shown) for text in (run.stdout, run.stderr) if KEY in text]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert tmp_path / "home" / "shawgpt.sqlite3" in files
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []
    assert {asked.path for asked in server.asked} == {"/v1/chat/completions"}  # and none of LangSmith's
    assert {asked.headers["authorization"] for asked in server.asked} == {f"Bearer {KEY}"}
