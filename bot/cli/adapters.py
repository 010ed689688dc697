"""Commands for adapters: train, list, export and measure them."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.app import Json, app, eval_app, home_of, print_json
from data.errors import BadInput
from finetune.processes import count, launch, one_voice, shares


@app.command(epilog="Example: `shawgpt train shawgpt-mistral-7b --data replies.csv --dry-run`")
@one_voice()
def train(
    context: typer.Context,
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="A YAML file, or a shipped recipe's name.")],
    data: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Examples, where the recipe names none; for format review a work folder."),
    ] = None,
    base: Annotated[str | None, typer.Option(metavar="FOLDER", help="The base model's folder or hub name.")] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="The adapter's name (the recipe's).")] = None,
    persona: Annotated[str | None, typer.Option(metavar="NAME", help="Who replies (the recipe's).")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what the model would see, and what it takes.")
    ] = False,
    processes: Annotated[
        int | None, typer.Option(metavar="N", min=2, help="Train in N processes of this machine, one a GPU.")
    ] = None,
    ray: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Train in N workers on Ray (RAY_ADDRESS, or here)."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Train an adapter from a recipe. Stopped or killed, run it again: it goes on where it was.

    With --dry-run nothing is trained, and no weights or GPU are needed: the first examples token by token, what of them
    is learned, how long they are, what is refused and why, the steps, the memory and the time. Exit code 1 where
    training would stop before its first step.
    """
    from bot.adapters import choose, read_data, train_adapter, train_on_ray
    from bot.progress import TrainProgress
    from bot.show_training import show_dry_run, show_trained, tell_refused

    chosen = choose(recipe, data, base, name, persona)
    if dry_run:
        from finetune.dry_run import dry_run as run_dry
        from finetune.dry_run import expected_tokens

        workers = processes or ray or 1
        shares(chosen.batch_size, chosen.accumulation, workers)  # raises where they can't
        tokens, note = expected_tokens(chosen)
        run = run_dry(chosen, *read_data(chosen, home_of(context)), tokens)
        print_json({"note": note, **run.as_json()}) if as_json else show_dry_run(run, note, workers)
        raise typer.Exit(1 if run.stops else 0)
    if processes and ray:
        raise BadInput("--processes and --ray in one: give one of them")
    if processes and count() == 1:  # else this is one of them
        shares(chosen.batch_size, chosen.accumulation, processes)
        command = [sys.executable, "-c", "from bot.cli import main; main()", *sys.argv[1:]]
        raise typer.Exit(launch(processes, command))
    with TrainProgress() as progress:
        if ray:
            progress.tell(f"training in {ray} workers on Ray")
            trained, refused = train_on_ray(chosen, home_of(context), ray)
        else:
            trained, refused = train_adapter(chosen, home_of(context), progress, progress.tell)
    if as_json:
        print_json({"folder": str(trained.folder), "refused": refused, "card": trained.card.model_dump(mode="json")})
    else:
        show_trained(trained)
        tell_refused(refused)


@app.command(epilog="Example: `shawgpt export shawgpt-mistral-7b --to merged`")
def export(
    context: typer.Context,
    adapter: Annotated[str, typer.Argument(metavar="ADAPTER", help="As `shawgpt adapters` has it.")],
    to: Annotated[str, typer.Option(metavar="FORM", help="merged, lora (for vLLM) or gguf-lora (for llama.cpp).")] = "",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FOLDER", help="A new folder.", show_default="NAME-FORM")
    ] = None,
    base: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="The base's folder, where it isn't where it was.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write an adapter in a form that other programs serve: a whole model, or a LoRA for vLLM or llama.cpp.

    A merged model is made from the base's own weights, and compared with base and adapter before it takes its name; one
    that would not write the same is refused. What the adapter was trained on is not in any of them.
    """
    from bot.adapters import find_adapter
    from bot.progress import StageProgress
    from bot.show_training import show_exported
    from finetune.export import FORMS
    from finetune.export import export as export_adapter

    form = next((known for known in FORMS if known == to), None)
    if form is None:
        raise BadInput(
            "say with --to in which form: merged (a whole model), lora (for vLLM, over the base) or gguf-lora (for "
            f"llama.cpp, over the base){f'; there is no {to!r}' if to else ''}"
        )
    with StageProgress() as progress:
        exported = export_adapter(find_adapter(adapter, home_of(context)), form, output, base, progress)
    print_json(exported.as_json()) if as_json else show_exported(exported)


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


@eval_app.command("replies", epilog="Example: `shawgpt eval replies --adapter shawgpt-mistral-7b`")
def eval_replies(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(metavar="REPLIES.csv", help="Comments with replies (the adapter's held-out ones).")
    ] = None,
    adapter: Annotated[str, typer.Option(metavar="NAME", help="As `shawgpt adapters` has it.")] = "",
    model: Annotated[
        str | None, typer.Option("--model", metavar="FOLDER", help="The base's folder, where it isn't where it was.")
    ] = None,
    limit: Annotated[int | None, typer.Option(metavar="N", min=1, help="The first N pairs only.")] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FOLDER", help="A folder.", show_default="evaluation, in the adapter's"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare an adapter's replies with its base's and with style memory's, on pairs that none of them learned from.

    Perplexity, signature, where replies stop, length, closeness to the creator's own, variety, and copies of training
    replies, each with a 95 % interval. Writes replies.csv, eval.json and a picture.
    """
    from bot.adapters import find_adapter, list_adapters
    from bot.eval_replies import evaluate_adapter
    from bot.progress import StageProgress
    from bot.show_eval import show_evaluation

    home = home_of(context)
    if not adapter:
        known = ", ".join(each.name for each in list_adapters(home) if each.card)
        raise BadInput(f"name an adapter with --adapter ({known or 'there is none yet: `shawgpt train` makes one'})")
    find_adapter(adapter, home)
    with StageProgress() as progress:
        evaluation = evaluate_adapter(adapter, home, file, model, limit, output, progress)
    print_json(evaluation.as_json()) if as_json else show_evaluation(evaluation)
