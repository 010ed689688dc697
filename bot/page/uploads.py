"""Uploaded files: copied into the work folder under a safe name, so that they outlive the browser's session."""

import os
import re
import shutil
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from data.hidden import strip_hidden

LONGEST = 120  # bytes of a name: file systems end at 255
_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')
_RESERVED = re.compile(r"(?i)(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)")


def safe_name(name: str) -> str:
    """A file name without folders, hidden or special characters; never empty, never one that begins with a dot."""
    name = name.encode("utf-8", "replace").decode().replace("\\", "/").rsplit("/", 1)[-1]
    name = _UNSAFE.sub("_", strip_hidden(unicodedata.normalize("NFC", name))).strip(" .") or "document"
    if _RESERVED.match(name):
        name = f"_{name}"
    stem, suffix = os.path.splitext(name)
    room = LONGEST - len(suffix.encode()[:20])
    return stem.encode()[:room].decode("utf-8", "ignore") + suffix.encode()[:20].decode("utf-8", "ignore")


class Uploads:
    """The folder with the copies: `<home>/uploads/<knowledge base>/<file name>`."""

    def __init__(self, home: Path) -> None:
        self.folder = (home / "uploads").resolve()

    def keep(self, kb: str, files: Sequence[Path]) -> dict[Path, Path | None]:
        """Copy `files`; returns each copy, with the copy's earlier version where it replaced one (see `settle`).

        A name that was uploaded before is replaced; two files of one name in one upload are kept apart.
        """
        folder = self._kb_folder(kb)
        folder.mkdir(parents=True, exist_ok=True)
        kept: dict[Path, Path | None] = {}
        for file in files:
            target = _free(folder / safe_name(file.name), kept)
            earlier = None
            if target.exists():
                earlier = target.with_name(f".{target.name}.earlier")
                os.replace(target, earlier)
            shutil.copyfile(file, target)
            kept[target] = earlier
        return kept

    def settle(self, copy: Path, earlier: Path | None, taken: bool) -> None:
        """After ingest: drop the earlier version of `copy`, or put it back where the new one was not `taken`."""
        if taken:
            if earlier:
                earlier.unlink(missing_ok=True)
        elif earlier:
            os.replace(earlier, copy)
        else:
            copy.unlink(missing_ok=True)

    def forget(self, kb: str, source: str) -> None:
        """Delete the copy behind a forgotten document; a `source` that is no upload is left alone."""
        path = Path(source)
        if path.parent == self._kb_folder(kb) and path.resolve() == path:
            with suppress(OSError):  # someone removed it by hand: then it is gone already
                path.unlink()

    def _kb_folder(self, kb: str) -> Path:
        if kb != safe_name(kb):
            raise ValueError(f"{kb!r} can't name a folder")
        return self.folder / kb


def _free(path: Path, taken: dict[Path, Path | None]) -> Path:
    candidate, number = path, 2
    while candidate in taken:
        candidate = path.with_name(f"{path.stem} ({number}){path.suffix}")
        number += 1
    return candidate
