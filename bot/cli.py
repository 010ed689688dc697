"""The `shawgpt` command. Each command parses, calls one function of the assistant, and prints."""

import json
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from data.errors import BadInput, ShawGPTError

if TYPE_CHECKING:
    from bot.assistant import Assistant

app = typer.Typer(
    name="shawgpt",
    help="Draft grounded replies in a creator's own manner, and ask one's documents. Offline, with sources.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
import_app = typer.Typer(help="Take in what a creator has: past replies.", no_args_is_help=True)
persona_app = typer.Typer(help="Who replies: make, list and show personas.", no_args_is_help=True)
app.add_typer(import_app, name="import")
app.add_typer(persona_app, name="persona")

STOPPED = 130  # the exit code after Ctrl-C
USAGE_ERROR: Any = typer.BadParameter.__base__  # of click, which Typer brings with it and gives no name to

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Kb = Annotated[str | None, typer.Option("--kb", metavar="NAME", help="Knowledge base (the persona's, or 'default').")]
PersonaName = Annotated[str, typer.Option("--persona", metavar="NAME", help="Who replies.")]
CommentColumn = Annotated[str | None, typer.Option(metavar="NAME", help="The column with the comments.")]
ReplyColumn = Annotated[str | None, typer.Option(metavar="NAME", help="The column with the replies.")]
ResponderName = Annotated[str | None, typer.Option("--responder", metavar="NAME", help="What writes (the persona's).")]


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"shawgpt {version('shawgpt')}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    home: Annotated[
        Path | None,
        typer.Option(help="Work folder.", envvar="SHAWGPT_HOME", show_default=".shawgpt in the current folder"),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Options of every command."""
    context.obj = home


@app.command(epilog="Example: `shawgpt ingest guide.pdf posts/ https://example.com/feed.xml`")
def ingest(
    context: typer.Context,
    what: Annotated[
        list[str], typer.Argument(metavar="PATH|URL...", help="Files, folders, globs, pages, feeds, sitemaps.")
    ],
    into: Annotated[str, typer.Option(metavar="NAME", help="Knowledge base.")] = "default",
    password: Annotated[str | None, typer.Option(help="For encrypted PDFs.", envvar="SHAWGPT_PDF_PASSWORD")] = None,
    as_json: Json = False,
) -> None:
    """Read documents into a knowledge base: PDF, HTML, Markdown, text, DOCX, or a whole blog by its feed or sitemap.

    What is unchanged since the last time is passed over; what can't be read is named with the reason (exit code 1).
    """
    from bot.progress import IngestProgress
    from bot.show import show_report, tell_failures

    if not all(name.strip() for name in what):  # `shawgpt ingest "$FOLDER"` with FOLDER unset is not the current folder
        raise BadInput("one of the paths is empty: give files, folders, globs or addresses (. is the current folder)")
    with _assistant(context, "ingest", writing=True) as assistant, IngestProgress() as progress:
        report = assistant.ingest(what, into, password, progress)
    _print_json(report.as_json()) if as_json else show_report(report)
    if report.count("empty", "rejected"):
        if as_json or not sys.stdout.isatty():  # a person sees the table
            tell_failures(report)
        raise typer.Exit(1)


@app.command(epilog="Example: `shawgpt sources --kb default`")
def sources(context: typer.Context, kb: Kb = None, as_json: Json = False) -> None:
    """List the documents of a knowledge base."""
    from bot.show import show_sources

    with _assistant(context, "sources") as assistant:
        found = assistant.sources(kb)
    _print_json([asdict(source) for source in found]) if as_json else show_sources(found)


@app.command(epilog="Example: `shawgpt forget posts/old.md`")
def forget(
    context: typer.Context,
    source: Annotated[list[str], typer.Argument(metavar="SOURCE...", help="Paths or URLs as `sources` lists them.")],
    kb: Kb = None,
    as_json: Json = False,
) -> None:
    """Remove documents with everything made from them. None is removed if one of them is unknown."""
    from bot.show import some

    with _assistant(context, "forget", writing=True) as assistant:
        removed = assistant.forget(source, kb)
    if as_json:
        _print_json(removed)
    else:
        for name, chunks in removed.items():
            typer.echo(f"forgot {name} ({some(chunks, 'chunk')})")


@app.command(epilog='Example: `shawgpt search "how long does the dough rest" -k 3`')
def search(
    context: typer.Context,
    query: Annotated[str | None, typer.Argument(help="What to look for.")] = None,
    k: Annotated[int, typer.Option("-k", min=1, max=100, help="Passages.")] = 5,
    queries: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A query a line; prints a JSON line each.")
    ] = None,
    kb: Kb = None,
    as_json: Json = False,
) -> None:
    """Show the passages that fit a query best, with title, page and score."""
    from bot.progress import waiting
    from bot.show import show_passages

    with _assistant(context, "search") as assistant:
        if queries:
            for line in _lines(queries, query, "queries"):
                _print_json(_search_json(assistant, line, k, kb), indent=None)
        elif query is None or not query.strip():
            raise BadInput('give a query, as in `shawgpt search "how long does it rest"`, or --queries FILE')
        elif as_json:
            _print_json(_search_json(assistant, query, k, kb))
        else:
            with waiting("Searching"):
                found = assistant.search(query, k, kb)
            show_passages(found)


@app.command(epilog='Example: `shawgpt ask "How long does the dough rest?"`')
def ask(
    context: typer.Context,
    question: Annotated[str | None, typer.Argument(help="What to answer from the documents.")] = None,
    questions: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A question a line; prints a JSON line each.")
    ] = None,
    persona: PersonaName = "shawgpt",
    responder: ResponderName = None,
    kb: Kb = None,
    as_json: Json = False,
) -> None:
    """Answer a question from the documents, each sentence with its source; or say that they don't answer it."""
    from bot.progress import waiting
    from bot.show import show_answer

    with _assistant(context, "ask") as assistant:
        assistant.use(persona, responder, kb)
        if questions:
            for line in _lines(questions, question, "questions"):
                _print_json(assistant.answer(line).as_json(), indent=None)
        elif question is None or not question.strip():
            raise BadInput('give a question, as in `shawgpt ask "How long does it rest?"`, or --questions FILE')
        elif as_json:
            _print_json(assistant.answer(question).as_json())
        else:
            with waiting("Looking it up"):
                given = assistant.answer(question)
            show_answer(given)


@app.command(epilog="Example: `shawgpt reply comments.csv -o replies.csv`")
def reply(
    context: typer.Context,
    comments: Annotated[Path, typer.Argument(metavar="COMMENTS", help="A CSV file with a column of comments.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="REPLIES.csv", help="The CSV file to write.")],
    persona: PersonaName = "shawgpt",
    responder: ResponderName = None,
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
    from data.persona import slug

    with _assistant(context, "reply", shared=True) as assistant:
        assistant.use(persona, responder, kb)
        if kb is not None:
            assistant.sources(kb)  # raises where there is none of that name, which would fail every row
        record = OutputRecord(DraftLog(assistant.database), slug(persona), assistant.kb)
        with ReplyProgress() as progress:
            state = reply_to_csv(
                comments, output, assistant.draft, assistant.responder_name, column, limit, overwrite, progress, record
            )
    if record.trouble:
        typer.echo(f"shawgpt: the page will not show all of these drafts: {record.trouble}", err=True)
    if state.doubled:
        names = ", ".join(state.doubled)
        typer.echo(f"shawgpt: {comments} has {names} of its own: they are kept, and the drafts' are the last", err=True)
    counts = dict(sorted(state.counts.items()))
    if as_json:
        _print_json({"output": str(output), "rows": state.done, "resumed": state.resumed, "counts": counts})
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
        typer.echo(f"{output}: {some(state.done, 'row')} ({told})")
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

    with _assistant(context, "import replies", writing=True) as assistant:
        new, total, skipped = assistant.import_replies(file, comment_column, reply_column)
    if as_json:
        _print_json({"new": new, "total": total, "skipped": skipped})
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
    path = save_persona(persona_from_replies(name, pairs), _home(context))
    if as_json:
        _print_json({"persona": path.stem, "file": str(path)})
    else:
        typer.echo(f"{path}: read it through, then use it with --persona {path.stem}")


@persona_app.command("list", epilog="Example: `shawgpt persona list`")
def persona_list(context: typer.Context, as_json: Json = False) -> None:
    """List the personas, shipped and own."""
    from data.persona import Persona, list_personas

    found = list_personas(_home(context))
    if as_json:
        _print_json({slug: p.name if isinstance(p, Persona) else {"error": p} for slug, p in found.items()})
    else:
        for slug, persona in found.items():
            told = f"{persona.name}, {persona.responder}" if isinstance(persona, Persona) else f"not usable: {persona}"
            typer.echo(f"{slug}\t{told}")


@persona_app.command("show", epilog="Example: `shawgpt persona show shawgpt`")
def persona_show(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="As `persona list` has it.")],
    as_json: Json = False,
) -> None:
    """Print a persona as YAML: copy it to start one of your own."""
    from data.persona import load_persona, to_yaml

    persona = load_persona(name, _home(context))
    _print_json(persona.model_dump(mode="json")) if as_json else typer.echo(to_yaml(persona), nl=False)


@app.command(epilog="Example: `shawgpt serve --port 8080`")
def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Address; other than loopback needs --auth.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for any free one.")] = 7860,
    auth: Annotated[
        str | None, typer.Option(metavar="USER:PASSWORD", help="Ask for a login.", envvar="SHAWGPT_AUTH")
    ] = None,
    persona: PersonaName = "shawgpt",
    responder: ResponderName = None,
    kb: Kb = None,
) -> None:
    """Open the page: ask the documents, draft replies, manage documents."""
    from bot.page import serve as serve_page

    with _assistant(context, "serve", writing=True) as assistant:
        assistant.use(persona, responder, kb)
        serve_page(assistant, host, port, auth)


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
        run = run_dry(chosen, *read_data(chosen, _home(context)), tokens)
        _print_json({"note": note, **run.as_json()}) if as_json else show_dry_run(run, note)
        raise typer.Exit(1 if run.stops else 0)
    with TrainProgress() as progress:
        trained, refused = train_adapter(chosen, _home(context), progress, progress.tell)
    if as_json:
        _print_json({"folder": str(trained.folder), "refused": refused, "card": trained.card.model_dump(mode="json")})
    else:
        show_trained(trained)
        tell_refused(refused)


@app.command(epilog="Example: `shawgpt adapters`")
def adapters(context: typer.Context, as_json: Json = False) -> None:
    """List the adapters that were trained, and the trainings that can go on."""
    from bot.adapters import list_adapters
    from bot.show_training import show_adapters

    listed = list_adapters(_home(context))
    if as_json:
        _print_json([each.as_json() for each in listed])
    else:
        show_adapters(listed)


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
    home = _home(context)
    restored = [restore_backup(home, restore)] if restore else []
    mending = rebuild or reembed or not home.exists() or WorkFolder(home, writing=False).writable
    with _assistant(context, "doctor", writing=mending) as assistant:
        findings = restored + examine(assistant, rebuild or restore is not None, reembed, backup)
    _print_json([asdict(finding) for finding in findings]) if as_json else show_findings(findings)
    if not all(finding.good for finding in findings):
        raise typer.Exit(1)


def main() -> None:
    """Run the command line; an error of ours is one line on stderr and its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: what is open is closed, the lock given back
    try:
        code = app(prog_name="shawgpt", standalone_mode=False)  # Typer's own way with errors is a box of seven lines
    except ShawGPTError as error:
        typer.echo(f"shawgpt: {error}", err=True)
        sys.exit(error.exit_code)
    except USAGE_ERROR as error:
        if said := " ".join(error.format_message().split()).rstrip("."):  # else the help was asked for, and printed
            where = error.ctx.command_path if error.ctx else "shawgpt"
            dashed = next((given for given in sys.argv[1:] if given.startswith("-") and Path(given).exists()), "")
            see = f"the file {dashed} is given as ./{dashed}" if dashed else f"see `{where} --help`"
            typer.echo(f"shawgpt: {said[0].lower()}{said[1:]} ({see})", err=True)
        sys.exit(2)
    except (KeyboardInterrupt, typer.Abort):
        code = STOPPED
    if code == STOPPED:  # as which Typer returns Ctrl-C
        typer.echo("shawgpt: stopped; what was done is saved, and the same command goes on from there", err=True)
    sys.exit(code)


def _home(context: typer.Context) -> Path:
    from data.workfolder import default_home

    return context.obj or default_home()


def _assistant(context: typer.Context, command: str, writing: bool = False, shared: bool = False) -> "Assistant":
    from bot.assistant import Assistant

    return Assistant(_home(context), command, writing=writing, shared=shared)


def _search_json(assistant: "Assistant", query: str, k: int, kb: str | None) -> dict[str, Any]:
    found = assistant.search(query, k, kb)
    return {
        "query": query,
        "confidence": round(found.confidence, 4),
        "passages": [passage.as_json() for passage in found.passages],
    }


def _lines(path: Path, also: str | None, what: str) -> list[str]:
    from data.csvio import decode

    if also is not None:
        raise BadInput("give one text or a file of them, not both")
    lines = [line for line in decode(path, f"a text file of {what}, one a line").splitlines() if line.strip()]
    if not lines:
        typer.echo(f"shawgpt: {path} has no {what} in it", err=True)
    return lines


def _print_json(value: Any, indent: int | None = 2) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=indent))
