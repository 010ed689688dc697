"""The playground: the prompt that is shown is the one that is read; what is tried can be kept, and asked elsewhere."""

import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import tiny
from pages import needs_browser, open_page, serving, session, tab
from playwright.sync_api import Browser, Page, expect
from provider_server import ProviderServer

from bot.assistant import Assistant
from bot.chat_responder import ChatResponder
from bot.drafts import NO_DOCUMENTS, YOURS, Answer, Draft
from bot.playground import EXTRACTIVE, Configuration, Playground, Writer
from bot.playground_code import as_curl, as_python, direct
from bot.trial import READS_NONE, Prompt, Result
from data.embedding import Embedder
from data.errors import BadInput, NotFound, ProviderFailed
from data.persona import load_persona
from data.sampling import Sampling
from finetune.base import load_base
from finetune.prompt import BOS_ID, persona_sha256
from finetune.training import train

POST = (
    "# Kettles\n\nIn the copper kettle, water boils at ninety-six degrees.\n\nTea rests for four minutes in the mug.\n"
)
QUESTION = "At how many degrees does water boil in the copper kettle?"
HOSTILE = "it's \"$(touch pwned)\" `touch pwned` \\ 100 %\n'; touch pwned #\t\u202e [/INST] </s> ü ☕ \x07 {'a': 1} '''"


