"""Evaluation of replies: the measures by hand, the intervals by simulation, the whole on a small real Mistral."""

import csv
import json
import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
from rich.console import Console

from bot.adapters import train_adapter
from bot.eval_pairs import Pair, Pairs, choose_pairs
from bot.eval_replies import Evaluation, evaluate_adapter
from bot.local_model import LocalModel
from bot.show_eval import show_evaluation
from data.csvio import read_table
from data.errors import BadInput, NotFound
from data.persona import Persona, load_persona
from finetune.card import read_card, write_card
from finetune.comparison import ADAPTER, BASE, CREATOR, STYLE, Compared, Scored, compare, verdict
from finetune.intervals import difference, figure, jackknifed, means
from finetune.reply_measures import (
    RUN,
    Training,
    body,
    distinct,
    log_length,
    runs,
    signed_once,
    stops_in_place,
    words,
)

SIGNATURE = "-ShawGPT"


def count(text: str) -> int:
    return len(text.split())


# -- one reply


@pytest.mark.parametrize(
    ("reply", "signed", "said"),
    [
        ("Thanks, glad it helped -ShawGPT", True, "Thanks, glad it helped"),
        ("Thanks -ShawGPT\n", True, "Thanks"),
        ("-ShawGPT", True, ""),
        ("", False, ""),
        ("Thanks", False, "Thanks"),
        ("Thanks –ShawGPT", False, "Thanks"),  # an en dash: not as the persona has it
        ("Thanks — ShawGPT", False, "Thanks"),
        ("Thanks -ShawGPT -ShawGPT", False, "Thanks"),
        ("Thanks –ShawGPT -ShawGPT", False, "Thanks"),
        ("Thanks -ShawGPT (Note: I am a model)", False, "Thanks (Note: I am a model)"),
        ("Thanks-ShawGPT", False, "Thanks-ShawGPT"),  # a part of a word
        ("I am ShawGPT, hello -ShawGPT", True, "I am ShawGPT, hello"),
        ("🙏❤️ -ShawGPT", True, "🙏❤️"),
    ],
)
def test_a_signature_counts_once_last_and_as_the_persona_has_it(reply: str, signed: bool, said: str) -> None:
    assert signed_once(reply, SIGNATURE) is signed
    assert body(reply, SIGNATURE) == said


def test_without_a_signature_the_body_is_the_reply() -> None:
    assert body(" Thanks -N ", "") == "Thanks -N"


@pytest.mark.parametrize(
    ("reply", "ended", "stops"),
    [
        ("Thanks -ShawGPT", "end", True),
        ("Thanks -ShawGPT .", "end", True),  # one token behind it
        ("Thanks -ShawGPT and then", "end", False),
        ("Thanks -ShawGPT and -ShawGPT", "end", False),  # the first one is where to stop
        ("Thanks -ShawGPT", "length", False),
        ("Thanks -ShawGPT", "stop", False),  # by a stop string, not by itself
        ("Thanks", "end", False),
        ("", "end", False),
        ("Thanks –ShawGPT", "end", True),  # where it stops is another matter than how it is typed
    ],
)
def test_a_reply_stops_in_place_by_the_end_token_right_behind_the_signature(
    reply: str, ended: str, stops: bool
) -> None:
    assert stops_in_place(reply, ended, SIGNATURE, count) is stops


def test_where_there_is_no_signature_to_write_any_end_is_in_place() -> None:
    assert stops_in_place("Thanks", "end", "", count)
    assert not stops_in_place("Thanks", "length", "", count)


def test_length_is_a_ratio_in_which_twice_and_half_cancel_and_nothing_said_still_counts() -> None:
    assert log_length("one two three", "one two three") == 0
    assert log_length("a b c d e f g", "a b c") == -log_length("a b c", "a b c d e f g") == pytest.approx(math.log(2))
    assert log_length("", "a b c") == pytest.approx(math.log(1 / 4))
    assert log_length("🙏", "❤️") == 0


def test_words_are_alike_whatever_case_punctuation_and_apostrophe_and_emoji_are_words() -> None:
    assert words("I’m GLAD, it’s “clear”!") == words("i'm glad it's clear") == ("i'm", "glad", "it's", "clear")
    assert words("Thanks 🙏🙏") == ("thanks", "🙏", "🙏")
    assert words(" :) ") == ()


