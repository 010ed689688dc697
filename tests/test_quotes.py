"""Quotes: stored ones found, new ones told from them, and a model that learned them by heart caught at it."""

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pages import needs_browser, open_page, serving, session
from playwright.sync_api import expect
from tiny import SAMPLE, make_gpt2
from typer.testing import CliRunner

from bot.adapters import choose, train_adapter
from bot.assistant import Assistant
from bot.cli import app
from bot.local_model import LocalModel, Written
from bot.quote_files import read_quotes
from bot.quotes import ABOUT, LEARNED, Quoter
from bot.responders import Asked, settle
from bot.service.cited import cited
from bot.service.other_tasks import of_quote
from data.database import Database
from data.errors import AdapterRefused, BadInput, ShawGPTError
from data.persona import load_persona
from data.quotes import Quotes, StoredQuote
from finetune.card import read_card
from finetune.examples import quote_prompt, quoted_author, read_examples
from finetune.novelty import Known, Real, name_key
from finetune.recipe import Lora
from finetune.record import read_examples_record
from finetune.tokens import encode, text_ids

FILE = SAMPLE / "quotes.csv"
pytestmark = pytest.mark.timeout(600)  # the training, where other work holds the processors
SHAWGPT = [sys.executable, "-c", "from bot.cli import main; main()"]


def unheard(*_: object) -> None:
    pass


def few() -> list[dict[str, str]]:
    """Every third quote of the sample: what the model learns by heart."""
    with FILE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))[::3]