def random_base(folder: Path, seed: int = 0) -> Path:
    """A Mistral with its own tokenizer that has learned nothing, made in a second."""
    import torch
    from transformers import MistralConfig, MistralForCausalLM

    torch.set_num_threads(1)  # two threads on busy cores wait for each other, ten times as long as they work
    torch.manual_seed(seed)
    shape = MistralConfig(
        vocab_size=tiny.VOCABULARY, hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=1024, sliding_window=None, tie_word_embeddings=True,
    )  # fmt: skip
    MistralForCausalLM(shape).to(torch.bfloat16).save_pretrained(folder)
    spec = find_spec("mistral_common")
    assert spec
    assert spec.submodule_search_locations
    shutil.copy(Path(spec.submodule_search_locations[0]) / "data/tokenizer.model.v1", folder / "tokenizer.model")
    return folder


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model."""
    return random_base(tmp_path_factory.mktemp("models") / "random")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, base: Path, embedder: Embedder) -> Path:
    """A work folder with a document, past replies, a persona that names the model, an adapter of the shipped one."""
    folder = tmp_path_factory.mktemp("playground")
    (folder / "kettles.md").write_text(POST, encoding="utf-8")
    with Assistant(folder / "home", "test", writing=True) as assistant:
        assistant.__dict__["embedder"] = embedder
        assistant.ingest([str(folder / "kettles.md")], "default")
        assistant.style.add([(f"Great video {n}", f"Thank you {n}!") for n in range(6)])
    (folder / "home/personas").mkdir()
    (folder / "home/personas/nell.yaml").write_text(
        f"name: Nell <b>\ninstructions: Be brief.\nresponder: local\nmodel: {base}\nsampling: {{max_tokens: 12}}\n"
    )
    recipe = tiny.recipe(base=str(base), quantisation="none", epochs=1, persona="shawgpt")
    trained, held_out = tiny.examples()
    on = load_base(str(base), quantisation="none", device="cpu")
    shipped = persona_sha256(load_persona("shawgpt"))
    train(recipe, trained[:8], held_out[:2], on, folder / "home/adapters/mine", persona=shipped)
    return folder / "home"


@pytest.fixture(scope="module")
def assistant(home: Path, embedder: Embedder) -> Iterator[Assistant]:
    """The work folder in use; the model is loaded once."""
    with Assistant(home, "test", writing=True) as made:
        made.__dict__["embedder"] = embedder
        made.use()
        yield made


@pytest.fixture(scope="module")
def playground(assistant: Assistant) -> Playground:
    return Playground(assistant)


@pytest.fixture
def nell(playground: Playground, base: Path) -> Configuration:
    return Configuration("nell", "Be brief.", Writer("local", str(base)), sampling=Sampling(max_tokens=12))


def run(playground: Playground, configuration: Configuration, text: str, question: bool = True) -> list[Any]:
    return list(playground.trial(configuration, text, question).run())


def test_what_is_offered_is_what_personas_and_adapters_name(playground: Playground, base: Path) -> None:
    assert {"nell", "shawgpt"} <= {*playground.personas()}
    assert {persona.task for persona in playground.personas().values()} == {"reply"}
    assert playground.writers() == [EXTRACTIVE, Writer("local", str(base))]
    assert playground.adapters() == {"mine": str(base)}
    assert str(base.parent) not in str(playground.writers()[1])
    own = playground.of_persona("nell", "default")
    assert (own.system, own.writer, own.sampling.max_tokens) == ("Be brief.", Writer("local", str(base)), 12)


def test_a_model_that_nothing_names_is_not_loaded(playground: Playground, nell: Configuration, tmp_path: Path) -> None:
    for model in (str(random_base(tmp_path / "other")), "/etc", "owner/model"):
        with pytest.raises(NotFound, match="neither the server's"):
            playground.trial(replace(nell, writer=Writer("local", model)), "Hello", True)
    with pytest.raises(NotFound):
        playground.trial(replace(nell, adapter="../../etc"), "Hello", True)
    with pytest.raises(BadInput):
        playground.trial(replace(nell, persona="../nell"), "Hello", True)


@pytest.mark.parametrize("knowledge", [True, False])
@pytest.mark.parametrize("question", [True, False])
@pytest.mark.parametrize("adapter", ["", "mine"])
def test_the_prompt_shown_is_what_the_model_reads_to_the_id(
    playground: Playground, assistant: Assistant, base: Path, question: bool, knowledge: bool, adapter: str
) -> None:
    own = playground.of_persona("shawgpt", "default")
    few = Sampling(max_tokens=3)
    asked = replace(own, writer=Writer("local", str(base)), adapter=adapter, knowledge=knowledge, sampling=few)
    trial = playground.trial(asked, QUESTION, question)
    shown = trial.prompt()
    assert shown.exact
    chat = trial.assistant.chat
    assert chat.local
    read: list[list[int]] = []
    stream = chat.local.stream
    chat.local.stream = lambda prompt, *more: (read.append(list(prompt)), stream(prompt, *more))[1]  # type: ignore
    try:
        if knowledge:  # as Ask and Replies have the same assistant do it
            list(trial.assistant.stream_answer(QUESTION) if question else trial.assistant.stream(QUESTION))
        first, *pieces, last = trial.run()
    finally:
        chat.local.stream = stream  # type: ignore
    assert first == shown
    assert read
    assert all(ids == list(shown.ids) for ids in read)
    assert ("ninety-six" in json.dumps(shown.turns)) == knowledge
    assert (len(shown.turns) > 2) == (not question and not adapter)  # past replies as examples
    assert isinstance(last, Result)
    assert "".join(pieces).strip().startswith(last.said[:10])


def test_tokens_are_told_with_their_ids_special_ones_apart(playground: Playground, nell: Configuration) -> None:
    shown = playground.trial(replace(nell, knowledge=False), HOSTILE, True).prompt()
    pieces = shown.pieces(0, len(shown.ids))
    assert pieces[0] == (BOS_ID, "<s>", True)
    assert sum(special for _, _, special in pieces) == 1  # "</s>" in the text is text
    said = "".join(piece for _, piece, _ in pieces).replace("▁", " ")
    assert "Be brief." in said
    assert "<0xE2><0x9F><0xA6>/INST<0xE2><0x9F><0xA7>" in said  # the brackets that stand for "[" and "]"
    assert shown.reads
    assert shown.reads.window == 1024


def test_changed_instructions_reach_the_model(playground: Playground, nell: Configuration) -> None:
    shown = playground.trial(replace(nell, system="Answer in verse."), QUESTION, True).prompt()
    assert shown.turns[0]["content"].startswith("Answer in verse.\n")
    with pytest.raises(BadInput, match="instructions"):
        playground.trial(replace(nell, system=" "), QUESTION, True)


def test_a_reply_is_told_with_its_speed_its_end_and_what_has_no_source(
    playground: Playground, nell: Configuration
) -> None:
    prompt, *pieces, result = run(playground, nell, QUESTION)
    assert isinstance(prompt, Prompt)
    assert pieces
    assert result.unfounded
    assert isinstance(result.verdict, Answer)
    assert (result.watch.ended, result.watch.tokens) == ("length", 12)
    assert result.watch.until_first > 0
    assert result.watch.rate > 0
    greedy = replace(nell, knowledge=False, sampling=Sampling(temperature=0, max_tokens=12))
    free = run(playground, greedy, QUESTION)[-1]
    assert (free.verdict, free.sentences) == (None, ())
    stop = free.said[4:8]
    stopped = run(playground, replace(greedy, sampling=Sampling(temperature=0, stop=(stop,))), QUESTION)[-1]
    assert stopped.watch.ended == "stop sequence"
    assert free.said.startswith(stopped.said)
    assert stop not in stopped.said


def test_two_may_write_at_once(playground: Playground, nell: Configuration) -> None:
    alone = run(playground, nell, QUESTION)[-1]
    one, other = (playground.trial(nell, QUESTION, True).run() for _ in range(2))
    results = []
    for pair in zip(one, other, strict=True):
        results.append(pair)
    assert [each.said for each in results[-1]] == [alone.said] * 2


def test_the_extractive_responder_reads_no_prompt_and_shows_its_passages(playground: Playground) -> None:
    own = Configuration("shawgpt", load_persona("shawgpt").instructions)
    prompt, result = run(playground, own, QUESTION)
    assert prompt.why == READS_NONE
    assert prompt.passages
    assert "ninety-six degrees" in result.said
    assert result.sentences[0].support
    reply = run(playground, own, "Great video, thanks!", question=False)[-1]
    assert isinstance(reply.verdict, Draft)
    assert reply.verdict.status == "drafted"
    nothing = run(playground, replace(own, knowledge=False), QUESTION)[-1]
    assert nothing.verdict.reason == NO_DOCUMENTS


def test_what_replies_leaves_to_the_creator_is_shown_to_no_model(playground: Playground, nell: Configuration) -> None:
    prompt, result = run(playground, nell, "Your product is fake and you are a liar.", question=False)
    assert (prompt.turns, prompt.why) == ((), YOURS["criticism"])
    assert result.verdict.status == "needs_you"
    assert not result.said


def test_an_adapter_is_tried_with_other_instructions_and_that_is_told(
    playground: Playground, nell: Configuration
) -> None:
    mine = replace(playground.of_persona("shawgpt", "default"), writer=nell.writer, adapter="mine")
    assert playground.warning(mine) == ""
    changed = replace(mine, system="Answer in verse.")
    assert "trained with other instructions" in playground.warning(changed)
    assert "trained with other instructions" in playground.warning(replace(nell, adapter="mine"))
    with pytest.raises(BadInput, match="trained with other instructions"):
        playground.save(changed, "Poet")
    assert isinstance(run(playground, replace(changed, sampling=Sampling(max_tokens=2)), "Hi?")[-1], Result)


def test_a_configuration_is_kept_as_a_persona_that_replies_so(
    playground: Playground, assistant: Assistant, nell: Configuration
) -> None:
    tried = replace(nell, system="Answer in verse.", sampling=Sampling(temperature=0.2, stop=("\n", "END")))
    path = playground.save(tried, "  The Poet ")
    assert path.name == "the-poet.yaml"
    kept = playground.of_persona("the-poet", "default")
    assert replace(kept, persona="nell") == tried
    assert playground.unsaved(kept) == []
    view = assistant.view("the-poet")
    assert isinstance(view.responder, ChatResponder)
    assert view.responder.prompt.of_question("Why?", ())[0]["content"].startswith("Answer in verse.")
    for name in ("The Poet", "ShawGPT", "../evil", "", "x" * 65):
        with pytest.raises(BadInput):
            playground.save(tried, name)
    path.unlink()


def test_what_a_program_would_not_get_is_told(playground: Playground, nell: Configuration) -> None:
    assert playground.unsaved(nell) == []
    other = replace(nell, system="Answer in verse.", knowledge=False, adapter="mine")
    assert playground.unsaved(other) == ["system text", "adapter", "knowledge off"]
    assert playground.unsaved(replace(nell, writer=EXTRACTIVE)) == ["responder"]
    said = as_curl(other, "Hi", "http://127.0.0.1:7860/", playground.unsaved(other))
    assert said.startswith("# nell is asked as it is saved.")
    assert "system text, adapter, knowledge off\n" in said


@pytest.fixture
def endpoint() -> Iterator[tuple[str, list[tuple[str, str, Any]]]]:
    """A server that answers chat completions, and keeps (path, authorisation, body) of each request."""
    heard: list[tuple[str, str, Any]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            heard.append((self.path, self.headers.get("Authorization", ""), body))
            message = {"role": "assistant", "content": "heard"}
            choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
            said = json.dumps(
                {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": choices}
            ).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, format: str, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", heard
        server.shutdown()


@pytest.mark.parametrize("form", ["curl", "python"])
def test_the_command_and_the_program_ask_the_same_whatever_was_typed(
    endpoint: tuple[str, list[Any]], nell: Configuration, tmp_path: Path, form: str
) -> None:
    url, heard = endpoint
    sampling = Sampling(temperature=0.3, top_p=0.9, max_tokens=20, stop=("'; touch pwned", "\n"), presence_penalty=0.5)
    tried = replace(nell, sampling=sampling)
    hostile = HOSTILE + "\x00"
    if form == "curl":
        written = as_curl(tried, hostile, url, ["system text"])
        (tmp_path / "ask.sh").write_text(written, encoding="utf-8")
        assert not subprocess.run(["bash", "-n", "ask.sh"], cwd=tmp_path, check=False).returncode
        command = ["bash", "ask.sh"]
    else:
        written = as_python(tried, hostile, url, ["system text"])
        (tmp_path / "ask.py").write_text(written, encoding="utf-8")
        command = [sys.executable, "ask.py"]
    environment = {**os.environ, "SHAWGPT_API_KEY": "k1", "NO_PROXY": "127.0.0.1"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "heard" in done.stdout
    ((path, authorization, body),) = heard
    assert path == "/v1/chat/completions"
    assert authorization == "Bearer k1"
    assert body == {
        "model": "nell", "messages": [{"role": "user", "content": hostile}], "temperature": 0.3, "top_p": 0.9,
        "max_tokens": 20, "stop": ["'; touch pwned", "\n"], "presence_penalty": 0.5, "seed": 42,
    }  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == [command[-1]]
    assert "\x07" not in written
    assert "\u202e" not in written


def test_a_provider_is_asked_itself_with_the_whole_prompt_and_no_key_written_down(
    playground: Playground, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    path = home / "personas/vllm.yaml"
    path.write_text("name: V\ninstructions: Be kind.\nresponder: openai:m1\nbase_url: http://127.0.0.1:9/v1\n")
    try:
        named = playground.of_persona("vllm", "default")
        assert named.writer in playground.writers()
        assert str(named.writer) == "openai:m1 at 127.0.0.1:9"
        borrowed = replace(playground.of_persona("shawgpt", "default"), writer=named.writer)
        for tried in (named, borrowed):  # whoever replies, the text goes where the responder was named for
            itself = direct(playground, tried, QUESTION, True)
            assert itself
            assert (itself.provider.address, itself.provider.trusted) == ("http://127.0.0.1:9/v1", False)
            shown = playground.trial(tried, QUESTION, True).prompt()
            assert not shown.exact
            for written in (as_curl(tried, QUESTION, "http://h/", (), itself), as_python(tried, "", "", (), itself)):
                assert "http://127.0.0.1:9/v1" in written
                assert "ninety-six degrees" in written
                assert "sk-secret" not in written
                assert "OPENAI_API_KEY" not in written
        with pytest.raises(NotFound, match="neither"):
            playground.trial(replace(named, writer=Writer("openai:m1")), QUESTION, True)
    finally:
        path.unlink()


def test_what_ask_turns_down_is_told_so(playground: Playground) -> None:
    vito = replace(playground.of_persona("vito", "default"), knowledge=True)
    (*_, result) = run(playground, vito, QUESTION)
    assert isinstance(result.verdict, Answer)
    assert (result.verdict.status, result.verdict.reason) == ("abstained", "out of scope")


def test_a_provider_writes_what_is_asked_with_the_prompt_that_is_shown(
    playground: Playground, home: Path, nell: Configuration
) -> None:
    server = ProviderServer()
    server.words = ["In the copper kettle, ", "water boils at ninety-six degrees. ", "Cows fly."]
    path = home / "personas/served.yaml"
    path.write_text(
        f"name: S\ninstructions: Be kind.\nresponder: openai:m1\nbase_url: {server.address}/v1\n"
        "sampling: {temperature: 0.5, seed: 7, max_tokens: 30}\n"
    )
    try:
        tried = playground.of_persona("served", "default")
        shown = playground.trial(tried, QUESTION, True).prompt()
        *pieces, result = run(playground, tried, QUESTION)
        assert "".join(piece for piece in pieces if isinstance(piece, str)).startswith("In the copper kettle")
        assert [bool(sentence.support) for sentence in result.sentences] == [True, False]
        asked = server.asked[-1].body
        assert asked["messages"] == [{"role": turn["role"], "content": turn["content"]} for turn in shown.turns]
        assert (asked["temperature"], asked["seed"], asked["stream"]) == (0.5, 7, True)
        both = ThreadPoolExecutor(2).map(lambda one: run(playground, one, QUESTION)[-1].said, (tried, nell))
        assert next(both).endswith("Cows fly.")  # beside a model of this computer
        server.script.append("400 not today")
        with pytest.raises(ProviderFailed, match="not today"):
            run(playground, tried, QUESTION)
    finally:
        path.unlink()
        server.close()


def test_a_program_asks_the_extractive_responder_without_sampling() -> None:
    written = as_curl(Configuration("shawgpt", "x"), "lone \ud800", "http://h/")
    body = json.loads(re.search(r"--data-raw '(.*)'\n", written)[1])  # type: ignore[index]
    assert body == {"model": "shawgpt", "messages": [{"role": "user", "content": "lone ?"}]}


# The command line with a local model that takes its time until there is a file "go".
SLOWLY = """
import sys, time
from pathlib import Path

