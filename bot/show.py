"""What the commands print for people: progress on stderr, tables on stdout."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from data.hidden import show_hidden

if TYPE_CHECKING:
    from bot.doctor import Finding
    from bot.drafts import Answer
    from bot.exporting import Rated
    from data.conversations import Session
    from data.store import Source
    from ingest.pipeline import Outcome, Report
    from rag.retriever import SearchResult

WIDE = 160  # columns where the output is a file or a pipe: Rich takes 80, which breaks paths over lines
NAMED = 20  # documents that failed, one line each on stderr; the rest is a number

out = Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else WIDE)
STYLES = {
    "added": "green", "updated": "green", "unchanged": "dim", "empty": "yellow", "rejected": "red",
    "drafted": "green", "needs_you": "yellow", "failed": "red", "answered": "green", "abstained": "yellow",
}  # fmt: skip


def show_report(report: "Report") -> None:
    """The table at the end of an ingest; unchanged documents are only counted."""
    table = table_of("document", "outcome", "pages", "chunks", "why")
    for entry in report.entries:
        if entry.outcome != "unchanged":
            table.add_row(
                _text(_short(entry.source)),
                _styled(entry.outcome),
                _number(entry.pages),
                _number(entry.chunks),
                _text(entry.reason),
            )
    if table.row_count:
        out.print(table)
    kinds: tuple[Outcome, ...] = ("added", "updated", "unchanged", "empty", "rejected")
    counts = [f"{n} {kind}" for kind in kinds if (n := report.count(kind))]
    skipped = f" ({some(report.skipped, 'file')} of other kinds passed over)" if report.skipped else ""
    out.print(f"{report.kb}: {', '.join(counts) or 'nothing to do'}{skipped}", highlight=False)


def tell_failures(report: "Report") -> None:
    """What couldn't be read, a line each on stderr: for when nobody looks at the table."""
    failed = [entry for entry in report.entries if entry.outcome in ("empty", "rejected")]
    for entry in failed[:NAMED]:
        print(f"shawgpt: {show_hidden(_short(entry.source))}: {show_hidden(entry.reason)}", file=sys.stderr)
    if len(failed) > NAMED:
        print(f"shawgpt: and {len(failed) - NAMED} more that couldn't be read", file=sys.stderr)


def show_sources(sources: "list[Source]") -> None:
    """The documents of a knowledge base."""
    if not sources:
        out.print("No documents yet: `shawgpt ingest PATH` reads some.", highlight=False)
        return
    table = table_of("source", "title", "kind", "pages", "chunks", "ingested")
    for source in sources:
        table.add_row(
            _text(_short(source.source)),
            _text(source.title),
            _text(source.kind),
            _number(source.pages),
            _number(source.chunks),
            source.ingested_at[:10],
        )
    out.print(table)
    chunks = sum(source.chunks for source in sources)
    out.print(f"{some(len(sources), 'document')}, {some(chunks, 'chunk')}", highlight=False)


def show_passages(found: "SearchResult") -> None:
    """Passages, best first."""
    if not found.passages:
        out.print("Nothing found.", highlight=False)
    for passage in found.passages:
        where = _where(passage.title, passage.source, passage.place)
        out.print(f"[bold]{passage.rank}. {_text(where)}[/] [dim]{passage.score:.2f}[/]", highlight=False)
        if passage.heading:
            out.print(f"   [dim]{_text(passage.heading)}[/]", highlight=False)
        out.print(f"   {_text(' '.join(passage.text.split()))}\n", highlight=False)
    out.print(f"[dim]confidence that this answers it: {found.confidence:.2f}[/]", highlight=False)


def show_answer(answer: "Answer") -> None:
    """An answer with numbered sources, or why there is none."""
    if answer.query:
        out.print(f"[dim]understood as: {_text(answer.query)}[/]", highlight=False)
    if answer.said:
        out.print(_text(answer.said), highlight=False)
        if not answer.sentences:
            return
    if answer.status != "answered":
        out.print(f"{_styled(answer.status)}: {_text(answer.reason)}", highlight=False)
        for passage in answer.passages[:3]:
            where = _where(passage.title, passage.source, passage.place)
            out.print(f"  [dim]nearest: {_text(where)}[/]", highlight=False)
        return
    numbers: dict[tuple[str, str], int] = {}
    titles = {passage.source: passage.title for passage in answer.passages}
    said = []
    for sentence in answer.sentences:
        keys = [(support.source, support.place) for support in sentence.support]
        marks = "".join(f"\\[{numbers.setdefault(key, len(numbers) + 1)}]" for key in dict.fromkeys(keys))
        mark = f"[cyan]{marks}[/]" if marks else "[yellow]\\[no source][/]"
        said.append(f"{_text(sentence.text)} {mark}")
    out.print(("\n" if answer.kind == "plan" else " ").join(said), highlight=False)
    for (source, place), number in numbers.items():
        where = _where(titles.get(source, ""), source, place)
        out.print(f"[cyan]\\[{number}][/] [dim]{_text(where)}  {_text(_short(source))}[/]", highlight=False)
    if answer.reason:
        out.print(f"[yellow]{_text(answer.reason)}[/]", highlight=False)
    used = f"; {answer.usage}" if answer.usage else ""
    out.print(f"[dim]responder: {_text(str(answer.written_by))}{_text(used)}[/]", highlight=False)