@pytest.fixture
def stored(assistant: Assistant) -> Assistant:
    """An assistant with the sample's quotes in its collection."""
    assistant.import_quotes(FILE, unheard)
    assistant.use("quotes")
    return assistant


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder with a GPT-2 that learned twenty quotes by heart ("parrot"), and LoRA over it ("lora")."""
    import torch

    torch.set_num_threads(1)  # two threads on busy cores wait for each other
    home = tmp_path_factory.mktemp("quotes")
    rows = few()
    data = home / "few.csv"
    with data.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["quote", "author", "tags"])
        writer.writeheader()
        writer.writerows(rows)
    base = make_gpt2(home / "gpt2", [f"{quote_prompt(row['author'])} {row['quote']}" for row in rows])
    whole = {"lora": None, "learning_rate": 8e-3, "epochs": 30, "held_out": 0.0, "batch_size": 10}
    over = {"lora": Lora(rank=8, alpha=16), "learning_rate": 5e-3, "held_out": 0.2}
    for name, on, examples, changes in (
        ("parrot", base, data, whole),
        ("lora", home / "adapters/parrot", FILE, over),
    ):
        recipe = choose("quotes", examples, str(on), name).replaced(early=0, schedule="constant", **changes)
        train_adapter(recipe, home, unheard, unheard)
    return home


@pytest.fixture
def parrot(home: Path):
    with Assistant(home, "test") as assistant:
        assistant.use("quotes", Asked(adapter="parrot"))
        yield assistant


# -- the collection


def test_importing_twice_changes_nothing_and_forgetting_takes_out_what_a_file_brought(assistant, write):
    first = assistant.import_quotes(FILE, unheard)
    assert (first.new, first.total, first.refused) == (60, 60, ())
    again = write("again.csv", 'quote,author\n"SILENCE is  also in the score.",dmitri  vantongeren\nNew.,Somebody\n')
    assert assistant.import_quotes(Path(again), unheard).new == 1
    assert assistant.import_quotes(FILE, unheard).new == 0
    assert assistant.import_quotes(FILE, unheard, forget=True).new == 60
    assert [each.quote for each in Quotes(assistant.database).all()] == ["New."]


def test_files_of_several_forms_and_column_names_are_read(write):
    wanted = [StoredQuote("Be dry.", "Ada B", ("wit", "rain"), "q")]
    for text in (
        'quote,author,tags\n"“Be  dry.”","Ada B,","wit, rain"\n',
        "Author;Content;Category\nAda B;Be dry.;wit, rain\n",
        json.dumps({"quote": "Be dry.", "author": "Ada B", "tags": ["wit", "rain", "wit"]}) + "\n\n",
        json.dumps([{"Content": "Be dry.", "Author": "Ada B", "tags": "['wit', 'rain']", "_id": 3}]),
    ):
        assert read_quotes(Path(write("q", text))) == (wanted, [])


def test_rows_without_a_quote_or_author_are_refused_and_named(write):
    long = "x" * 2001
    rows = [
        {"quote": "Fine.", "author": "A"},
        {"quote": "\u200b", "author": "A"},
        {"quote": "Hm."},
        3,
        {"quote": long, "author": "A"},
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows) + "{broken\n" + '{"quote": "\\ud800", "author": "A"}\n'
    found, refused = read_quotes(Path(write("q.jsonl", text)))
    assert [each.quote for each in found] == ["Fine."]
    assert refused == [
        ("line 2", "it has no quote"), ("line 3", "it has no author"), ("line 4", "it is no object"),
        ("line 5", "its quote has 2,001 characters, and 2,000 are the most"), ("line 6", "it is no JSON"),
        ("line 7", "it is no text"),
    ]  # fmt: skip
    for text, told in (
        ("a,b\nx,y\n", "can't tell which column"),
        ("quote,author\n", "holds no quotes"),
        ("[1", "JSON list"),
    ):
        with pytest.raises(BadInput, match=told):
            read_quotes(Path(write("bad", text)))


def test_a_work_folder_of_an_older_version_gets_its_collection(tmp_path):
    with_tables = Database(tmp_path / "a.sqlite3")
    with with_tables.write() as db:
        db.execute("DROP TABLE quotes")
        db.execute("PRAGMA user_version = 2")
    with_tables.close()
    database = Database(tmp_path / "a.sqlite3")
    assert Quotes(database).count() == 0
    database.close()


# -- without a model


@pytest.mark.parametrize(
    "asked",
    ["Ferris Undertow", "ferris undertow", "Undertow, Ferris", "undertow", "a quote by Undertow", "Ferris Úndertow"],
)
def test_an_authors_quotes_are_found_however_the_name_is_written(asked, stored):
    found = stored.quotes(asked, 9)
    assert [(each.author, each.label, each.source) for each in found] == [
        ("Ferris Undertow", "stored", "quotes.csv")
    ] * 5
    assert found[0].told == "Stored quote, by Ferris Undertow (quotes.csv)"
    assert stored.quotes(asked, 2, skip=4)[0].quote == found[4].quote


@pytest.mark.parametrize(
    ("asked", "near"), [("Ferris Overtow", "Ferris Undertow"), ("Ada Bell", "Ada Winterbourne"), ("Wu Zetian", None)]
)
def test_an_unknown_author_is_told_with_those_whose_names_are_near(asked, near, stored):
    (found,) = stored.quotes(asked)
    assert (found.label, found.quote, found.author) == ("none", "", "")
    assert f"no stored quote by {asked}" in found.reason
    assert (found.authors[:1] or (None,))[0] == near


def test_what_a_quote_is_about_is_found_by_word_tag_and_meaning(stored):
    assert stored.quotes("about forgiveness")[0].quote == "Frost forgives nobody, but it never holds a grudge."
    assert {each.author for each in stored.quotes("music", 4)} == {"Dmitri Vantongeren"}
    assert any("Grief is a guest" in each.quote for each in stored.quotes("quotes about mourning a dead parent", 3))
    (none,) = stored.quotes("about quantum chromodynamics")
    assert (none.label, none.reason) == ("none", "no stored quote is about quantum chromodynamics")
    assert ABOUT > 0.3  # below which whatever there is would be about anything


def test_without_quotes_it_says_how_they_get_in(assistant):
    assistant.use("quotes")
    assert assistant.quotes("Ada Winterbourne")[0].reason == (
        "no quotes are stored yet: `shawgpt import quotes FILE` reads some"
    )
    for bad in ("", " \u200b ", "?!", "x" * 201):
        with pytest.raises(BadInput):
            assistant.quotes(bad)


# -- new or not


REAL = Known(
    [Real(row["quote"], row["author"], "f") for row in few()] + [Real("Silence is also in the score.", "D", "f")]
)
SCORE = "He who curses the wind still needs it to get home."
OTHER = Known([Real(SCORE, "Ferris Undertow", "f"), Real("Be kind.", "A", "f")])


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (SCORE, "copy"),
        ("HE who curses the wind; still needs it, to get home", "copy"),
        ("He who curses the wind still needs it to go home.", "copy"),
        ("He who curses the wind", "copy"),  # a part of it, and nothing else
        (f"I have always said: {SCORE}", "copy"),
        ("He who curses the rain will never need it to get rich, my friend.", "new"),
        ("He who curses the wind still needs a good coat and a warm stove.", "close"),
        ("Those who curse the wind still want it to get home.", "close"),
        ("Be kind", "copy"),
        ("Be kind and be quick and be gone before dawn.", "new"),
        ("A lamp left burning is a letter to whoever comes late.", "new"),
    ],
)
def test_a_text_is_a_copy_close_or_new_by_the_words_it_shares(text, verdict):
    found = OTHER.most_like(text)
    assert (found.verdict if found else "new") == verdict


def test_different_real_quotes_are_new_beside_each_other():
    quotes = [Real(each.quote, each.author, "") for each in read_quotes(FILE)[0]]
    known = Known(quotes)
    found = [known.most_like(each.quote, but=each) for each in quotes]
    assert [one.real.quote for one in found if one and one.verdict != "new"] == []
    assert all(known.most_like(each.quote).real == each for each in quotes)


def test_names_are_compared_without_case_accents_and_order():
    assert name_key("Camus,  ALBERT") == name_key("albert camus") == "albert camus"
    assert name_key("Anaïs Nin") == name_key("Anai\u0308s NIN.")
    assert name_key("Martin Luther King, Jr., Dr.") != name_key("Martin Luther")


# -- with a model


def test_training_and_asking_see_the_same_prompt(home):
    (example, *_), _ = read_examples(home / "few.csv", "quotes", load_persona("shawgpt"))
    model = LocalModel(str(home / "adapters/parrot"), device="cpu")
    ids = text_ids(quote_prompt(" Ada\nWinterbourne"), model.tokens)
    whole = encode(example, model.tokens, 128)
    assert list(whole.ids[: whole.learned.index(True)]) == ids
    assert quoted_author(example.prompt) == few()[0]["author"]
    assert quoted_author("something else") == ""


def test_a_model_that_learned_quotes_by_heart_is_caught_and_stops_at_its_end_token(parrot):
    real = {row["quote"]: row["author"] for row in few()}
    found = [quote for author in dict.fromkeys(real.values()) for quote in parrot.quotes(author.casefold(), 2)]
    copies = [each for each in found if each.label == "stored"]
    assert len(copies) >= 0.8 * len(found)
    assert {each.ended for each in copies} == {"end"}
    for each in copies:
        assert real[each.quote] == each.author
        assert (each.repeated, each.novelty, each.source) == (True, 0.0, LEARNED)
        assert "the model repeated it" in each.told
        assert each.as_json()["adapter"] == "parrot"


def test_a_copy_is_shown_with_its_real_author_and_whatever_else_as_generated(parrot):
    quoter = parrot.quoter
    row = few()[0]
    copy = quoter.labelled("Hollis Brandeweyn", Written(row["quote"].upper(), 9, "end"))
    assert (copy.author, copy.quote, copy.misattributed) == (row["author"], row["quote"], True)
    assert copy.told.endswith("in the name of Hollis Brandeweyn, whose it is not")
    new = quoter.labelled("Albert Camus", Written("A lamp left burning is a letter.\u200b", 9, "length"))
    assert (new.label, new.author, new.quote) == ("generated", "Albert Camus", "A lamp left burning is a letter.")
    assert new.told == "Generated, not a real quote by Albert Camus"
    assert "no quote by Albert Camus is known here" in new.reason
    assert "cut off" in new.reason
    near = quoter.labelled(
        row["author"], Written(" ".join(row["quote"].split()[:-2]) + " a very blunt old spoon", 9, "end")
    )
    assert near.label == "close"
    assert f"close to a stored quote by {row['author']}" in near.told
    assert near.nearest is not None
    assert near.novelty == 1 - near.nearest.overlap
    assert quoter.labelled("A", Written(" … ", 1, "end")).label == "none"


def test_a_quote_of_the_collection_said_in_other_words_is_close_to_it(stored, home):
    writing = settle(Asked(adapter="parrot"), stored.persona, home)
    quoter = Quoter(Quotes(stored.database), writing, lambda: stored.chat, lambda: stored.embedder)
    other_words = "To make a village, it takes only one wheelbarrow and three neighbours."
    said = quoter.labelled("X Y", Written(other_words, 9, "end"))
    assert said.label == "close"
    assert said.nearest is not None
    assert said.nearest.author == "Bartholomew Quill"
    assert said.nearest.overlap < 0.5
    assert said.nearest.cosine is not None
    assert said.nearest.cosine > 0.85


def test_lora_over_gpt2_is_served_as_it_was_trained(home):
    card = read_card(home / "adapters/lora")
    model = LocalModel(str(home / "adapters/parrot"), device="cpu")
    model.add_adapter("lora", home / "adapters/lora")
    _, held_out = read_examples_record(home / "adapters/lora")
    encoded = [encode(each, model.tokens, 128) for each in held_out]
    starts = [each.learned.index(True) for each in encoded]
    prompts = [each.ids[:start] for each, start in zip(encoded, starts, strict=True)]
    replies = [each.ids[start:] for each, start in zip(encoded, starts, strict=True)]
    tokens = sum(map(len, replies))
    for adapter, loss in ((None, card.held_out_before), ("lora", card.held_out_after)):
        assert sum(model.losses(prompts, replies, adapter)) / tokens == pytest.approx(loss, rel=1e-2)
    assert card.held_out_after < 0.95 * card.held_out_before


def test_lora_writes_through_the_same_command(home, tmp_path):
    with Assistant(home, "test") as assistant:
        assistant.use("quotes", Asked(adapter="lora"))
        assert [each.written_by.adapter for each in assistant.quotes("Ada Winterbourne", 2)] == ["lora", "lora"]
        assert len(assistant.quoter.known) == 60


def test_what_has_not_learned_quotes_is_refused(home, tmp_path):
    quotes, shawgpt = load_persona("quotes"), load_persona("shawgpt")
    with pytest.raises(BadInput, match="--adapter"):
        settle(Asked(responder="local"), quotes, home)
    with pytest.raises(AdapterRefused, match="has learned quotes, and no replies"):
        settle(Asked(adapter="parrot"), shawgpt, home)


def test_ask_and_import_from_outside(tmp_path, home):
    def run(*args: object, code: int = 0, where: Path = tmp_path / "home") -> str:
        done = subprocess.run(
            [*SHAWGPT, *map(str, args)], capture_output=True, text=True, cwd=tmp_path,
            env={**os.environ, "NO_COLOR": "1", "SHAWGPT_HOME": str(where), "COLUMNS": "200"},
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout or done.stderr

    assert "60 quotes new" in run("import", "quotes", FILE)
    assert json.loads(run("import", "quotes", FILE, "--json")) == {"new": 0, "total": 60, "refused": []}
    said = run("ask", "--persona", "quotes", "Leopold Marrowby")
    assert "Soup is what the kitchen says" in said
    assert "Stored quote, by Leopold Marrowby (quotes.csv)" in said
    lines = [
        json.loads(line) for line in run("ask", "--persona", "quotes", "about travel", "-n", 3, "--json").splitlines()
    ]
    assert [line["label"] for line in lines] == ["stored"] * 3
    told = json.loads(run("ask", "--persona", "quotes", "--adapter", "parrot", "Wu Zetian", "--json", where=home))
    assert told["label"] in ("generated", "close", "stored")
    assert {"author", "quote", "label", "nearest", "novelty", "ended", "responder", "adapter"} <= set(told)
    if told["label"] != "stored":
        assert told["told"].startswith("Generated, not a real quote by Wu Zetian")
    run("ask", "--persona", "quotes", code=2)
    run("import", "quotes", tmp_path / "none.csv", code=2)


def test_a_program_is_told_of_each_quote_whether_somebody_really_said_it(parrot):
    row = few()[0]
    copy = of_quote("X Y", parrot.quoter.labelled("X Y", Written(row["quote"], 9, "end")))
    said = cited(copy, copy.sentences)
    assert said.text == f"“{row['quote']}” — {row['author']} [1]"
    assert "in the name of X Y, whose it is not" in copy.reason
    made_up = of_quote("X Y", parrot.quoter.labelled("X Y", Written("A lamp left burning is a letter.", 9, "end")))
    said = cited(made_up, made_up.sentences)
    assert said.text == "“A lamp left burning is a letter.”\n\n(Generated, not a real quote by X Y.)"
    assert said.citations == ()


def test_an_evaluation_tells_new_from_copied_on_both_sides(home, tmp_path):
    def evaluate(*args: object) -> str:
        command = ["--home", str(home), "eval", "quotes", *map(str, args)]
        return CliRunner(env={"COLUMNS": "160"}).invoke(app, command, catch_exceptions=False).stdout

    others = [f"What the {n}th lighthouse keeps to itself no ship has asked,Keeper {n}" for n in range(4)]
    (tmp_path / "others.csv").write_text("\n".join(["quote,author", *others]), encoding="utf-8")
    told = json.loads(
        evaluate("--adapter", "parrot", tmp_path / "others.csv", "--limit", 4, "-o", tmp_path / "out", "--json")
    )
    assert told == json.loads((tmp_path / "out" / "eval.json").read_text(encoding="utf-8"))
    assert [(side["name"], side["authors"], side["quotes"]) for side in told["sides"]] == [
        ("learned", 4, 4), ("others", 4, 4),
    ]  # fmt: skip
    learned, others = ({each["name"]: each["value"] for each in side["measures"]} for side in told["sides"])
    assert learned["copies"] >= 0.75 > others["copies"]
    assert learned["perplexity"] < others["perplexity"]
    with (tmp_path / "out" / "quotes.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["authors"] for row in rows] == ["learned"] * 4 + ["others"] * 4
    assert {row["label"] for row in rows} <= {"stored", "close", "generated"}
    known = {row["quote"]: row["author"] for row in few()}
    assert all(row["by"] == known[row["quote"]] for row in rows[:4] if row["label"] == "stored")
    shown = evaluate("--adapter", "lora", "--limit", 2, "--sampling", "max_tokens=16")
    for said in ("authors it learned", "other authors", "perplexity", "quotes.csv"):
        assert said in shown
    assert (home / "adapters" / "lora" / "evaluation-quotes" / "quotes.csv").is_file()
    for args, told in (
        ((), "name an adapter"), (("--adapter", "nobody"), "nobody"),
        (("--adapter", "parrot", tmp_path / "none.csv"), "none.csv"),
    ):  # fmt: skip
        with pytest.raises(ShawGPTError, match=told):
            evaluate(*args)


@needs_browser
@pytest.mark.browser
@pytest.mark.timeout(300)
def test_on_the_page_what_a_model_writes_is_labelled(home, browser):
    row = few()[0]
    with (
        serving(home, "--persona", "quotes", "--adapter", "parrot", OMP_NUM_THREADS="1") as url,
        session(browser, 390, 844) as context,
    ):
        page = open_page(context, url)
        shown = page.locator("#quotes")
        expect(page.locator("#quotes-find")).to_have_text("Write")
        page.locator("#quotes-who input").fill(row["author"])
        page.locator("#quotes-who input").press("Tab")
        page.locator("#quotes-find").click()
        card = shown.locator(".sg-quote")
        expect(card).to_have_count(3)
        for told in card.locator(".sg-told").all():
            expect(told).to_have_text(re.compile("^(Stored quote, by|Generated, not a real quote by) "))
        expect(card.first).to_contain_text("Responder: local (parrot)")
        page.locator("#quotes-who input").fill("Wu Zetian")
        page.locator("#quotes-who input").press("Tab")
        page.locator("#quotes-find").click()
        expect(shown).to_contain_text("Wu Zetian")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