def test_distinct_is_the_share_of_different_items_with_each_reply_left_out_too() -> None:
    replies = [words("thanks so much"), words("thanks a lot"), ()]
    whole, without = distinct([runs(said, 1) for said in replies])
    assert whole == 5 / 6
    assert without == [1, 1, 5 / 6]
    assert distinct([runs(said, 2) for said in replies])[0] == 1
    assert distinct([["same"], ["same"], ["other"]]) == (2 / 3, [1, 1, 1 / 2])
    assert math.isnan(distinct([[], []])[0])
    assert runs(("a",), 2) == []


def test_a_copy_is_told_from_a_phrase_of_the_creators_and_from_chance() -> None:
    long = "You need to install the latest version with pip before you run it"
    stock = "thanks so much for watching and see you in the next one"
    training = Training([long, "Glad it helped!", *(f"{name}, {stock}" for name in ("Ann", "Bo", "Cy"))])
    assert training.repeats(words("glad it HELPED"))
    assert not training.repeats(words("glad it helped you"))
    assert not training.repeats(())
    whole = words(f"Hello! {long}.")
    assert training.leaks(whole)
    assert training.longest(whole) == 13 / 14
    assert not training.leaks(words(stock))  # in three of them
    assert training.leaks(words(f"Ann, {stock}"))  # the run with the name is in one
    first = words(long)
    assert training.leaks(first[:RUN])
    assert not training.leaks(first[: RUN - 1])
    assert training.longest(words("glad it was")) == pytest.approx(2 / 3)
    assert training.longest(words("run it glad it helped")) == pytest.approx(3 / 5)  # not over the border of two
    assert training.longest(()) == 0
    assert not training.leaks(())
    assert Training([]).longest(words("anything")) == 0


# -- intervals


def covered(draw: Callable[[], Any], truth: float, trials: int = 400, **how: bool) -> float:
    found = [figure(draw(), **how) for _ in range(trials)]
    return sum(each is not None and each.low <= truth <= each.high for each in found) / trials


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    """95 %, within what 400 trials tell, and the little that nine skewed values lose (Hesterberg 2015)."""
    random = np.random.default_rng(5)
    assert 0.91 <= covered(lambda: means(list(random.normal(1, 1, 9))), 1) <= 0.99
    assert 0.92 <= covered(lambda: means(list(random.normal(1, 1, 60))), 1) <= 0.98
    assert covered(lambda: means(list((random.random(9) < 0.9).astype(float))), 0.9, share=True) >= 0.93
    assert covered(lambda: means(list((random.random(60) < 0.97).astype(float))), 0.97, share=True) >= 0.93

    def per_token() -> Any:
        tokens = random.integers(5, 60, 12)
        return np.column_stack([random.gamma(4, 0.5, 12) * tokens, tokens]).astype(float)

    assert 0.90 <= covered(per_token, math.exp(2), exp=True) <= 0.99


def test_two_that_are_alike_are_rarely_told_apart() -> None:
    random = np.random.default_rng(6)

    def told(share: bool, pairs: int) -> bool:
        both = random.random((2, pairs)) < 0.8 if share else random.normal(size=(2, pairs))
        found = difference(*(means(list(side.astype(float))) for side in both), share=share)
        return found is not None and found.clear

    for pairs in (2, 5, 9, 40):
        assert sum(told(False, pairs) for _ in range(300)) <= 300 * 0.1
        assert sum(told(True, pairs) for _ in range(300)) <= 300 * 0.07


def test_the_interval_of_distinctness_is_as_wide_as_distinctness_varies() -> None:
    random = np.random.default_rng(7)
    chance = 1 / np.arange(1, 301)

    def draw() -> list[list[int]]:
        lengths = random.integers(2, 25, 30)
        return [random.choice(300, size, p=chance / chance.sum()).tolist() for size in lengths]

    drawn = [distinct(draw()) for _ in range(200)]
    spread = np.std([whole for whole, _ in drawn])
    widths = []
    for whole, without in drawn:
        found = figure(jackknifed(whole, without))
        assert found is not None
        assert found.value == pytest.approx(whole)
        widths.append((found.high - found.low) / (2 * 2.09))  # t of 29 degrees, a little wider
    assert 0.8 <= np.mean(widths) / spread <= 1.4


