"""Commands for adapters: train and list them."""

from pathlib import Path
from typing import Annotated

import typer

from bot.cli.app import Json, app, home_of, print_json


@app.command(epilog="Example: `shawgpt train shawgpt-mistral-7b --data replies.csv --dry-run`")
def train(
    context: typer.Context,
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="A YAML file, or a shipped recipe's name.")],
    data: Annotated[Path | None, typer.Option(metavar="FILE", help="Examples, where the recipe names none.")] = None,
    base: Annotated[str | None, typer.Option(metavar="FOLDER", help="The base model's folder or hub name.")] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="The adapter's name (the recipe's).")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what the model would see, and what it takes.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Train an adapter from a recipe. Stopped or killed, run it again: it goes on where it was.

    With --dry-run nothing is trained, and no weights or GPU are needed: the first examples token by token, what of them
    is learned, how long they are, what is refused and why, the steps, the memory and the time. Exit code 1 where
    training would stop before its first step.
    """
    from bot.adapters import choose, read_data, train_adapter
    from bot.progress import TrainProgress
    from bot.show_training import show_dry_run, show_trained, tell_refused

    chosen = choose(recipe, data, base, name)
    if dry_run:
        from finetune.dry_run import dry_run as run_dry
        from finetune.dry_run import expected_tokens

        tokens, note = expected_tokens(chosen)
        run = run_dry(chosen, *read_data(chosen, home_of(context)), tokens)
        print_json({"note": note, **run.as_json()}) if as_json else show_dry_run(run, note)
        raise typer.Exit(1 if run.stops else 0)
    with TrainProgress() as progress:
        trained, refused = train_adapter(chosen, home_of(context), progress, progress.tell)
    if as_json:
        print_json({"folder": str(trained.folder), "refused": refused, "card": trained.card.model_dump(mode="json")})
    else:
        show_trained(trained)
        tell_refused(refused)


@app.command(epilog="Example: `shawgpt adapters`")
def adapters(context: typer.Context, as_json: Json = False) -> None:
    """List the adapters that were trained, and the trainings that can go on."""
    from bot.adapters import list_adapters
    from bot.show_training import show_adapters

    listed = list_adapters(home_of(context))
    if as_json:
        print_json([each.as_json() for each in listed])
    else:
        show_adapters(listed)
