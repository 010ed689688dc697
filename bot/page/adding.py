"""Documents being added: the work in the background, and what the page shows of it."""

import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bot.page.citations import file_name
from bot.page.desk import Desk
from bot.page.markup import text_html
from data.errors import BadInput, ShawGPTError
from data.places import counted
from ingest.pipeline import Entry, Progress

OUTCOMES = {"added": "good", "updated": "good", "unchanged": "quiet", "empty": "warn", "rejected": "bad"}


@dataclass
class Adding:
    """What is to be added; afterwards, what of it waits for its password."""

    files: Sequence[Path]
    url: str
    password: str  # of encrypted PDFs, or ""; kept nowhere
    locked: list[Path] = field(default_factory=list)
    locked_url: str = ""

    @classmethod
    def of_form(cls, paths: Sequence[str], address: str, password: str, locked: Sequence[str]) -> "Adding":
        """What the form holds. What of it is `locked` from before stays so, where something else is added without."""
        url = address if "://" in address or not address else f"https://{address}"
        new = [path for path in paths if path not in locked]
        if password or not (new or (url and url not in locked)):
            return cls([Path(path) for path in paths], url, password)
        held = cls([Path(path) for path in new], "" if url in locked else url, "")
        held.locked = [Path(path) for path in paths if path in locked]
        held.locked_url = url if url in locked else ""
        return held

    def note_locked(self, copies: Sequence[Path], entries: Sequence[Entry]) -> None:
        """Take from `entries` which of the files, of which `copies` were read, are encrypted."""
        shut = {entry.source for entry in entries if entry.reason.startswith("encrypted")}
        self.locked += [file for file, copy in zip(self.files, copies, strict=True) if str(copy) in shut]
        self.locked_url = self.url if self.url in shut else self.locked_url


def ingest(desk: Desk, kb: str, adding: Adding) -> Iterator[str]:
    """Add files and address; yields what to show while it goes on, and the table of outcomes last.

    The work is done in the background: it is finished also where the page is closed meanwhile.
    """
    if not adding.files and not adding.url:
        yield note("warn", "Choose files or give a web address first.")
        return
    news = _News(desk.closing)
    desk.work(lambda: _work(desk, kb, adding, news))
    yield _progress(0, None)
    while (trouble := news.wait()) is None:
        yield _progress(len(news.entries), news.total)
    yield (note("bad", trouble) if trouble else "") + (_table(news.entries) if news.entries else "")


class _News(Progress):
    """An ingest's progress, handed from the thread that works to the one that shows it."""

    def __init__(self, closing: threading.Event) -> None:
        self.entries: list[Entry] = []
        self.total: int | None = None  # documents to look at, None until known
        self._closing = closing
        self._ticks: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def wait(self) -> str | None:
        """None when something has happened; at the end what went wrong, or ""."""
        return self._ticks.get()

    def found(self, documents: int) -> None:
        self.total = documents
        self._ticks.put(None)

    def finished(self, entry: Entry) -> None:
        self.entries.append(entry)
        self._ticks.put(None)
        if self._closing.is_set():  # what has been named is in the record; the rest is for another day
            raise BadInput("the server was stopped")

    def end(self, trouble: str) -> None:
        self._ticks.put(trouble)


def _work(desk: Desk, kb: str, adding: Adding, news: _News) -> None:
    trouble = ""
    try:
        with desk.writing:
            kept = desk.uploads.keep(kb, adding.files)
            what = [*map(str, kept), *([adding.url] if adding.url else [])]
            try:
                desk.view(desk.persona, kb).ingest(what, kb, adding.password or None, news)
            finally:
                # Cut short, an ingest may have taken documents it had no time to name: their copies stay.
                refused = {entry.source for entry in news.entries if entry.outcome in ("empty", "rejected")}
                adding.note_locked(list(kept), news.entries)
                for copy, earlier in kept.items():
                    desk.uploads.settle(copy, earlier, bool(news.entries) and str(copy) not in refused)
    except ShawGPTError as error:
        trouble = str(error)
    except Exception as error:  # shown on the page: the thread has nobody else to tell
        trouble = f"{type(error).__name__}: {error}"
    news.end(trouble)


def _table(entries: "Sequence[Entry]") -> str:
    rows = "".join(
        f'<li><span class="sg-badge sg-{OUTCOMES[entry.outcome]}">{entry.outcome}</span>'
        f'<span class="sg-outcome-name" dir="auto">{text_html(_name(entry.source))}</span>'
        f'<span class="sg-outcome-why">{text_html(_told(entry))}</span></li>'
        for entry in entries
    )
    return f'<ul class="sg-outcomes" aria-label="What became of each document">{rows}</ul>'


def _name(source: str) -> str:
    """A web address as it is, a file by its name: an upload's folder is ours and not the user's."""
    return source if "://" in source else file_name(source)


def _told(entry: "Entry") -> str:
    if entry.reason and not entry.chunks:
        way = "type its password in the form and add it again"
        return entry.reason.replace("give --password", way).replace("check --password", way)
    pages = f"{pages}, " if (pages := counted(entry.kind, entry.pages)) else ""
    replaced = "; replaced the file of that name that was there" if entry.outcome == "updated" else ""
    another = replaced if "://" not in entry.source else ""  # an address's new version is the same document
    unread = f"; {entry.reason}" if entry.reason else ""
    return f"{pages}{many(entry.chunks, 'chunk')}{another}{unread}" if entry.chunks else ""


def _progress(done: int, total: int | None) -> str:
    if total is None:
        return '<div class="sg-progress" role="status"><span>Reading…</span><progress></progress></div>'
    return (
        f'<div class="sg-progress" role="status"><span>{done} of {many(total, "document")}</span>'
        f'<progress max="{max(total, 1)}" value="{done}"></progress></div>'
    )


def note(kind: str, text: str) -> str:
    return f'<p class="sg-note sg-{kind}" role="status">{text_html(text)}</p>'


def many(number: int, word: str) -> str:
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"
