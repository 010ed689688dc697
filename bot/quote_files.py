"""Files of quotes (CSV, JSON lines or one JSON list: quote, author, perhaps tags) into the collection."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.csvio import decode, find_column, read_table
from data.embedding import Embedder
from data.errors import BadInput, Rejected
from data.hidden import strip_hidden
from data.quotes import Quotes, StoredQuote

QUOTE_NAMES = ("quote", "quotes", "saying", "quotation", "content", "text")  # as exports call them, best first
AUTHOR_NAMES = ("author", "authors", "name", "by", "who")
TAG_NAMES = ("tags", "tag", "category", "categories", "topics")

LONGEST_QUOTE, LONGEST_AUTHOR, MOST_TAGS = 2000, 200, 50  # characters, characters, tags
TOGETHER = 256  # quotes that are embedded and kept at a time
_MARKS = "\"“”„«»'‘’"


def read_quotes(path: Path) -> tuple[list[StoredQuote], list[tuple[str, str]]]:
    """The quotes of a file, in its order, and (origin, reason) of the rows that hold none.

    Raises BadInput where the file or its columns can't be read.
    """
    if not path.is_file():
        raise BadInput(f"there is no file {path}: give a CSV or JSON lines file with quote and author")
    found: list[StoredQuote] = []
    refused: list[tuple[str, str]] = []
    for origin, row in _rows(path):
        try:
            if isinstance(row, str):
                raise Rejected(row)
            found.append(_quote(row, path.name))
        except Rejected as error:
            refused.append((origin, str(error)))
    if not found and not refused:
        raise BadInput(f"{path} holds no quotes: it has nothing below its header")
    return found, refused


@dataclass(frozen=True)
class Imported:
    """What an import did."""

    new: int  # quotes; of a removal those that went
    total: int  # in the collection now
    refused: tuple[tuple[str, str], ...]  # (origin, reason)


def import_quotes(
    quotes: Quotes, path: Path, embedder: Embedder, progress: Callable[[str, int, int], None], forget: bool = False
) -> Imported:
    """Bring the quotes of `path` into the collection, or take them out. Doing it again changes nothing.

    Raises what `read_quotes` raises, and WorkFolderError.
    """
    found, refused = read_quotes(path)
    if forget:
        return Imported(quotes.remove(found), quotes.count(), tuple(refused))
    lacking, new = quotes.lacking(found, embedder.name), 0
    for start in range(0, len(lacking), TOGETHER):  # what is done is kept, whatever happens to the rest
        progress("embedding the quotes", start, len(lacking))
        some = lacking[start : start + TOGETHER]
        vectors = embedder.encode([each.quote for each in some])
        new += quotes.add(some, [vector.astype("<f4").tobytes() for vector in vectors], embedder.name)
    return Imported(new, quotes.count(), tuple(refused))


def _quote(row: dict[str, Any], source: str) -> StoredQuote:
    quote, author, tags = (_first(row, names) for names in (QUOTE_NAMES, AUTHOR_NAMES, TAG_NAMES))
    said, by = _plain(quote), _plain(author).rstrip(",").strip()
    if len(said) > 1 and said[0] in _MARKS and said[-1] in _MARKS:
        said = said[1:-1].strip()
    for what, text, longest in (("quote", said, LONGEST_QUOTE), ("author", by, LONGEST_AUTHOR)):
        if not any(c.isalnum() for c in text):
            raise Rejected(f"it has no {what}")
        if len(text) > longest:
            raise Rejected(f"its {what} has {len(text):,} characters, and {longest:,} are the most")
    if isinstance(tags, str):
        tags = tags.strip("[]").replace(";", ",").split(",")
    named = [_plain(tag).strip(_MARKS) for tag in tags] if isinstance(tags, list) else []
    return StoredQuote(said, by, tuple(tag for tag in dict.fromkeys(named) if tag)[:MOST_TAGS], source)


def _first(row: dict[str, Any], names: tuple[str, ...]) -> Any:
    return next((row[name] for name in names if row.get(name)), "")


def _plain(text: Any) -> str:
    return " ".join(strip_hidden(text).split()) if isinstance(text, str) else ""


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any] | str]]:
    text = decode(path, "a CSV or JSON lines file with quote and author").lstrip()
    if text.startswith("["):
        try:
            listed = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise BadInput(f"{path} begins as a JSON list, and is none: write one quote a line (JSONL)") from error
        yield from ((f"entry {n}", _object(row)) for n, row in enumerate(listed, 1))
    elif text.startswith("{"):
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                try:
                    yield f"line {number}", _object(json.loads(line))
                except (ValueError, RecursionError):
                    yield f"line {number}", "it is no JSON"
    else:
        table = read_table(path)
        columns = {
            names[0]: find_column(path, table, names, None, f"a header such as {QUOTE_NAMES[0]},{AUTHOR_NAMES[0]}")
            for names in (QUOTE_NAMES, AUTHOR_NAMES)
        }
        plain = ["".join(c for c in name.lower() if c.isalpha()) for name in table.columns]
        if tags := next((name for name in TAG_NAMES if name in plain), ""):
            columns[TAG_NAMES[0]] = plain.index(tags)
        for number, cells in enumerate(table.rows, 2):
            yield f"row {number}", {name: cells[at] for name, at in columns.items()}


def _object(row: Any) -> dict[str, Any] | str:
    if not isinstance(row, dict):
        return "it is no object"
    try:
        json.dumps(row, ensure_ascii=False).encode()  # raises for half of a surrogate pair, which is no text
    except ValueError:
        return "it is no text"
    return {str(name).strip().lower(): value for name, value in row.items()}
