"""Commands that serve the page and look after the work folder."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.app import (
    AdapterName,
    Json,
    Kb,
    ModelName,
    PersonaName,
    ResponderName,
    SamplingChanges,
    app,
    asked_for,
    home_of,
    open_assistant,
    print_json,
)
from data.errors import BadInput

if TYPE_CHECKING:
    from bot.responders import Writing


@app.command(epilog="Example: `shawgpt serve --port 8080`")
def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Address; other than loopback needs --auth.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for any free one.")] = 7860,
    auth: Annotated[
        str | None, typer.Option(metavar="USER:PASSWORD", help="Ask for a login.", envvar="SHAWGPT_AUTH")
    ] = None,
    persona: PersonaName = None,
    responder: ResponderName = None,
    model: ModelName = None,
    adapter: AdapterName = None,
    sampling: SamplingChanges = None,
    kb: Kb = None,
    compiled: Annotated[
        bool,
        typer.Option(
            "--compile", help="Compile the model: a minute at the start, then replies come faster (GPU; untried there)."
        ),
    ] = False,
) -> None:
    """Open the page: ask the documents, draft replies, manage documents."""
    from bot.page import serve as serve_page

    with open_assistant(context, "serve", writing=True) as assistant:
        assistant.use(persona, replace(asked_for(responder, model, adapter, sampling), compiled=compiled), kb)
        if compiled and assistant.writing.written_by.responder != "local":
            raise BadInput("--compile is for a model on this computer: add --responder local, or leave it out")
        _check_model(assistant.writing)
        serve_page(assistant, host, port, auth)


def _check_model(writing: "Writing") -> None:
    """Find what a model needs before anybody asks it: itself, downloaded where it must be, and its adapter as trained.

    Raises ShawGPTError.
    """
    from bot.page.desk import OF_THE_HUB
    from finetune.base import find_base, fingerprint, how_quantised
    from finetune.card import check_card

    if not writing.model:
        return
    if OF_THE_HUB.fullmatch(writing.model) and not Path(writing.model).exists():
        typer.echo(f"finding {writing.model} (it is downloaded where it isn't on this computer yet)", err=True)
    base = find_base(writing.model, writing.revision)
    how_quantised(base)
    if writing.adapter:
        check_card(writing.adapter, fingerprint(base))


@app.command(epilog="Example: `shawgpt doctor --rebuild`")
def doctor(
    context: typer.Context,
    rebuild: Annotated[bool, typer.Option(help="Make the vector index again from the database.")] = False,
    reembed: Annotated[bool, typer.Option(help="Embed everything again with the present embedding model.")] = False,
    backup: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a copy of the database.")] = None,
    restore: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Put a copy in the place of the database.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check the installation and the work folder, and mend the vector index. Exit code 1 if something is wrong."""
    from bot.doctor import examine, restore_backup
    from bot.show import show_findings
    from data.workfolder import WorkFolder

    if restore and backup:
        raise BadInput("--restore and --backup in one: write the back-up first, then restore the other")
    home = home_of(context)
    restored = [restore_backup(home, restore)] if restore else []
    mending = rebuild or reembed or not home.exists() or WorkFolder(home, writing=False).writable
    with open_assistant(context, "doctor", writing=mending) as assistant:
        findings = restored + examine(assistant, rebuild or restore is not None, reembed, backup)
    print_json([asdict(finding) for finding in findings]) if as_json else show_findings(findings)
    if not all(finding.good for finding in findings):
        raise typer.Exit(1)