def test_all_alike_is_not_certain_and_few_are_never_clear() -> None:
    nine = figure(means([1.0] * 9), share=True)
    assert nine is not None
    assert (nine.value, nine.high) == (1, 1)
    assert 0.5 < nine.low < 0.9
    clear = [difference(means([1.0] * n), means([0.0] * n), share=True).clear for n in (2, 5, 9)]
    assert clear == [False, False, True]
    assert [difference(means([2.0, 3.0] * n), means([1.0] * 2 * n)).clear for n in (1, 2, 3)] == [False, False, True]


def test_one_pair_has_a_figure_without_an_interval_and_none_has_no_figure() -> None:
    one = figure(means([0.5]))
    assert one is not None
    assert (one.value, one.low, one.high, one.clear) == (0.5, None, None, False)
    assert figure(means([])) is None


def test_figures_are_the_same_each_time() -> None:
    values = means([0.1, 0.7, 0.4, 0.9])
    assert figure(values) == figure(values.copy())


# -- comparison


def scored(said: str = "thanks a lot", **fields: Any) -> Scored:
    measured = {"repeats": False, "longest": 0.0, "leaks": False, "length": 0.0, "distance": 0.5, **fields}
    return Scored(words(said), **measured)


def of(compared: tuple[Compared, ...] | Evaluation, name: str) -> Compared:
    every = compared.compared if isinstance(compared, Evaluation) else compared
    return next(each for each in every if each.measure.name == name)


def by_hand(pairs: int = 8) -> tuple[Compared, ...]:
    def model(loss: float, **fields: Any) -> list[Scored | None]:
        return [scored(f"reply {n}", loss=loss * (n + 1), tokens=n + 1, ran_on=False, **fields) for n in range(pairs)]

    style: list[Scored | None] = [scored(distance=0.4, signed=True) if n % 2 else None for n in range(pairs)]
    return compare(
        {
            BASE: model(3.0, signed=False, stops=False, distance=0.9),
            ADAPTER: model(1.0, signed=True, stops=True, distance=0.6),
            STYLE: style,
            CREATOR: [Scored(words("thanks"), False, 0.0, False) for _ in range(pairs)],
        }
    )


def test_figures_are_means_over_the_replies_given_and_differences_over_pairs_both_gave() -> None:
    compared = by_hand()
    perplexity = of(compared, "perplexity")
    assert perplexity.figures[BASE].value == pytest.approx(math.exp(3))
    assert perplexity.figures[STYLE] is None
    assert perplexity.differences[BASE].value == pytest.approx(math.e - math.exp(3))
    assert perplexity.differences[STYLE] is None
    distance = of(compared, "distance")
    assert (distance.figures[STYLE].value, distance.figures[STYLE].pairs) == (pytest.approx(0.4), 4)
    assert (distance.differences[STYLE].value, distance.differences[STYLE].pairs) == (pytest.approx(0.2), 4)
    given = of(compared, "given")
    assert {name: found and found.value for name, found in given.figures.items()} == {
        BASE: 1, ADAPTER: 1, STYLE: 0.5, CREATOR: None,
    }  # fmt: skip
    assert given.differences[STYLE].value == 0.5
    assert of(compared, "different").figures[CREATOR].value == 1 / 8
    assert of(compared, "different").figures[ADAPTER].value == 1
    assert of(compared, "length").figures[BASE].value == 1  # e to the power of 0
    assert of(compared, "stops").figures[STYLE] is None


def test_the_verdict_names_where_the_adapter_is_better_worse_and_not_clearly_either() -> None:
    compared = by_hand()
    assert of(compared, "signature").side(BASE) == "better"
    assert of(compared, "distance").side(BASE) == "better"
    assert of(compared, "distance").side(STYLE) == "unclear"  # of four pairs
    assert of(compared, "perplexity").side(STYLE) == ""
    assert verdict(compared) == (
        "The adapter is better than the base in perplexity, signature, stopping, distance, worse in nothing, no clear "
        "difference in running on, length error, distinct replies, copies by heart; than style memory better in "
        "nothing, worse in nothing, no clear difference in signature, length error, distance, distinct replies, "
        "copies by heart."
    )
    assert verdict(by_hand(4)) == "Too few pairs to say who is better: 6 are the fewest."


