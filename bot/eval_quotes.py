"""What a model writes in the name of authors, measured: how much is new, how much is copied, and whose it is."""

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.eval_folder import check_writable, unwritable
from bot.quote_files import read_quotes
from data.csvio import Form, encode, encode_header
from data.errors import AdapterRefused, BadInput
from finetune.examples import Example, quote_prompt
from finetune.novelty import Known, Real, name_key
from finetune.quote_figures import Measured, Scored, measure
from finetune.reply_measures import words
from finetune.tokens import encode as encode_example
from finetune.tokens import text_ids

if TYPE_CHECKING:
    from bot.assistant import Assistant
    from bot.quotes import Quote

Progress = Callable[[str, int, int], None]  # what is being done, how many of them are done, how many there are
FOLDER = "evaluation-quotes"  # below the adapter's
LEARNED, OTHERS = "learned", "others"
TITLES = {LEARNED: "authors it learned", OTHERS: "other authors"}


@dataclass(frozen=True)
class Side:
    """The quotes written in the name of some authors."""

    name: str  # LEARNED or OTHERS
    authors: int
    quotes: "tuple[Quote, ...]"
    figures: tuple[Measured, ...]


@dataclass(frozen=True)
class QuoteEvaluation:
    """A model that writes quotes, measured."""

    adapter: str
    data: str  # the file of the other authors; empty for the held-out ones
    known: int  # real quotes that it was held against
    sides: tuple[Side, ...]
    folder: Path

    def as_json(self) -> dict[str, Any]:
        """What `eval quotes --json` prints and eval.json holds."""
        return {
            "adapter": self.adapter,
            "data": self.data or "held out",
            "known": self.known,
            "sides": [
                {
                    "name": side.name,
                    "authors": side.authors,
                    "quotes": len(side.quotes),
                    "measures": [each.as_json() for each in side.figures],
                }
                for side in self.sides
            ],
        }


def evaluate_quotes(
    assistant: "Assistant",
    adapter: str,
    file: Path | None = None,
    each: int = 1,
    limit: int | None = None,
    out: Path | None = None,
    progress: Progress = lambda doing, done, of: None,
) -> QuoteEvaluation:
    """Let the adapter that `assistant` uses write `each` quotes for the authors it learned from and for others.

    The others are the authors of `file`, else those held out in training, without those that it learned; `limit` of
    each side. All is held against every real quote that is known: learned, held out, stored, and those of `file`.
    Perplexity is that of the side's real quotes. Writes quotes.csv and eval.json into `out`, or the adapter's folder.
    Raises ShawGPTError.
    """
    from bot.adapters import find_adapter
    from bot.quotes import reals
    from finetune.card import read_card
    from finetune.record import read_examples_record

    folder = find_adapter(adapter, assistant.folder.path)
    if (format := read_card(folder).recipe["format"]) != "quotes":
        raise AdapterRefused(f"{adapter} has learned {format}, and no quotes, which are compared here")
    train, held_out = map(reals, read_examples_record(folder))
    given = [Real(q.quote, q.author, q.source) for q in read_quotes(file)[0]] if file else held_out
    learned = {name_key(real.author) for real in train}
    others = [real for real in given if name_key(real.author) not in learned]
    out = out or folder / "-".join([FOLDER, *([file.stem] if file else [])])
    check_writable(out)
    progress(f"loading {assistant.writing.model}", 0, 0)
    quoter = assistant.quoter
    real = Known([*(Real(q.quote, q.author, q.source) for q in quoter.collection), *train, *held_out, *given])
    quoter.__dict__["known"] = real
    sides = []
    for name, side in ((LEARNED, train), (OTHERS, others)):
        authors = list({name_key(each.author): each.author for each in side}.values())[:limit]
        if not authors:
            continue
        progress(f"writing for {TITLES[name]}", 0, len(authors) * each)
        quotes = []
        for author in authors:
            for turn in range(each):
                quotes.append(quoter.write(author, turn))
                progress(f"writing for {TITLES[name]}", len(quotes), len(authors) * each)
        kept = {name_key(author) for author in authors}
        losses = _losses(assistant, [one for one in side if name_key(one.author) in kept], progress)
        figures = measure([_scored(quote) for quote in quotes], losses)
        sides.append(Side(name, len(authors), tuple(quotes), tuple(figures)))
    if not sides:
        raise BadInput(f"{adapter} has no record of authors, and the file has none that it hasn't learned")
    evaluation = QuoteEvaluation(adapter, str(file or ""), len(real), tuple(sides), out)
    _write(evaluation)
    return evaluation


def _scored(quote: "Quote") -> Scored:
    near = quote.nearest
    exact = quote.label == "stored" and near is not None and near.overlap == 1.0
    return Scored(
        words(quote.quote), quote.label, exact, quote.misattributed, quote.novelty or 0.0, quote.ended == "end"
    )


def _losses(assistant: "Assistant", side: Sequence[Real], progress: Progress) -> list[tuple[float, int]]:
    """(nats, tokens) of each real quote behind the prompt that is served."""
    model = assistant.chat.local
    assert model is not None
    prompts, replies = [], []
    for real in side:
        encoded = encode_example(Example(quote_prompt(real.author), real.quote, ""), model.tokens, 1 << 40)
        prompt = text_ids(quote_prompt(real.author), model.tokens)
        with suppress(BadInput):  # one longer than the model reads
            model.check(encoded.ids)
            prompts.append(prompt)
            replies.append(encoded.ids[len(prompt) :])
    adapter = assistant.writing.written_by.adapter if assistant.writing.adapter else None
    found: list[tuple[float, int]] = []
    for loss in model.losses(prompts, replies, adapter):
        found.append((loss, len(replies[len(found)])))
        progress("reading the real quotes", len(found), len(replies))
    return found


def _write(evaluation: QuoteEvaluation) -> None:
    """quotes.csv (cells that no spreadsheet runs) and eval.json."""
    try:
        columns = ("authors", "asked", "quote", "label", "by", "novelty", "nearest", "nearest_author", "ended")
        lines = [encode_header(columns, Form())]
        for side in evaluation.sides:
            for quote in side.quotes:
                near = quote.nearest
                lines.append(encode([
                    side.name, quote.asked, quote.quote, quote.label, quote.author,
                    "" if quote.novelty is None else f"{quote.novelty:.3f}", near.quote if near else "",
                    near.author if near else "", quote.ended,
                ]))  # fmt: skip
        (evaluation.folder / "quotes.csv").write_bytes(b"".join(lines))
        shown = json.dumps(evaluation.as_json(), indent=1, ensure_ascii=False)
        (evaluation.folder / "eval.json").write_text(shown + "\n", encoding="utf-8")
    except OSError as error:
        raise BadInput(unwritable(evaluation.folder, error)) from error
