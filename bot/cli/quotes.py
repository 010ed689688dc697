"""Commands for quotes: take some in, ask for them, measure a model that writes them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.app import (
    Json,
    ModelName,
    SamplingChanges,
    asked_for,
    eval_app,
    import_app,
    lines_of,
    open_assistant,
    print_json,
)
from data.errors import BadInput

if TYPE_CHECKING:
    from bot.assistant import Assistant


@import_app.command("quotes", epilog="Example: `shawgpt import quotes quotes.csv`")
def import_quotes(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="CSV, JSON lines or a JSON list: quote, author, perhaps tags.")
    ],
    forget: Annotated[bool, typer.Option("--forget", help="Take the quotes of FILE out again.")] = False,
    as_json: Json = False,
) -> None:
    """Read quotes that people really said into the collection. Importing twice changes nothing.

    `ask --persona quotes` finds them, and holds those that a model writes against them. Exit code 1 where rows have no
    quote or no author; each is named.
    """
    from bot.progress import StageProgress
    from bot.show import some
    from bot.show_training import tell_refused

    with open_assistant(context, "import quotes", writing=True) as assistant, StageProgress() as progress:
        done = assistant.import_quotes(file, progress, forget)
    if as_json:
        refused = [{"origin": origin, "reason": reason} for origin, reason in done.refused]
        print_json({"forgotten" if forget else "new": done.new, "total": done.total, "refused": refused})
    else:
        what = "forgotten" if forget else "new"
        typer.echo(f"{some(done.new, 'quote')} {what}, {done.total} in the collection")
        tell_refused(done.refused)
    raise typer.Exit(1 if done.refused else 0)


def ask_for_quotes(assistant: "Assistant", asked: str | None, file: Path | None, count: int, as_json: bool) -> None:
    """What `ask` does with a persona for quotes: `count` of them for each author or topic."""
    from bot.progress import waiting
    from bot.show_quotes import show_quote

    if file is None and (asked is None or not asked.strip()):
        raise BadInput('name an author, as in `shawgpt ask --persona quotes "Ada Winterbourne"`, or --questions FILE')
    for line in lines_of(file, asked, "authors") if file else [asked or ""]:
        with waiting("Looking for quotes" if not assistant.writing.model else "Writing"):
            found = assistant.quotes(line, count)
        for quote in found:
            if as_json or file:
                print_json(quote.as_json(), indent=2 if count == 1 and not file else None)
            else:
                show_quote(quote)


@eval_app.command("quotes", epilog="Example: `shawgpt eval quotes --adapter quotes`")
def eval_quotes(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="Quotes of other authors (the adapter's held-out ones).")
    ] = None,
    adapter: Annotated[str, typer.Option(metavar="NAME", help="As `shawgpt adapters` has it.")] = "",
    model: ModelName = None,
    each: Annotated[int, typer.Option("-n", metavar="N", min=1, max=100, help="Quotes for each author.")] = 1,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="Authors of each side, the first.")] = 100,
    sampling: SamplingChanges = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FOLDER", help="A folder.", show_default="in the adapter's"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure the quotes that a model writes, for authors it learned and for others: new, close to real ones, copies.

    Also whose the copies are, whether quotes end by themselves, their length and variety, and the perplexity of the
    real ones; each with a 95 % interval. Writes quotes.csv and eval.json.
    """
    from bot.eval_quotes import evaluate_quotes
    from bot.progress import StageProgress
    from bot.show_quotes import show_quote_evaluation

    if not adapter:
        raise BadInput("name an adapter with --adapter: `shawgpt adapters` lists them")
    with open_assistant(context, "eval quotes", shared=True) as assistant, StageProgress() as progress:
        assistant.use("quotes", asked_for(None, model, adapter, sampling))
        evaluation = evaluate_quotes(assistant, adapter, file, each, limit, output, progress)
    print_json(evaluation.as_json()) if as_json else show_quote_evaluation(evaluation)