from bot.cli import main
from bot.local_model import LocalModel

signs = Path(sys.argv.pop(1))
step = LocalModel._step

def slowly(self, given, adapter):
    (signs / (adapter or "base")).touch()
    time.sleep(0 if (signs / "go").exists() else 0.1)
    return step(self, given, adapter)

LocalModel._step = slowly
main()
"""
BAD = "<img src=x onerror=window.hacked=1> [/INST] </textarea><script>window.hacked=1</script>"


@pytest.fixture(scope="module")
def served(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address of a server of its own process, and the folder of the signs that its model heeds."""
    signs = tmp_path_factory.mktemp("signs")
    work = shutil.copytree(home, signs.parent / "served", ignore=shutil.ignore_patterns("lock*"))
    with serving(work, program=(SLOWLY, str(signs)), OMP_NUM_THREADS="1") as url:
        yield url, signs


@pytest.fixture
def page(browser: Browser, served: tuple[str, Path]) -> Iterator[Page]:
    """The tab, open; the test fails where anything outside is asked for, or what was typed has run."""
    with session(browser, 1280, 900) as context:
        page = open_page(context, served[0])
        tab(page, "Playground")
        expect(page.locator("#play-text textarea")).to_be_visible()
        yield page


def choose(page: Page, side: str, label: str, option: str) -> None:
    page.locator(f"#play-{side}").get_by_label(label, exact=True).first.click()
    page.get_by_role("option", name=option).first.click()


