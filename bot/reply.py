"""Batch work: a CSV of comments in, the same rows with drafts out, streamed to disk and resumable after a kill."""

import csv
import io
import os
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from shlex import quote
from typing import BinaryIO, cast

from filelock import FileLock, Timeout

from bot.drafts import Draft, Status, WrittenBy
from bot.drafts_log import OutputRecord, draft_cells, other_manner
from data.csvio import ADDED, Table, encode, encode_header, read_comments, unguard
from data.errors import BadInput, ProviderRefused

# Comments and the latest replies, oldest first; yields (index, draft) as they are done, in any order.
Drafts = Callable[[Sequence[str], tuple[str, ...]], Iterable[tuple[int, Draft]]]

RECENT = 10  # the latest replies that a new one is compared with, so that they vary
SYNC = 50  # rows between two calls that put the file on the disk itself; a kill loses nothing in any case


@dataclass
class Progress:
    """How far a batch is."""

    total: int
    done: int = 0
    resumed: int = 0  # rows that an earlier run had written
    counts: Counter[str] = field(default_factory=Counter)  # status → rows
    doubled: tuple[str, ...] = ()  # columns of the input's own that are called like some of the drafts'


def reply_to_csv(
    comments: Path,
    output: Path,
    drafts: Drafts,
    written_by: WrittenBy,
    column: str | None = None,
    limit: int | None = None,
    overwrite: bool = False,
    progress: Callable[[Progress, Draft | None], None] = lambda progress, draft: None,
    record: OutputRecord | None = None,
    together: Callable[[], int] = lambda: 1,
) -> Progress:
    """Draft a reply to every row of `comments` and write them to `output`, one row each, in order.

    The output is UTF-8, with the input's delimiter, and with a byte order mark where the input has one.
    `drafts` is given up to `together()` comments at a time, asked once the input is known to be good, and the latest
    replies. Where it raises, each that it has not written is tried alone, and one that raises again gets the status
    "failed"; the rest is done all the same. `output` itself is the state: run again after a kill, it goes on behind the
    last whole row.
    Where it raises ProviderRefused, for which no row is to blame, that ends the run: what is written stays.
    `record` takes the drafts in for the page. Raises BadInput where `comments` can't be used, or `output` is another
    file than such a run's, or was begun with another responder, persona or knowledge base.
    """
    table, index = read_comments(comments, column)
    rows = table.rows[:limit]
    header = encode_header([*table.columns, *ADDED], table.form)
    if output.resolve() == comments.resolve():
        raise BadInput(f"{output} is the input: give -o another file")
    try:
        if output.exists() and not output.is_file():
            raise BadInput(f"{output} is no file: give -o the name of a CSV file")
        at_once = together()
        output.parent.mkdir(parents=True, exist_ok=True)
        with _only_writer(output), open(output, "w+b" if overwrite or not output.exists() else "r+b") as file:
            written, end = _whole_rows(file.read(), output, header, table)
            if len(written) > len(rows):
                raise BadInput(
                    f"{output} has {len(written)} rows already, more than --limit {limit}: raise that, or "
                    "--overwrite it"
                )
            earlier = [_as_drafted(cells) for cells in written]
            if other := {writer for _, writer in earlier if writer.responder} - {written_by}:
                raise other_manner(output, _options(other.pop()))
            begin = partial(record.begin, comments, output, table.columns, rows, index) if record else None
            if begin and earlier:
                begin(earlier)
            _go_on_behind(file, header, end)
            state = Progress(len(rows), len(earlier), len(earlier))
            state.doubled = tuple(name for name in dict.fromkeys(table.columns) if name in ADDED)
            state.counts.update(status or "without a status" for _, status, *_ in written)
            replies = [draft.reply for draft, _ in earlier]
            progress(state, None)
            comments_left = [row[index] for row in rows[state.done :]]
            for number, result in enumerate(in_order(drafts, comments_left, replies, at_once), state.done):
                file.write(encode([*rows[number], *draft_cells(result, written_by)], table.form.delimiter))
                file.flush()
                if begin and not number:
                    begin([])  # not before there is a draft: a run that is stopped at once leaves nothing on the page
                if record:
                    record.save(number, result, written_by)
                state.done += 1
                state.counts[result.status] += 1
                if state.done % SYNC == 0:
                    os.fsync(file.fileno())
                progress(state, result)
            os.fsync(file.fileno())
    except ProviderRefused as error:
        done = f"{state.done} of {state.total} rows are drafted"
        raise ProviderRefused(f"{error} ({done}; the same command goes on behind them)") from error
    except OSError as error:
        raise BadInput(
            f"{output} can't be written ({error.strerror}): what is in it is whole; mend that and run the command again"
        ) from error
    return state