def test_a_persona_without_a_signature_has_no_measure_of_it() -> None:
    rows: dict[str, list[Scored | None]] = {name: [scored(), scored()] for name in (BASE, ADAPTER, STYLE, CREATOR)}
    signature = of(compare(rows), "signature")
    assert set(signature.figures.values()) == {None}
    assert signature.side(BASE) == ""


def test_a_contestant_that_replied_to_nothing_has_no_figures() -> None:
    rows: dict[str, list[Scored | None]] = {
        BASE: [scored()] * 3, ADAPTER: [scored()] * 3, STYLE: [None] * 3, CREATOR: [scored()] * 3,
    }  # fmt: skip
    compared = compare(rows)
    assert of(compared, "given").figures[STYLE].value == 0
    assert of(compared, "distance").figures[STYLE] is None
    assert of(compared, "distinct_1").differences[STYLE] is None


# -- which pairs

PERSONA = Persona(name="Nora", instructions="Answer.", signature="-N")
LONG = "You need to install the latest version with pip"


def test_pairs_that_were_trained_on_are_left_out_and_counted(write: Callable[[str, str], str]) -> None:
    train = [Pair("Great video!", "Thanks!", "row 2"), Pair("How do I install it?", LONG, "row 3")]
    rows = [
        ("great VIDEO", "Cheers"),  # trained on, but for case and punctuation
        ("Another great video", "Thanks!"),  # a short reply that many comments get
        ("How to install it?", f"{LONG}. -N"),  # the same long reply
        ("What is PCA?", "A projection –N"),
        ("what is pca", "a projection"),  # again
        ("Empty", ""),
        ("👍", "🙏"),
        ("❤️", "🙏"),
    ]
    path = Path(write("new.csv", "Comment,Response\n" + "\n".join(f'"{c}","{r}"' for c, r in rows)))
    chosen = choose_pairs(train, [Pair("What is PCA?", "It depends", "row 9")], PERSONA, path, None)
    assert [(pair.comment, pair.reply) for pair in chosen.pairs] == [
        ("Another great video", "Thanks!"), ("What is PCA?", "A projection"), ("👍", "🙏"), ("❤️", "🙏"),
    ]  # fmt: skip
    assert chosen.left_out == {
        "no comment or no reply": 1, "trained on": 1, "reply trained on": 1, "there already": 1,
    }  # fmt: skip
    assert (chosen.whole, chosen.chose) == (False, 1)
    assert len(choose_pairs(train, [], PERSONA, path, 3).pairs) == 3


def test_too_few_pairs_are_refused_in_one_line(write: Callable[[str, str], str]) -> None:
    one = [Pair("What is PCA?", "It depends", "row 9")]
    with pytest.raises(BadInput, match=r"1 pair to compare on, and 2 are the fewest: give a FILE"):
        choose_pairs([], one, PERSONA, None, None)
    path = Path(write("new.csv", "Comment,Response\nWhat is PCA?,It depends\n"))
    with pytest.raises(BadInput, match=r"0 pairs .*1 left out"):
        choose_pairs(one, [], PERSONA, path, None)
    with pytest.raises(BadInput, match=r"there is no file nosuch\.csv: give a CSV file of new pairs"):
        choose_pairs(one, [], PERSONA, Path("nosuch.csv"), None)


# -- the whole


