"""Text out of pictures, by tesseract: images, and pages of PDFs that have none.

Runs in a worker process only. tesseract is a process of its own below it, with the worker's limit of memory and a
clock.
"""

import io
import math
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.errors import Empty, Rejected

if TYPE_CHECKING:
    from PIL.Image import Image

PAGE_SECONDS = 60  # for one page, drawn and read
DOCUMENT_SECONDS = 30 * 60  # for all pages of a document
_INCH, _POINTS = 300, 72  # pixels an inch that tesseract reads best; points an inch
_MOST_PIXELS = 16_000_000  # that tesseract is given
_SMALL = 1_000  # pixels of width under which a picture is drawn twice as large: letters of a screen are small
_SURE = 50.0  # of 100: what tesseract must be on average, or it read a photograph
_LINE_SURE = 25.0  # the same of one line
_FEW = 5  # words from which it is worth turning a picture
_FLAT = 24  # of 255, between the darkest and the lightest point of what is blank


Word = tuple[tuple[int, ...], float, str]  # its place (block, paragraph, line), how sure tesseract is (0–100), it


class NeedsOcr(Exception):
    """A document with pages that only OCR can read: their numbers, from 0; and why it is rejected if OCR can't."""

    def __init__(self, pages: Iterable[int], otherwise: str = "") -> None:
        super().__init__()
        self.pages, self.otherwise = list(pages), otherwise


def languages() -> str:
    """What is read, as tesseract names it ("eng+deu"): English, or what SHAWGPT_OCR_LANGUAGES says."""
    return os.environ.get("SHAWGPT_OCR_LANGUAGES", "").strip() or "eng"


def missing() -> str:
    """What to install before pictures can be read; empty where everything is there."""
    lacking = [] if find_spec("PIL") else ["pip install 'shawgpt[ocr]'"]
    if shutil.which("tesseract") is None:
        lacking.append("apt install tesseract-ocr")
    return f"to read it by OCR: {', '.join(lacking)}" if lacking else ""


def told() -> str:
    """What reads pictures here, in a few words; empty where nothing does."""
    if missing():
        return ""
    try:
        done = subprocess.run(["tesseract", "--version"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return f"{done.stdout.partition(chr(10))[0].strip() or 'tesseract'}, {languages()}"


def page_text(request: dict[str, Any], content: Path | bytes) -> str:
    """The text of the page that a request names ("kind", "page", "password"); empty where OCR finds none.

    Raises Empty, with the reason, where this page can't be read, Rejected where none can.
    """
    if request["kind"] == "image":
        from ingest.image import opened

        with opened(content) as image:
            image.seek(request["page"])
            return recognise(image)
    return recognise(_drawn(content, request["page"], request["password"]))


def recognise(image: "Image") -> str:
    """The lines of a picture, a blank line between paragraphs. Raises as `page_text` does."""
    ready = _prepared(image)
    dark, light = ready.getextrema()
    if light - dark < _FLAT:  # type: ignore[operator]  # of one band these are numbers
        return ""
    end = time.monotonic() + PAGE_SECONDS - 5
    words = _read(ready, end)
    if len(words) >= _FEW and _sureness(words) < _SURE:  # a short text upside down isn't always seen to be
        words = max(words, _read(ready.rotate(180), end), key=_sureness)
    return _text(words)


def _drawn(content: Path | bytes, number: int, password: str | None) -> "Image":
    import pypdfium2

    try:
        pdf = pypdfium2.PdfDocument(content, password=password)
        try:
            page = pdf[number]
            width, height = (max(side, 1.0) for side in page.get_size())
            scale = min(_INCH / _POINTS, math.sqrt(_MOST_PIXELS / (width * height)), 20_000 / max(width, height))
            picture: Image = page.render(scale=scale, grayscale=True, limit_image_cache=True).to_pil()
            return picture.copy()  # the library's memory goes with the page
        finally:
            pdf.close()
    except pypdfium2.PdfiumError as error:
        raise Empty("can't be drawn") from error


def _prepared(image: "Image") -> "Image":
    """In shades of grey, upright, on white, and of a size that tesseract reads well."""
    from PIL import Image, ImageOps

    image = ImageOps.exif_transpose(image)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layer = image.convert("RGBA")
        image = Image.new("RGB", layer.size, "white")
        image.paste(layer, mask=layer.getchannel("A"))
    if image.mode.startswith(("I", "F")):  # 16 bits and more a point
        image = ImageOps.autocontrast(image.point(lambda value: value / 256).convert("L"))
    image = image.convert("L")
    scale = 2.0 if image.width < _SMALL else 1.0
    scale = min(scale, math.sqrt(_MOST_PIXELS / (image.width * image.height)))
    if scale == 1.0:
        return image
    return image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))


def _read(image: "Image", end: float) -> list[Word]:
    """The words that tesseract finds until `end`. Page segmentation 1 finds columns, and which way is up."""
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    command = ["tesseract", "stdin", "stdout", "-l", languages(), "--psm", "1", "tsv"]
    # One thread: two workers share the cores, and OpenMP's threads wait for each other on busy ones.
    environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}
    try:
        done = subprocess.run(
            command,
            input=file.getvalue(),
            capture_output=True,
            timeout=max(0.1, end - time.monotonic()),
            env=environment,
            preexec_fn=_limit,
        )
    except subprocess.TimeoutExpired as error:
        raise Empty(f"takes longer than {PAGE_SECONDS} s") from error
    except OSError as error:
        raise Rejected(missing() or f"tesseract can't be started: {error.strerror}") from error
    said = done.stderr.decode("utf-8", "replace")
    if "Error opening data file" in said or "Failed loading language" in said:
        wanted = languages()
        packages = " ".join(f"tesseract-ocr-{name.replace('_', '-')}" for name in wanted.split("+"))
        raise Rejected(f"tesseract lacks a language of {wanted!r}: apt install {packages}")
    if done.returncode:
        raise Empty(f"tesseract fails on it ({' '.join(said.split())[:80] or done.returncode})")
    return list(_words(done.stdout.decode("utf-8", "replace")))


def _limit() -> None:
    """A clock of its own for tesseract: it may outlive whoever started it."""
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (PAGE_SECONDS, PAGE_SECONDS))


def _text(words: list[Word]) -> str:
    """The lines, without those that tesseract is unsure of; nothing where it is unsure on the whole."""
    if not words or _sureness(words) < _SURE:
        return ""
    lines: list[str] = []
    paragraph = None
    for place, group in groupby(words, key=lambda word: word[0]):
        line = list(group)
        if _sureness(line) < _LINE_SURE:
            continue
        if lines and place[:2] != paragraph:
            lines.append("")
        lines.append(" ".join(text for _, _, text in line))
        paragraph = place[:2]
    return "\n".join(lines)


def _words(table: str) -> Iterator[Word]:
    """The words in tesseract's table."""
    for row in table.split("\n")[1:]:
        fields = row.split("\t")
        if len(fields) == 12 and fields[0] == "5" and (text := fields[11].strip()):
            yield (int(fields[2]), int(fields[3]), int(fields[4])), float(fields[10]), text


def _sureness(words: list[Word]) -> float:
    """How sure tesseract is, 0–100: the mean over characters; of nothing, not at all."""
    return (
        0.0 if not words else sum(sure * len(text) for _, sure, text in words) / sum(len(text) for _, _, text in words)
    )
