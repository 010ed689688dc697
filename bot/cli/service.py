"""Commands that serve the page and look after the work folder."""

import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from bot.cli.app import (
    AdapterName,
    BaseUrl,
    CallChanges,
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
    tell_where,
)
from data.errors import BadInput


@app.command(epilog="Example: `shawgpt serve --port 8080`")
def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Address; other than loopback needs --auth.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for any free one.")] = 7860,
    auth: Annotated[
        str | None, typer.Option(metavar="USER:PASSWORD", help="Ask for a login.", envvar="SHAWGPT_AUTH")
    ] = None,
    api_keys: Annotated[
        Path | None,
        typer.Option(
            "--api-key-file",
            metavar="FILE",
            help="API keys, one a line: programs need one of them (also SHAWGPT_API_KEYS, with commas between). "
            "Without keys programs on this computer are let in, and no others.",
            envvar="SHAWGPT_API_KEY_FILE",
        ),
    ] = None,
    api_rate: Annotated[
        int, typer.Option("--api-rate", metavar="N", min=1, max=1_000_000, help="Requests a minute of each API key.")
    ] = 600,
    persona: PersonaName = None,
    responder: ResponderName = None,
    model: ModelName = None,
    adapter: AdapterName = None,
    sampling: SamplingChanges = None,
    base_url: BaseUrl = None,
    calls: CallChanges = None,
    kb: Kb = None,
    compiled: Annotated[
        bool,
        typer.Option(
            "--compile", help="Compile the model: a minute at the start, then replies come faster (GPU; untried there)."
        ),
    ] = False,
) -> None:
    """Open the page: ask the documents, draft replies, manage documents.

    Programs are answered at the same address: OpenAI's API at /v1, MCP at /mcp, /healthz, /metrics (docs/service.md).
    """
    from bot.page import serve as serve_page
    from bot.ready import check_ready
    from bot.service.access import Access
    from bot.service.keys import VARIABLE, load_keys

    access = Access(load_keys(api_keys, os.environ.get(VARIABLE, "")), api_rate)
    with open_assistant(context, "serve", writing=True) as assistant:
        asked = asked_for(responder, model, adapter, sampling, base_url, calls)
        assistant.use(persona, replace(asked, compiled=compiled), kb)
        if compiled and assistant.writing.written_by.responder != "local":
            raise BadInput("--compile is for a model on this computer: add --responder local, or leave it out")
        check_ready(assistant.writing, _say)
        tell_where(assistant)
        serve_page(assistant, host, port, auth, access)


@app.command(epilog="Example: `shawgpt mcp --persona maya`, as the command of a desktop client's MCP server")
def mcp(
    context: typer.Context,
    persona: PersonaName = None,
    responder: ResponderName = None,
    model: ModelName = None,
    adapter: AdapterName = None,
    sampling: SamplingChanges = None,
    base_url: BaseUrl = None,
    calls: CallChanges = None,
    kb: Kb = None,
) -> None:
    """Be an MCP server on stdin and stdout, for a client that starts it: ask, search, draft_reply.

    It reads what is in the work folder and changes nothing (docs/service.md).
    """
    from bot.ready import check_ready
    from bot.service.stdio import serve_stdio

    with open_assistant(context, "mcp", shared=True) as assistant:
        assistant.use(persona, asked_for(responder, model, adapter, sampling, base_url, calls), kb)
        check_ready(assistant.writing, _say)
        tell_where(assistant)
        serve_stdio(assistant)


def _say(told: str) -> None:
    typer.echo(told, err=True)


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