def write_pairs(path: Path, pairs: list[tuple[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("Comment", "Response"), *pairs])
    return path


def tuned(home: Path, base: Path, data: Path, **changes: Any) -> None:
    recipe = tiny.recipe(base=str(base), data=str(data), persona="nora", quantisation="none", **changes)
    train_adapter(recipe, home, lambda *_: None, lambda _: None)


@pytest.fixture(scope="module")
def home(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder with a persona and an adapter of hers."""
    home = tmp_path_factory.mktemp("eval") / "home"
    (home / "personas").mkdir(parents=True)
    persona = "name: Nora\ninstructions: Answer the comment.\nsignature: -N\nsampling: {max_tokens: 64}\n"
    (home / "personas" / "nora.yaml").write_text(persona)
    tuned(home, tiny_base, tiny.SAMPLE / "past_replies.csv", name="tuned")
    return home


@pytest.fixture(scope="module")
def evaluation(home: Path) -> Evaluation:
    """On the adapter's own held-out pairs."""
    return evaluate_adapter("tuned", home)


def test_a_tuned_adapter_beats_its_base_on_pairs_held_out_of_its_training(evaluation: Evaluation) -> None:
    """The first ShawGPT measured nothing on held-out replies, and never compared with the untuned model."""
    sides = {name: of(evaluation, name).side(BASE) for name in ("perplexity", "signature", "stops")}
    assert sides == {"perplexity": "better", "signature": "better", "stops": "better"}
    assert of(evaluation, "given").figures[STYLE].value < 1
    assert evaluation.verdict.startswith("The adapter is better than the base in perplexity, signature, stopping")


def test_perplexity_is_that_of_the_held_out_loss_of_training(evaluation: Evaluation, home: Path) -> None:
    card = read_card(home / "adapters" / "tuned")
    figures = of(evaluation, "perplexity").figures
    assert math.log(figures[BASE].value) == pytest.approx(card.held_out_before, abs=0.03)
    assert math.log(figures[ADAPTER].value) == pytest.approx(card.held_out_after, abs=0.03)


def test_style_memory_holds_no_held_out_reply(evaluation: Evaluation, home: Path) -> None:
    held_out = {pair.reply for pair in evaluation.pairs.pairs}
    learned = [reply for _, reply in tiny.pairs() if reply not in held_out]
    own = [reply for replies in load_persona("nora", home).replies.values() for reply in replies]
    known = {word for reply in (*learned, *own, "-N") for word in words(reply)}
    said = [words(reply) for reply in evaluation.replies[STYLE] if reply]
    assert said
    assert {word for reply in said for word in reply} <= known


def test_the_same_evaluation_gives_the_same_figures_and_leaves_its_files(
    evaluation: Evaluation, home: Path, tmp_path: Path
) -> None:
    told: list[tuple[str, int, int]] = []
    again = evaluate_adapter("tuned", home, out=tmp_path / "out", progress=lambda *each: told.append(each))
    assert again.as_json() == evaluation.as_json()
    assert again.replies == evaluation.replies
    kept = home / "adapters" / "tuned" / "evaluation"
    for name in ("eval.json", "replies.csv", "eval.png"):
        assert (kept / name).read_bytes() == (tmp_path / "out" / name).read_bytes(), name
    assert (kept / "eval.png").read_bytes().startswith(b"\x89PNG")
    shown = json.loads((kept / "eval.json").read_text())
    assert shown["pairs"] == shown["chose_weights"] == len(evaluation.pairs.pairs)
    assert shown["sampling"]["temperature"] == 0
    done = [(what, number) for what, number, _ in told if "adapter replies" in what]
    assert done == [("the adapter replies", number) for number in range(1, shown["pairs"] + 1)]
    assert all(b[1] == a[1] + 1 or b[0] != a[0] or b[1] == 0 for a, b in pairwise(told) if a[2])


def test_the_card_keeps_the_summary_of_all_held_out_examples_alone(
    evaluation: Evaluation, home: Path, tmp_path: Path, write: Callable[[str, str], str]
) -> None:
    folder = home / "adapters" / "tuned"
    before = read_card(folder)
    assert before.evaluation is not None
    figures = before.evaluation["measures"]["perplexity"]
    assert figures[ADAPTER][0] == pytest.approx(of(evaluation, "perplexity").figures[ADAPTER].value, abs=1e-3)
    path = write_pairs(tmp_path / "new.csv", [("=1+1 nice", "=Thanks -N"), *tiny.pairs()[:20], ("Ok?", "Yes")])
    other = evaluate_adapter("tuned", home, file=path, limit=4, out=tmp_path / "out")
    assert read_card(folder) == before
    assert other.pairs.left_out["trained on"] >= 10
    assert (other.pairs.pairs[0].comment, len(other.pairs.pairs)) == ("=1+1 nice", 4)
    assert b"'=1+1 nice,'=Thanks," in (tmp_path / "out" / "replies.csv").read_bytes()
    assert read_table(tmp_path / "out" / "replies.csv").rows[0][:2] == ("=1+1 nice", "=Thanks")
    assert other.verdict.startswith("Too few pairs")
    kept = (folder / "evaluation" / "eval.json").read_bytes()
    assert evaluate_adapter("tuned", home, limit=2).folder == folder / "evaluation-first-2"
    assert evaluate_adapter("tuned", home, file=path).folder == folder / "evaluation-new"
    assert evaluate_adapter("tuned", home, file=path, limit=2).folder == folder / "evaluation-new-first-2"
    assert (folder / "evaluation" / "eval.json").read_bytes() == kept
    assert read_card(folder) == before


def test_where_nothing_can_be_written_is_said_before_anything_is_loaded(
    home: Path, tmp_path: Path, evaluation: Evaluation
) -> None:
    (tmp_path / "file").write_text("")
    told: list[str] = []
    with pytest.raises(BadInput, match=r"file can't be written .*: give another folder with -o"):
        evaluate_adapter("tuned", home, out=tmp_path / "file", progress=lambda what, *_: told.append(what))
    assert told == []


def test_the_table_shows_every_measure_with_its_caveats(
    evaluation: Evaluation, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.show_eval.out", Console(width=200))  # a narrower one breaks titles where figures are long
    show_evaluation(evaluation)
    shown = capsys.readouterr().out
    for each in evaluation.compared:
        assert each.measure.title in shown
    for said in ("the intervals are wide", "training chose the weights", "by design", "creator 100 %", "eval.png"):
        assert said in shown
    assert evaluation.verdict[:60] in shown


def test_an_adapter_that_learned_by_heart_is_seen_to_copy(home: Path, tiny_base: Path, tmp_path: Path) -> None:
    longest = sorted(tiny.pairs(), key=lambda pair: -len(pair[1]))[:8]
    data = write_pairs(tmp_path / "long.csv", longest)
    near = write_pairs(tmp_path / "near.csv", [*longest, *((f"{comment} 🙂", "Yes") for comment, _ in longest)])
    tuned(home, tiny_base, data, name="heart", held_out=0.0, epochs=28, learning_rate=1e-2)
    found = evaluate_adapter("heart", home, file=near, out=tmp_path / "out")
    assert found.pairs.left_out == {"trained on": 8}
    leaks = of(found, "leaks")
    assert leaks.figures[BASE].value == 0
    assert leaks.figures[ADAPTER].value >= 0.75
    assert leaks.side(BASE) == "worse"
    assert "worse in" in found.verdict
    assert "copies by heart" in found.verdict.partition("worse in")[2].partition("no clear")[0]
    assert leaks.figures[CREATOR].value == 0


def test_an_adapter_that_is_not_there_or_learned_something_else_is_refused(home: Path) -> None:
    with pytest.raises(NotFound):
        evaluate_adapter("nothing", home)
    card = read_card(home / "adapters" / "tuned")
    (home / "adapters" / "quotes").mkdir()
    write_card(home / "adapters" / "quotes", card.model_copy(update={"recipe": {**card.recipe, "format": "quotes"}}))
    with pytest.raises(BadInput, match="has learned quotes"):
        evaluate_adapter("quotes", home)


def test_an_adapter_in_use_stays_in_use_when_its_card_gets_an_evaluation(home: Path, tiny_base: Path) -> None:
    folder = home / "adapters" / "tuned"
    model = LocalModel(str(tiny_base), device="cpu")
    card = model.add_adapter("tuned", folder)
    write_card(folder, card.model_copy(update={"evaluation": {"pairs": 12}}))
    assert model.add_adapter("tuned", folder) == card
    write_card(folder, card)


def test_pairs_know_whether_they_are_whole() -> None:
    held_out = [Pair(f"comment {n}", f"reply {n}", f"row {n}") for n in range(5)]
    assert choose_pairs([], held_out, PERSONA, None, None) == Pairs("", tuple(held_out), {}, True, 5)
    assert not choose_pairs([], held_out, PERSONA, None, 4).whole