def in_order(drafts: Drafts, comments: Sequence[str], replies: list[str], together: int) -> Iterator[Draft]:
    """The draft of each comment in turn, as soon as it and those before it are written; `replies` grows with them."""
    waiting: dict[int, Draft] = {}
    after = 0  # the next to hand on
    for number, draft in as_done(drafts, comments, replies, together):
        waiting[number] = draft
        while after in waiting:
            yield waiting.pop(after)
            after += 1


def as_done(drafts: Drafts, comments: Sequence[str], replies: list[str], together: int) -> Generator[tuple[int, Draft]]:
    """(index, draft) of each comment as soon as it is written; `replies` grows with them.

    `together` comments are at work at a time, and all of those are done before the next are begun.
    """
    for start in range(0, len(comments), together):
        batch, recent = comments[start : start + together], tuple(r for r in replies[-RECENT:] if r)
        done: dict[int, Draft] = {}
        try:
            for number, draft in drafts(batch, recent) if together > 1 else ():
                done[number] = draft
                yield start + number, draft
        except ProviderRefused:  # nobody will be answered
            raise
        except Exception:  # whose trouble it is shows when each is tried alone
            pass
        for number in range(len(batch)):
            if number not in done:
                done[number] = _alone(drafts, batch[number], tuple(r for r in replies[-RECENT:] if r))
                yield start + number, done[number]
            replies.append(done[number].reply)


def _alone(drafts: Drafts, comment: str, recent: tuple[str, ...]) -> Draft:
    try:
        return next(draft for _, draft in drafts([comment], recent))
    except ProviderRefused:
        raise
    except Exception as error:  # one comment's trouble is its row's, named there, and not the batch's
        return Draft("", "failed", "", (f"failed: {type(error).__name__}: {error}",))


def _options(written_by: WrittenBy) -> str:
    """The options of the command line that choose it."""
    adapter = f" --adapter {written_by.adapter}" if written_by.adapter else ""
    return f"--responder {quote(written_by.responder)}{adapter}"


def _whole_rows(body: bytes, output: Path, header: bytes, table: Table) -> tuple[list[list[str]], int]:
    """The added cells of each row that an output holds so far, and where its last whole row ends (0: nowhere).

    Raises BadInput where it is no output for the comments in `table`.
    """
    if not header.startswith(body[: len(header)]):
        raise BadInput(f"{output} exists and is not the output of this input: give -o another file, or --overwrite it")
    if len(body) < len(header):
        return [], 0
    end = len(header)
    rows, delimiter = table.rows, table.form.delimiter
    records = list(csv.reader(io.StringIO(body[end:].decode("utf-8", "replace"), newline=""), delimiter=delimiter))
    done: list[list[str]] = []
    for record in records:
        cells = [unguard(cell) for cell in record]
        written = encode(cells, delimiter)
        if body[end : end + len(written)] != written:
            if len(done) < len(records) - 1:  # only the last row can be torn; before it, someone else has been at work
                raise BadInput(f"{output} was changed by another program: give -o another file, or --overwrite it")
            break
        if len(done) >= len(rows) or encode(cells[: -len(ADDED)]) != encode(rows[len(done)]):
            raise BadInput(f"{output} has rows that are not this input's: give -o another file, or --overwrite it")
        done.append(cells[-len(ADDED) :])
        end += len(written)
    return done, end


def _as_drafted(cells: list[str]) -> tuple[Draft, WrittenBy]:
    """A draft and what wrote it from the added columns; one with a status of a person's own is theirs."""
    reply, status, intent, flags, _, responder, adapter = cells
    known = cast(Status, status) if status in ("drafted", "failed") else "needs_you"
    return Draft(reply, known, intent, tuple(flag for flag in flags.split("; ") if flag)), WrittenBy(responder, adapter)


def _go_on_behind(file: BinaryIO, header: bytes, end: int) -> None:
    """Cut off what is behind `end`, a torn row; write the header where there is none."""
    file.seek(end)
    file.truncate()
    if not end:
        file.write(header)


@contextmanager
def _only_writer(output: Path) -> Iterator[None]:
    """Keep two runs from writing the same output."""
    lock = FileLock(output.with_name(f".{output.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise BadInput(f"{output} is being written by another shawgpt: wait for it to end") from error
    try:
        yield
    finally:
        lock.release()
        Path(lock.lock_file).unlink(missing_ok=True)
