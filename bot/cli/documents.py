"""Commands for documents: read them in, list and forget them, search and ask them."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    lines_of,
    open_assistant,
    print_json,
    tell_where,
)
from data.errors import BadInput

if TYPE_CHECKING:
    from bot.assistant import Assistant
    from bot.drafts import Answer


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
    """Read documents into a knowledge base: PDF, HTML, Markdown, text, DOCX, PPTX, XLSX, CSV, EPUB, subtitles (SRT,
    VTT), images and scans by OCR, or a whole blog by its feed or sitemap.

    What is unchanged since the last time is passed over; what can't be read is named with the reason (exit code 1).
    """
    from bot.progress import IngestProgress
    from bot.show import show_report, tell_failures

    if not all(name.strip() for name in what):  # `shawgpt ingest "$FOLDER"` with FOLDER unset is not the current folder
        raise BadInput("one of the paths is empty: give files, folders, globs or addresses (. is the current folder)")
    with open_assistant(context, "ingest", writing=True) as assistant, IngestProgress() as progress:
        report = assistant.ingest(what, into, password, progress)
    print_json(report.as_json()) if as_json else show_report(report)
    if report.count("empty", "rejected"):
        if as_json or not sys.stdout.isatty():  # a person sees the table
            tell_failures(report)
        raise typer.Exit(1)


@app.command(epilog="Example: `shawgpt sources --kb default`")
def sources(context: typer.Context, kb: Kb = None, as_json: Json = False) -> None:
    """List the documents of a knowledge base."""
    from bot.show import show_sources

    with open_assistant(context, "sources") as assistant:
        found = assistant.sources(kb)
    print_json([asdict(source) for source in found]) if as_json else show_sources(found)


@app.command(epilog="Example: `shawgpt forget posts/old.md`")
def forget(
    context: typer.Context,
    source: Annotated[list[str], typer.Argument(metavar="SOURCE...", help="Paths or URLs as `sources` lists them.")],
    kb: Kb = None,
    as_json: Json = False,
) -> None:
    """Remove documents with everything made from them. None is removed if one of them is unknown."""
    from bot.show import some

    with open_assistant(context, "forget", writing=True) as assistant:
        removed = assistant.forget(source, kb)
    if as_json:
        print_json(removed)
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

    with open_assistant(context, "search") as assistant:
        if queries:
            for line in lines_of(queries, query, "queries"):
                print_json(_search_json(assistant, line, k, kb), indent=None)
        elif query is None or not query.strip():
            raise BadInput('give a query, as in `shawgpt search "how long does it rest"`, or --queries FILE')
        elif as_json:
            print_json(_search_json(assistant, query, k, kb))
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
    persona: PersonaName = None,
    responder: ResponderName = None,
    model: ModelName = None,
    adapter: AdapterName = None,
    sampling: SamplingChanges = None,
    base_url: BaseUrl = None,
    calls: CallChanges = None,
    kb: Kb = None,
    pages: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write the cited pages of PDFs there as PNG files, the quotes marked."),
    ] = None,
    database: Annotated[
        Path | None, typer.Option(metavar="FILE", help="For the persona sql: a SQLite file, which is only read.")
    ] = None,
    schema: Annotated[
        Path | None, typer.Option(metavar="FILE", help="For the persona sql: CREATE TABLE statements.")
    ] = None,
    count: Annotated[
        int, typer.Option("-n", metavar="N", min=1, max=100, help="For the persona quotes: so many of them.")
    ] = 1,
    as_json: Json = False,
) -> None:
    """Answer a question from the documents, each sentence with its source; or say that they don't answer it.

    As the persona sql: answer a question about tables with a query, and the table that it gives. As the persona quotes:
    quotes by an author or about a subject, each with what it is: stored, or generated. Exit code 1 where a provider's
    model gave no reply to a question.
    """
    from bot.progress import waiting
    from bot.show import show_answer

    with open_assistant(context, "ask") as assistant:
        assistant.use(persona, asked_for(responder, model, adapter, sampling, base_url, calls), kb)
        if count != 1 and assistant.persona.task != "quotes":
            raise BadInput("-n is for quotes: add --persona quotes")
        if pages and assistant.persona.task != "reply":
            raise BadInput(f"--pages is for answers from documents, and {assistant.persona_slug} gives none")
        if pages and pages.exists() and not pages.is_dir():
            raise BadInput(f"{pages} is a file: give a folder with --pages")
        if assistant.persona.task == "sql":
            from bot.cli.sql import ask_tables

            tell_where(assistant)
            ask_tables(assistant, question, questions, database, schema, as_json)
            return
        if database or schema:
            raise BadInput("--database and --schema are for questions about tables: add --persona sql")
        if assistant.persona.task == "quotes":
            from bot.cli.quotes import ask_for_quotes

            ask_for_quotes(assistant, question, questions, count, as_json)
            return
        if questions:
            if pages:
                raise BadInput("--pages goes with one question, not with --questions")
            failed = False
            for number, line in enumerate(lines_of(questions, question, "questions")):
                if not number:
                    tell_where(assistant)
                given = assistant.answer(line)
                print_json(given.as_json(), indent=None)
                failed |= given.status == "failed"
        elif question is None or not question.strip():
            raise BadInput('give a question, as in `shawgpt ask "How long does it rest?"`, or --questions FILE')
        else:
            tell_where(assistant)
            with waiting("Looking it up"):
                given = assistant.answer(question)
            failed = given.status == "failed"
            print_json(given.as_json()) if as_json else show_answer(given)
            if pages:
                _draw_pages(assistant, given, pages)
    if failed:
        raise typer.Exit(1)


def _draw_pages(assistant: "Assistant", given: "Answer", folder: Path) -> None:
    """Write the pages that an answer cites, and say which; exit code 1 where one of them couldn't be drawn."""
    from bot.cited_pages import write_pages

    written, failed = write_pages(assistant, given, folder)
    for file in written:
        typer.echo(f"wrote {file}", err=True)
    for reason in failed:
        typer.echo(f"shawgpt: {reason}", err=True)
    if not written and not failed:
        typer.echo("shawgpt: the answer cites no page of a PDF file: nothing was written", err=True)
    if failed:
        raise typer.Exit(1)


def _search_json(assistant: "Assistant", query: str, k: int, kb: str | None) -> dict[str, Any]:
    found = assistant.search(query, k, kb)
    return {
        "query": query,
        "confidence": round(found.confidence, 4),
        "passages": [passage.as_json() for passage in found.passages],
    }
