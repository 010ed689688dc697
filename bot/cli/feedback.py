"""What those who asked think of the answers, for somebody to act on."""

from pathlib import Path
from typing import Annotated

import typer

from bot.cli.app import Json, app, open_assistant, print_json
from data.errors import BadInput


@app.command(epilog="Example: `shawgpt feedback --bad -o feedback.csv`")
def feedback(
    context: typer.Context,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE.csv", help="Write them to a CSV file instead.")
    ] = None,
    bad: Annotated[bool, typer.Option("--bad", help="Only those that were rated bad.")] = False,
    as_json: Json = False,
) -> None:
    """List the answers that were rated on the page, newest first, with the question, the sources and the note."""
    from bot.exporting import feedback_json, write_feedback
    from bot.show import show_feedback, some

    if output and output.suffix.lower() != ".csv":
        raise BadInput(f"{output}: it is a CSV file that is written, so give a name that ends in .csv")
    with open_assistant(context, "feedback") as assistant:
        rated = [each for each in assistant.conversations.rated() if not bad or each[1].rating == -1]
    if output:
        write_feedback(rated, output)
        typer.echo(f"wrote {some(len(rated), 'rated answer')} to {output}", err=True)
    if as_json:
        print_json(feedback_json(rated))
    elif not output:
        show_feedback(rated)
