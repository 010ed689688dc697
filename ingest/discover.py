"""From what a user names (files, folders, globs, URLs, feeds) to the items to read."""

import glob
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urldefrag

from data.errors import BadInput, Rejected
from ingest.kinds import SUFFIXES

if TYPE_CHECKING:
    from ingest.fetch import Fetcher

_HOST = re.compile(r"www\.|[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}(?::\d+)?/", re.IGNORECASE)


@dataclass(frozen=True)
class Item:
    """One document to read."""

    source: str  # absolute path or URL
    path: Path | None = None  # None for a URL
    refused: str = ""  # why there is nothing to read: a feed that is down, an address that is none


@dataclass(frozen=True)
class Found:
    """The items behind some arguments, in the order given and without doubles."""

    items: tuple[Item, ...]
    skipped: int = 0  # hidden files and folders, and files of unknown types, met in folders


def discover(arguments: Sequence[str], fetcher: "Fetcher | None" = None) -> Found:
    """Expand files, folders (with all below), globs, URLs, and feed or sitemap addresses.

    A feed that can't be fetched is an item that says why, and the rest is found all the same.
    Raises BadInput where a path doesn't exist, a glob matches nothing, or a folder holds nothing that can be read.
    """
    items: dict[str, Item] = {}
    skipped = 0
    for argument in arguments:
        found = Found(_addresses(argument, fetcher)) if "://" in argument else _paths(argument)
        items.update({item.source: item for item in found.items if item.source not in items})
        skipped += found.skipped
    if not items:
        raise BadInput("nothing to read: name files, folders or URLs")
    return Found(tuple(items.values()), skipped)


def _paths(argument: str) -> Found:
    path = Path(argument).expanduser()
    try:
        if path.is_dir():
            return _folder(path)
        if path.exists() and not path.is_file():
            raise BadInput(f"{_shown(argument)}: neither a file nor a folder")
        if path.exists():
            return Found((_item(path),))
        matches = sorted(glob.glob(str(path), recursive=True)) if glob.has_magic(argument) else []
    except (OSError, ValueError) as error:
        raise BadInput(
            f"{_shown(argument)}: not a path that can be opened ({getattr(error, 'strerror', '') or error})"
        ) from error
    if not matches:
        hint = "matches nothing" if glob.has_magic(argument) else "no such file or folder"
        if _HOST.match(argument):
            hint += f" (an address begins with https://, as in https://{_shown(argument)})"
        raise BadInput(f"{_shown(argument)}: {hint}")
    return _readable((Path(match) for match in matches), argument)


def _folder(folder: Path) -> Found:
    return _readable(_walk(folder), str(folder))


def _readable(paths: Iterable[Path], argument: str) -> Found:
    """The files of `paths` with a known suffix; the others are counted. A folder matched by a glob is walked."""
    items, skipped = [], 0
    for path in paths:
        files = _walk(path) if path.is_dir() and not path.name.startswith(".") else (path,)
        for file in files:
            if file.suffix.lower() in SUFFIXES and not file.name.startswith(".") and file.is_file():
                items.append(_item(file))
            else:
                skipped += 1
    if not items:
        kinds = ", ".join(sorted({suffix[1:] for suffix in SUFFIXES}))
        raise BadInput(f"{_shown(argument)}: nothing in it that can be read (of {kinds})")
    return Found(tuple(items), skipped)


def _walk(folder: Path) -> Iterator[Path]:
    """All files below a folder in a stable order; a hidden folder as itself. Each real folder once: links may loop."""
    seen: set[tuple[int, int]] = set()
    for root, folders, files in os.walk(folder, followlinks=True):
        status = os.stat(root)
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        yield from (Path(root, name) for name in sorted(folders) if name.startswith("."))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(root, name) for name in sorted(files))


def _item(path: Path) -> Item:
    whole = path.resolve()
    return Item(source_of(whole), whole)


def source_of(path: Path) -> str:
    r"""The name under which a file is known. Of a name that isn't UTF-8, as old archives hold, the bytes are spelt out:
    SQLite and Chroma refuse the lone surrogates by which Python stands for them."""
    return str(path).encode("utf-8", "backslashreplace").decode()


def _addresses(url: str, fetcher: "Fetcher | None") -> tuple[Item, ...]:
    """The posts behind a feed or sitemap; else the URL itself."""
    from ingest.feeds import is_listing, posts

    try:
        url = urldefrag(url).url
        return tuple(map(Item, posts(url, fetcher))) if is_listing(url) else (Item(url),)
    except Rejected as error:
        return (Item(url, refused=str(error)),)
    except ValueError as error:  # as urllib has it for a bracket that doesn't close
        return (Item(url, refused=f"not an address that can be fetched ({error})"),)


def _shown(argument: str) -> str:
    return argument if len(argument) <= 200 else argument[:199] + "…"
