"""Personas for quotes and for tables, asked by programs: what they give, in the form of an answer."""

from collections.abc import Sequence

from bot.assistant import Assistant
from bot.drafts import Answer, Sentence, Support
from bot.memory import Said
from bot.quotes import Quote
from bot.sql.schema import from_script
from bot.sql.write import writer_of
from data.errors import BadInput


def next_quote(view: Assistant, asked: str, earlier: Sequence[Said] = ()) -> Quote:
    """A quote; the next one where the same was asked before, as nothing is kept between requests."""
    before = sum(said.question.strip().casefold() == asked.strip().casefold() for said in earlier)
    return view.quotes(asked, 1, before)[0]


def of_quote(asked: str, quote: Quote) -> Answer:
    """`quote` as an answer. A stored one cites the file it was read from; any other says that it is generated."""
    if quote.label == "none":
        return Answer(asked, "abstained", reason=quote.reason, written_by=quote.written_by, kind="quote")
    text = f"“{quote.quote}” — {quote.author}"
    if quote.label == "stored":
        support = Support(quote.source or "training data of the adapter", None, quote.quote)
        return Answer(
            asked, "answered", (Sentence(text, (support,)),), reason=quote.told if quote.repeated else "",
            written_by=quote.written_by, likelihood=1.0, kind="quote",
        )  # fmt: skip
    said = f"“{quote.quote}”\n\n({quote.told}.)"
    return Answer(asked, "answered", reason=quote.reason, written_by=quote.written_by, kind="quote", said=said)


def query(view: Assistant, question: str, tables: str) -> Answer:
    """The query for `question`, given the CREATE TABLE statements `tables`. It is run nowhere.

    Raises BadInput for tables that can't be read, and what asking a model raises.
    """
    if not tables.strip():
        raise BadInput(
            "this persona answers about tables: give their CREATE TABLE statements, in chat completions as the system "
            "message, to the tool as `tables`"
        )
    by = view.writing.written_by
    written = writer_of(view.chat if view.writing.model else None).write(question, from_script(tables))
    if written.status == "written":
        return Answer(question, "answered", written_by=by, kind="query", said=written.sql)
    return Answer(question, written.status, reason=written.reason, written_by=by, kind="query")
