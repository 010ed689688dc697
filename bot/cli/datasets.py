"""Commands for data that goes out to other trainers."""

from pathlib import Path
from typing import Annotated

import typer

from bot.cli.app import Json, app, home_of, print_json

Window = Annotated[
    int, typer.Option("--max-tokens", metavar="N", min=1, help="That OpenAI's model reads of an example.")
]
Epochs = Annotated[
    int | None, typer.Option(metavar="N", min=1, help="Times that each example is seen (OpenAI's default).")
]
Price = Annotated[
    float | None, typer.Option(metavar="DOLLARS", min=0, help="Of a million trained tokens, for the estimate.")
]
WINDOW = 16_385  # as finetune.openai_rules has it, which a test compares


@app.command("export-dataset", epilog="Example: `shawgpt export-dataset replies.csv --format openai -o for-openai`")
def export_dataset(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(metavar="FILE|WORKFOLDER", help="What `train` would learn from.")],
    form: Annotated[str, typer.Option("--format", metavar="FORM", help="openai, sharegpt, alpaca or text.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FOLDER", help="A new folder.", show_default="NAME-FORM")
    ] = None,
    examples: Annotated[
        str | None,
        typer.Option(metavar="FORMAT", help="What FILE holds: replies, review, messages, completion, sql, quotes."),
    ] = None,
    persona: Annotated[str | None, typer.Option(metavar="NAME", help="Who replies (the recipe's, or shawgpt).")] = None,
    recipe: Annotated[
        str | None, typer.Option(metavar="RECIPE", help="Whose format, persona, split and seed are meant.")
    ] = None,
    held_out: Annotated[
        float | None, typer.Option(metavar="SHARE", min=0, max=0.5, help="Goes into validation.jsonl (0.15).")
    ] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", min=0, help="Of the split (42).")] = None,
    window: Window = WINDOW,
    epochs: Epochs = None,
    price: Price = None,
    as_json: Json = False,
) -> None:
    """Write training data as other trainers read it, with the split that `train` would make and the same prompts.

    Writes train.jsonl and validation.jsonl, origins.jsonl (where each line comes from) and dataset.json. The form text
    has a line {"text": …} an example. Files for OpenAI are checked by its own rules. Exit code 1 where rows can't be
    learned from, or OpenAI wouldn't take the files; each is named.
    """
    from bot.datasets import Asked
    from bot.datasets import export_dataset as write
    from bot.progress import StageProgress
    from bot.show_datasets import show_exported_dataset

    asked = Asked(persona, recipe, examples, held_out, seed, window, epochs, price)
    with StageProgress() as progress:
        exported = write(source, form, output, home_of(context), asked, progress)
    print_json(exported.as_json()) if as_json else show_exported_dataset(exported)
    raise typer.Exit(1 if exported.refused or any(file.refused for file in exported.checked) else 0)


@app.command("check-dataset", epilog="Example: `shawgpt check-dataset train.jsonl --validation validation.jsonl`")
def check_dataset(
    train: Annotated[Path | None, typer.Argument(metavar="TRAIN.jsonl", help="The examples to train on.")] = None,
    validation: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Those to measure on, of which there may be few.")
    ] = None,
    window: Window = WINDOW,
    epochs: Epochs = None,
    price: Price = None,
    as_json: Json = False,
) -> None:
    """Check files for OpenAI's fine-tuning by its own rules, before they are uploaded; count tokens, estimate the cost.

    Nothing is sent anywhere. Exit code 1 where OpenAI wouldn't take a file; each line is named with the reason.
    """
    from bot.datasets import Asked
    from bot.datasets import check_dataset as check
    from bot.progress import StageProgress
    from bot.show_datasets import show_checked_dataset

    with StageProgress() as progress:
        checked = check(train, validation, Asked(window=window, epochs=epochs, price=price), progress)
    print_json(checked.as_json()) if as_json else show_checked_dataset(checked)
    raise typer.Exit(1 if checked.refused else 0)
