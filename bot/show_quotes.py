"""What `shawgpt ask` with a persona for quotes, and `eval quotes`, print for people."""

from typing import TYPE_CHECKING

from rich.text import Text

from bot.show import out, some, table_of
from data.hidden import show_hidden

if TYPE_CHECKING:
    from bot.eval_quotes import QuoteEvaluation
    from bot.quotes import Quote
    from finetune.quote_figures import Measured

TITLES = {"learned": "authors it learned", "others": "other authors"}

STYLES = {"stored": "green", "generated": "yellow", "close": "bold yellow", "none": "yellow"}


def show_quote(quote: "Quote") -> None:
    """A quote, what it is, and of a generated one what it is most like."""
    if quote.quote:
        _line(f"“{quote.quote}”")
    _line(f"  {quote.told}" if quote.quote else quote.told, STYLES[quote.label])
    if quote.nearest and quote.label in ("generated", "close"):
        near = quote.nearest
        like = f"{near.overlap:.0%} of its words" + (f", meaning {near.cosine:.2f}" if near.cosine else "")
        _line(f"  nearest real one ({like}): “{near.quote}” {near.author}, {near.source}", "dim")
    if quote.quote and quote.reason:
        _line(f"  {quote.reason}", "dim")
    _line(f"  responder: {quote.written_by}\n" if quote.quote else "", "dim")


def show_quote_evaluation(evaluation: "QuoteEvaluation") -> None:
    """The table of an evaluation, a column for each side."""
    _line(f"{evaluation.adapter}, held against {evaluation.known} real quotes", "bold")
    table = table_of("", *(f"{TITLES[s.name]} ({s.authors}), {some(len(s.quotes), 'quote')}" for s in evaluation.sides))
    for row in zip(*(side.figures for side in evaluation.sides), strict=True):
        table.add_row(row[0].title, *(_cell(each) for each in row))
    out.print(table)
    _line("Behind each figure: its 95 % interval. Lower perplexity: the model finds the real quotes likelier.", "dim")
    _line(f"  quotes.csv and eval.json are in {evaluation.folder}", "dim")


def _cell(measured: "Measured") -> str:
    found = measured.figure
    if found is None:
        return "–"
    form = "{:.0%}" if measured.share else "{:,.2f}"
    between = "" if found.low is None or found.high is None else f" ({form} … {form})".format(found.low, found.high)
    return form.format(found.value) + between


def _line(text: str, style: str = "") -> None:
    out.print(Text("\n".join(show_hidden(line) for line in text.split("\n")), style=style), highlight=False)
