"""Commands for comments: draft replies, take in past ones, make personas."""

from pathlib import Path
from typing import Annotated

import typer

from bot.cli.app import (
    AdapterName,
    BaseUrl,
    CallChanges,
    CommentColumn,
    Json,
    Kb,
    ModelName,
    PersonaName,
    ReplyColumn,
    ResponderName,
    SamplingChanges,
    app,
    asked_for,
    home_of,
    import_app,
    open_assistant,
    persona_app,
    print_json,
    tell_where,
)


@app.command(epilog="Example: `shawgpt reply comments.csv -o replies.csv`")
def reply(
    context: typer.Context,
    comments: Annotated[Path, typer.Argument(metavar="COMMENTS", help="A CSV file with a column of comments.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="REPLIES.csv", help="The CSV file to write.")],
    persona: PersonaName = None,
    responder: ResponderName = None,
    model: ModelName = None,
    adapter: AdapterName = None,
    sampling: SamplingChanges = None,
    base_url: BaseUrl = None,
    calls: CallChanges = None,
    kb: Kb = None,
    column: Annotated[str | None, typer.Option(metavar="NAME", help="The column with the comments.")] = None,
    limit: Annotated[int | None, typer.Option(metavar="N", min=1, help="The first N comments only.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Start again, even where REPLIES.csv has drafts.")] = False,
    show: Annotated[bool, typer.Option("--table", help="Print the drafts as a table at the end.")] = False,
    as_json: Json = False,
) -> None:
    """Draft a reply to every comment of a CSV file. Stopped or killed, run it again: it goes on where it was.

    Adds the columns reply, status, intent, flags, sources, responder, adapter; in a file that has all of them, an
    earlier output, they are made anew. A status of needs_you means that the comment is left to you, with the reason in
    flags. REPLIES.csv is UTF-8, with the delimiter of COMMENTS (comma, semicolon, tab), and a byte order mark where
    that has one. The page of `shawgpt serve` opens the latest drafts. Exit code 1 if a row failed.
    """
    from bot.drafts_log import DraftLog, OutputRecord
    from bot.progress import ReplyProgress
    from bot.reply import reply_to_csv
    from bot.show import show_drafts, some
    from data.hidden import show_hidden

    with open_assistant(context, "reply", shared=True) as assistant:
        assistant.use(persona, asked_for(responder, model, adapter, sampling, base_url, calls), kb, "reply")
        if kb is not None:
            assistant.sources(kb)  # raises where there is none of that name, which would fail every row
        tell_where(assistant)
        record = OutputRecord(DraftLog(assistant.database), assistant.persona_slug, assistant.kb)
        with ReplyProgress() as progress:

            def together() -> int:
                progress.tell(f"loading {assistant.writing.model or 'what drafts need'}")
                return assistant.responder.together

            state = reply_to_csv(
                comments, output, assistant.drafts, assistant.writing.written_by, column, limit, overwrite, progress,
                record, together,
            )  # fmt: skip
        used = assistant.usage
    if record.trouble:
        typer.echo(f"shawgpt: the page will not show all of these drafts: {record.trouble}", err=True)
    if state.doubled:
        names = ", ".join(state.doubled)
        typer.echo(f"shawgpt: {comments} has {names} of its own: they are kept, and the drafts' are the last", err=True)
    counts = dict(sorted(state.counts.items()))
    if as_json:
        print_json(
            {
                "output": str(output),
                "rows": state.done,
                "resumed": state.resumed,
                "counts": counts,
                "usage": used.as_json() if used else None,
            }
        )
    else:
        if show:
            show_drafts(output, column)
        if not state.total:
            typer.echo(f"{comments} has no comments under its header", err=True)
        elif state.resumed == state.total:
            typer.echo(
                f"{output} was complete already ({some(state.total, 'row')}); --overwrite drafts them again", err=True
            )
        told = show_hidden(", ".join(f"{n} {status}" for status, n in counts.items())) or "nothing to draft"
        typer.echo(f"{output}: {some(state.done, 'row')} ({told})" + (f"; {used}" if used else ""))
    if counts.get("failed"):
        raise typer.Exit(1)


@import_app.command("replies", epilog="Example: `shawgpt import replies past.csv`")
def import_replies(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A CSV file with columns such as Comment,Response.")],
    comment_column: CommentColumn = None,
    reply_column: ReplyColumn = None,
    as_json: Json = False,
) -> None:
    """Read past comments with the creator's replies into style memory. Importing twice changes nothing."""
    from bot.show import some

    with open_assistant(context, "import replies", writing=True) as assistant:
        new, total, skipped = assistant.import_replies(file, comment_column, reply_column)
    if as_json:
        print_json({"new": new, "total": total, "skipped": skipped})
    else:
        also = f"; {some(skipped, 'row')} without a comment or a reply passed over" if skipped else ""
        typer.echo(f"{new} new past {'reply' if new == 1 else 'replies'}, {total} in style memory{also}")


@persona_app.command("new", epilog="Example: `shawgpt persona new Maya --from past.csv`")
def persona_new(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="As the page shows it; the file's name is made from it.")],
    replies: Annotated[Path, typer.Option("--from", metavar="REPLIES.csv", help="Past comments with the replies.")],
    comment_column: CommentColumn = None,
    reply_column: ReplyColumn = None,
    as_json: Json = False,
) -> None:
    """Write a persona file from a creator's past replies: signature, lengths, openings, emoji."""
    from bot.pairs import read_pairs
    from data.manner import persona_from_replies
    from data.persona import save_persona

    pairs, _ = read_pairs(replies, comment_column, reply_column)
    persona = persona_from_replies(name, pairs)
    path = save_persona(persona, home_of(context))
    if as_json:
        print_json({"persona": path.stem, "file": str(path)})
    else:
        if not persona.signature:
            typer.echo("no signature found: no words end enough of the replies; write yours into `signature:`")
        typer.echo(f"{path}: read it through, then use it with --persona {path.stem}")


@persona_app.command("list", epilog="Example: `shawgpt persona list`")
def persona_list(context: typer.Context, as_json: Json = False) -> None:
    """List the personas, shipped and own."""
    from data.hidden import show_hidden
    from data.persona import Persona, list_personas

    found = list_personas(home_of(context))
    if as_json:
        print_json({slug: p.name if isinstance(p, Persona) else {"error": p} for slug, p in found.items()})
    else:
        for slug, persona in found.items():
            told = f"{persona.name}, {persona.responder}" if isinstance(persona, Persona) else f"not usable: {persona}"
            typer.echo(show_hidden(f"{slug}\t{told}"))


@persona_app.command("show", epilog="Example: `shawgpt persona show shawgpt`")
def persona_show(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="As `persona list` has it.")],
    as_json: Json = False,
) -> None:
    """Print a persona as YAML: copy it to start one of your own."""
    from data.persona import load_persona, to_yaml

    persona = load_persona(name, home_of(context))
    print_json(persona.model_dump(mode="json")) if as_json else typer.echo(to_yaml(persona), nl=False)