def show_question(question: str) -> None:
    """A question that was asked."""
    out.print(f"[bold]> {_text(question)}[/]", highlight=False)


def show_sessions(sessions: "list[Session]") -> None:
    """Kept conversations, newest first."""
    if not sessions:
        out.print("No conversations yet: `shawgpt chat` begins one.", highlight=False)
        return
    table = table_of("session", "persona", "begun", "questions", "first question")
    for session in sessions:
        begun = session.begun_at[:16].replace("T", " ")
        opening = _clip(_text(session.opening), 60)
        table.add_row(_text(session.id), _text(session.persona), begun, str(session.exchanges), opening)
    out.print(table)


def show_drafts(path: Path, column: str | None) -> None:
    """The drafts of an output file, whose comments are in `column`, as a table."""
    from data.csvio import read_comments, read_table

    table = read_table(path)
    _, comment = read_comments(path, column)  # the same index: in an output, the columns left out are the last
    at = {name: len(table.columns) - 7 + i for i, name in enumerate(("reply", "status", "intent", "flags", "sources"))}
    shown = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 1, 0), expand=True)
    for title, ratio in (("comment", 2), ("status", 0), ("draft, or why it is left to you, and sources", 4)):
        shown.add_column(title, ratio=ratio or None, no_wrap=not ratio)
    for row in table.rows:
        reason, said = _text(_clip(row[at["flags"]], 160)), _text(_clip(row[at["reply"]], 300))
        sources = [f"[dim]{_text(source)}[/]" for source in row[at["sources"]].split("; ")[:3] if source]
        what = "\n".join(part for part in (f"[yellow]{reason}[/]" if reason else "", said, *sources) if part)
        shown.add_row(_text(_clip(row[comment], 120)), _styled(row[at["status"]]), what)
    out.print(shown)


def show_feedback(rated: "list[Rated]") -> None:
    """Rated answers, newest first."""
    from bot.exporting import said_in

    if not rated:
        out.print("No answer has been rated yet: the thumbs under an answer on the page do that.", highlight=False)
        return
    for session, exchange in rated:
        good = exchange.rating == 1
        mark = "[green]good[/]" if good else "[red]bad[/] "
        said = f"{exchange.at[:16].replace('T', ' ')} {session.persona}, {session.kb}"
        out.print(f"{mark} [bold]{_text(_clip(exchange.question, 300))}[/] [dim]{_text(said)}[/]", highlight=False)
        out.print(f"     {_text(_clip(said_in(exchange), 500))}", highlight=False)
        if exchange.note:
            out.print(f"     [yellow]{_text(_clip(exchange.note, 500))}[/]", highlight=False)
    bad = sum(exchange.rating == -1 for _, exchange in rated)
    out.print(f"{some(len(rated), 'rated answer')}, {bad} of them bad", highlight=False)


def show_findings(findings: "list[Finding]") -> None:
    """What `doctor` found."""
    for finding in findings:
        mark = "[green]ok[/]  " if finding.good else "[red]look[/]"
        out.print(f"{mark} {_text(finding.what)}: {_text(finding.found)}", highlight=False)


def some(count: int, what: str) -> str:
    """ "1 chunk", "2 chunks"."""
    return f"{count} {what}{'s' * (count != 1)}"


def table_of(*columns: str) -> Table:
    """An empty table of that shape."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in ("pages", "chunks") else "left", overflow="fold")
    return table


def _text(text: str) -> str:
    # What is printed comes from documents and comments: no markup of ours, no control sequences of the terminal's.
    return escape(show_hidden(text))


def _styled(word: str) -> str:
    return f"[{STYLES.get(word, 'default')}]{_text(word)}[/]"


def _number(value: int) -> str:
    return str(value) if value else ""


def _clip(text: str, length: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _short(source: str) -> str:
    if "://" in source:
        return source
    try:
        return str(Path(source).relative_to(Path.cwd()))
    except ValueError:
        return source


def _where(title: str, source: str, place: str) -> str:
    name = title or _short(source)
    return f"{name}, {place}" if place else name
