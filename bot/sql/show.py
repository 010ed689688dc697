"""What the commands print about questions to tables."""

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from bot.show import out, some
from bot.sql.evaluate import LEVELS
from data.hidden import show_hidden

if TYPE_CHECKING:
    from bot.sql.ask import Answer
    from bot.sql.evaluate import Evaluation, Judged
    from bot.sql.reader import Cell
    from finetune.intervals import Figure

SHOWN = 50  # rows in the terminal
WIDE = 60  # characters of a cell there
NAMED = 10


def show_answer(given: "Answer") -> None:
    """The query, and its table or why there is none."""
    if given.sql:
        _line(given.sql, "bold")
    if given.reason:
        _line(("No query: " if given.status == "abstained" else "It can't be run: ") + given.reason, "yellow")
    if given.result is not None:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in given.result.columns:
            table.add_column(Text(_cell(name)))
        for row in given.result.rows[:SHOWN]:
            table.add_row(*(Text(_cell(cell)) for cell in row))
        out.print(table)
        rows = len(given.result.rows)
        more = " and more" if given.result.truncated else ""
        shown = f", the first {SHOWN} shown" if rows > SHOWN else ""
        _line(f"{some(rows, 'row')}{more}{shown}", "dim")
    _line(f"written by {given.responder}", "dim")


def show_evaluation(evaluation: "Evaluation") -> None:
    """The figures of an evaluation."""
    judged = evaluation.judged
    on = some(evaluation.databases, "made-up database") if evaluation.databases > 1 else "the database"
    _line(f"{evaluation.responder}, on {some(len(judged), 'question')} of {evaluation.file}, run on {on}", "bold")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("", "questions", "execution accuracy", "exact-set match"):
        table.add_column(name)
    counted = evaluation.counted
    levels = [level for level in LEVELS if any(each.hardness == level for each in counted)]
    for level in levels if len(levels) > 1 else []:

        def of(each: "Judged", level: str = level) -> bool:
            return each.hardness == level

        right, exact = evaluation.share(lambda e: e.right, of), evaluation.share(lambda e: e.exact, of)
        table.add_row(level, f"{sum(map(of, counted)):,}", _figure(right), _figure(exact))
    right, exact = evaluation.share(lambda e: e.right), evaluation.share(lambda e: e.exact)
    table.add_row("all", f"{len(counted):,}", _figure(right), _figure(exact))
    answered = evaluation.share(lambda e: e.right, lambda e: e.problem != "abstained")
    if answered and answered.pairs < len(counted):
        table.add_row("answered", f"{answered.pairs:,}", _figure(answered), "")
    out.print(table)
    if problems := evaluation.problems:
        _line("no table to compare: " + ", ".join(f"{count} {kind}" for kind, count in problems.items()), "dim")
    if empty := sum(not each.finds for each in counted):
        _line(f"{some(empty, 'gold query')} found nothing or zero on any database".replace("querys", "queries"), "dim")
    bad = [each for each in judged if not each.runs]
    for each in bad[:NAMED]:
        _line(f"  {each.asked.origin}: its gold query doesn't run ({each.reason}); it is in no figure", "yellow")
    if len(bad) > NAMED:
        _line(f"  and {len(bad) - NAMED} more gold queries that don't run", "yellow")
    for reason in evaluation.refused[:NAMED]:
        _line(f"  {reason}", "yellow")
    if len(evaluation.refused) > NAMED:
        _line(f"  and {len(evaluation.refused) - NAMED} more rows that can't be asked", "yellow")
    if evaluation.folder:
        _line(f"  queries.csv and eval.json are in {evaluation.folder}", "dim")


def _figure(figure: "Figure | None") -> str:
    if figure is None:
        return ""
    between = f" ({figure.low:.1%} to {figure.high:.1%})" if figure.low is not None and figure.high is not None else ""
    return f"{figure.value:.1%}{between}"


def _cell(cell: "Cell") -> str:
    said = show_hidden(" ".join(("NULL" if cell is None else str(cell)).split()))
    return said if len(said) <= WIDE else f"{said[: WIDE - 1]}…"


def _line(text: str, style: str = "") -> None:
    out.print(Text(show_hidden(text)), style=style or None, soft_wrap=True)