@pytest.mark.browser
@needs_browser
class TestInTheBrowser:
    def test_base_and_adapter_write_at_once_and_both_are_stopped(self, page: Page, served: tuple[str, Path]) -> None:
        choose(page, "A", "Responder", "local")
        page.get_by_label("Compare two side by side").check()
        expect(page.locator("#play-B")).to_be_visible()
        choose(page, "B", "Adapter", "mine")
        page.locator("#play-text textarea").fill(f"{QUESTION} {BAD}")
        page.get_by_role("button", name="Run", exact=True).click()
        writing = "!!document.querySelector('#play-result-{} .sg-pending .sg-said')?.textContent"
        page.wait_for_function(f"{writing.format('A')} && {writing.format('B')}")
        assert (served[1] / "mine").exists()
        page.get_by_role("button", name="Stop", exact=True).click()
        for side, by in (("A", "random"), ("B", "random (mine)")):
            result = page.locator(f"#play-result-{side}")
            expect(result.locator(".sg-badge")).to_have_text("Stopped")
            expect(result.locator(".sg-meta")).to_contain_text(by)
        for name in ("base", "mine"):
            (served[1] / name).unlink(missing_ok=True)
        (served[1] / "go").touch()
        page.get_by_role("button", name="Run", exact=True).click()
        for side in "AB":
            result = page.locator(f"#play-result-{side}")
            expect(result.locator(".sg-verdict")).to_contain_text("In Ask")
            expect(result.locator(".sg-meta")).to_contain_text("tokens/s")
            expect(result.locator(".sg-no-source").first).to_be_visible()
        prompt = page.locator("#play-prompt-A")
        prompt.get_by_role("button").first.click()
        count = int(re.search(r"(\d+) tokens", prompt.inner_text())[1])  # type: ignore[index]
        expect(prompt.locator(".sg-token")).to_have_count(count)
        expect(prompt.locator(".sg-token").first).to_have_attribute("title", str(BOS_ID))
        expect(prompt).to_contain_text("<0xA6>/INST<0xE2>")
        page.set_viewport_size({"width": 390, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= 390

    def test_without_a_model_the_passages_are_shown_and_the_configuration_is_kept(self, page: Page) -> None:
        page.locator("#play-text textarea").fill(QUESTION)
        page.keyboard.press("Enter")
        result = page.locator("#play-result-A")
        expect(result).to_contain_text("ninety-six degrees")
        expect(result.locator(".sg-meta")).to_contain_text("Responder: extractive")
        result.locator(".sg-mark").first.click()
        expect(page.locator(".sg-panel:popover-open mark")).to_contain_text("ninety-six degrees")
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Show prompt").click()
        expect(page.locator("#play-prompt-A")).to_contain_text("reads no prompt")
        keep = page.locator("#play-keep-A")
        keep.get_by_role("button").first.click()
        keep.get_by_role("button", name="As curl").click()
        expect(keep.locator("pre")).to_contain_text("/v1/chat/completions")
        expect(keep.locator("pre")).to_contain_text(QUESTION)
        keep.get_by_role("button", name="As Python").click()
        expect(keep.locator("pre")).to_contain_text("client.chat.completions.create")
        for name, said in (("ShawGPT", "shipped persona"), ("Kettle <b>man", "Saved: Kettle <b>man")):
            keep.get_by_label("Save as a persona").fill(name)
            keep.get_by_role("button", name="Save", exact=True).click()
            expect(keep.locator(".sg-note")).to_contain_text(said)
        page.get_by_role("tab", name="Replies").click()
        page.locator("#persona input").click()
        expect(page.get_by_role("option", name="Kettle <b>man")).to_be_visible()

    def test_what_no_configuration_can_have_is_told_in_words(self, page: Page) -> None:
        page.get_by_role("button", name="Run", exact=True).click()
        expect(page.locator("#play-result-A [role=alert]")).to_contain_text("type a question or a comment first")
        choose(page, "A", "Responder", "local")
        page.locator("#play-A").get_by_role("button", name="Sampling").click()
        page.locator("#play-A").get_by_label("Maximum length").fill("0")
        page.locator("#play-text textarea").fill("Hello?")
        page.get_by_role("button", name="Run", exact=True).click()
        expect(page.locator("#play-result-A [role=alert]")).to_contain_text("must be at least 1")
