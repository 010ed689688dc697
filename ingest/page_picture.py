"""A page of a PDF as a picture, with quotes marked on it.

Runs in a worker process only: pdfium can hang or crash on hostile files. What it may take is bounded here besides: a
picture has at most MOST_PIXELS, whatever size the page says it has.
"""

import hashlib
import math
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.errors import Rejected
from ingest.quote_places import Mark, Range, places_of, squashed

if TYPE_CHECKING:
    from PIL.Image import Image

WIDTH = 1240  # pixels: A4 at 150 a inch
MOST_PIXELS = 6_000_000
LONGEST_SIDE = 6_000  # pixels
LARGEST = 4.0  # pixels a point: a page the size of a stamp stays small
MOST_CHARACTERS = 400_000  # of a page: a quote behind them isn't looked for
PAPER, EDGE = (
    (255, 236, 120),
    (196, 120, 0),
)  # of a mark: multiplied with the page; and its line, seen on dark pages too
PAD = 0.18  # of a line's height, by which its mark is higher
GAP = 2.5  # heights of a line between two characters from which they are two cells, marked each by itself

Box = tuple[float, float, float, float]  # left, bottom, right, top in points


@dataclass(frozen=True)
class PagePicture:
    """A page as a PNG file."""

    png: bytes
    width: int  # pixels
    height: int
    page: int  # 1-based physical page
    pages: int  # of the document
    found: tuple[bool, ...]  # for each mark that was asked for, whether it stands on the page
    top: float  # 0–1: how far down the first mark begins; 0 where there is none


def draw(path: Path, digest: str, page: int, marks: Sequence[Mark]) -> PagePicture:
    """The picture of physical page `page` (1-based) of the file that has this SHA-256.

    Raises Rejected where the file isn't that one any more, can't be drawn, or has no such page; OSError where it can't
    be opened.
    """
    import pypdfium2

    with path.open("rb") as file:
        # Of the very file that is drawn: another one of the same name would show another page than was cited.
        if hashlib.file_digest(file, "sha256").hexdigest() != digest:
            raise Rejected(CHANGED)
        file.seek(0)
        try:
            pdf = pypdfium2.PdfDocument(file)
        except pypdfium2.PdfiumError as error:
            if "password" in str(error).lower():
                raise Rejected("is encrypted, and its password isn't kept: its pages can't be shown") from error
            raise Rejected("can't be drawn, though its text could be read: it is damaged") from error
        try:
            if not 1 <= page <= len(pdf):
                raise Rejected(f"has no page {page}: it ends with page {len(pdf)}")
            pdf.init_forms()  # before the page is opened: what was typed into a form is drawn too
            return _drawn(pdf, page, marks)
        except pypdfium2.PdfiumError as error:
            raise Rejected(f"page {page} can't be drawn: it is damaged") from error
        finally:
            pdf.close()


CHANGED = "has changed since it was read: add it again, and ask again"


def _drawn(pdf: Any, number: int, marks: Sequence[Mark]) -> PagePicture:
    page = pdf[number - 1]
    places = marked_boxes(page, marks)
    bitmap = page.render(scale=scale_of(*page.get_size()), rev_byteorder=True, limit_image_cache=True)
    picture = bitmap.to_pil().convert("RGB")
    position = bitmap.get_posconv(page)
    boxes = [_pixels(position, box, picture.size) for boxes in places for box in boxes]
    if boxes:
        _paint(picture, boxes)
    file = BytesIO()
    picture.save(file, "PNG", compress_level=6)
    top = min((box[1] for box in boxes), default=0) / picture.height
    width, height = picture.size
    return PagePicture(file.getvalue(), width, height, number, len(pdf), tuple(map(bool, places)), round(top, 4))


def scale_of(width: float, height: float) -> float:
    """Pixels a point for a page of this size in points."""
    width, height = max(width, 1.0), max(height, 1.0)
    return min(
        WIDTH / width, LARGEST, math.sqrt(MOST_PIXELS / (width * height)), LONGEST_SIDE / height, LONGEST_SIDE / width
    )


def marked_boxes(page: Any, marks: Sequence[Mark]) -> list[list[Box]]:
    """For each of `marks`, a box for each line of its quote on this page; none where it isn't there."""
    import pypdfium2

    if not marks:
        return []
    try:
        letters = page.get_textpage()
    except pypdfium2.PdfiumError:  # it can be drawn all the same
        return [[] for _ in marks]
    text = _characters(letters)
    known = squashed(text)
    return [[box for span in places_of(mark, text, known) for box in _lines(letters, text, span)] for mark in marks]


def _characters(letters: Any) -> str:
    """The characters of a page by pdfium's count, so that an offset is a character's number."""
    from pypdfium2 import raw

    count = min(letters.count_chars(), MOST_CHARACTERS)
    codes = [raw.FPDFText_GetUnicode(letters, number) for number in range(count)]
    # Of a pair of surrogates both have a number: the first stands for the character, the second for nothing.
    for at in range(count - 1):
        if 0xD800 <= codes[at] < 0xDC00 <= codes[at + 1] < 0xE000:
            codes[at] = 0x10000 + ((codes[at] - 0xD800) << 10) + (codes[at + 1] - 0xDC00)
            codes[at + 1] = 0
    return "".join(chr(code) if code < 0x110000 else " " for code in codes)


def _lines(letters: Any, text: str, span: Range) -> Iterator[Box]:
    """The boxes of the lines in a range of characters; of a table's row, those of its cells."""
    line: Box | None = None
    turned = False
    for number in range(*span):
        if text[number].isspace() or (box := _box(letters, number)) is None:
            continue
        now_turned = _is_turned(letters, number)
        if line is not None and now_turned == turned and _goes_on(line, box, turned):
            line = (min(line[0], box[0]), min(line[1], box[1]), max(line[2], box[2]), max(line[3], box[3]))
            continue
        if line is not None:
            yield line
        line, turned = box, now_turned
    if line is not None:
        yield line


def _box(letters: Any, number: int) -> Box | None:
    """The box of a character; None for what takes no place on the page."""
    import pypdfium2

    try:
        left, bottom, right, top = letters.get_charbox(number)
    except pypdfium2.PdfiumError:
        return None
    return (left, bottom, right, top) if right > left and top > bottom else None


def _is_turned(letters: Any, number: int) -> bool:
    """Whether a character is written upwards or downwards."""
    from pypdfium2 import raw

    return abs(math.sin(raw.FPDFText_GetCharAngle(letters, number))) > 0.7


def _goes_on(line: Box, box: Box, turned: bool) -> bool:
    """Whether `box` stands in the same line, or cell of a row, as what has been read of it."""
    along, across = ((1, 3), (0, 2)) if turned else ((0, 2), (1, 3))
    height = max(line[across[1]] - line[across[0]], box[across[1]] - box[across[0]])
    middle = (box[across[0]] + box[across[1]]) / 2
    if not line[across[0]] - 0.4 * height <= middle <= line[across[1]] + 0.4 * height:
        return False
    apart = max(box[along[0]] - line[along[1]], line[along[0]] - box[along[1]])
    return apart <= GAP * height


def _pixels(position: Any, box: Box, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """A box on the picture, a little higher than the letters: left, top, right, bottom, within the picture."""
    left, bottom, right, top = box
    pad = max(PAD * min(top - bottom, right - left), 0.6)
    (x0, y0), (x1, y1) = position.to_bitmap(left - pad, bottom - pad), position.to_bitmap(right + pad, top + pad)
    width, height = size

    def within(value: int, most: int) -> int:
        return max(0, min(value, most - 1))

    return (
        within(min(x0, x1), width), within(min(y0, y1), height), within(max(x0, x1), width), within(max(y0, y1), height)
    )  # fmt: skip


def _paint(picture: "Image", boxes: Sequence[tuple[int, int, int, int]]) -> None:
    """Mark `boxes` in place, as with a felt pen: once where two overlap."""
    from PIL import Image, ImageChops, ImageDraw

    paper = Image.new("RGB", picture.size, (255, 255, 255))
    pen = ImageDraw.Draw(paper)
    for box in boxes:
        pen.rectangle(box, fill=PAPER)
    picture.paste(ImageChops.multiply(picture, paper))
    pen = ImageDraw.Draw(picture)
    for left, _, right, bottom in boxes:
        pen.line((left, bottom, right, bottom), fill=EDGE, width=2)


def request_of(path: Path, digest: str, page: int, marks: Sequence[Mark]) -> dict[str, Any]:
    """What a worker is asked for, as JSON."""
    return {"do": "draw", "path": str(path), "digest": digest, "page": page, "marks": [asdict(mark) for mark in marks]}


def answer_to(request: dict[str, Any]) -> dict[str, Any]:
    """The picture that `request_of` asks for, as JSON. Raises what `draw` raises."""
    marks = [Mark(**mark) for mark in request["marks"]]
    drawn = draw(Path(request["path"]), request["digest"], request["page"], marks)
    return {**vars(drawn), "png": b64encode(drawn.png).decode()}


def picture_from(fields: dict[str, Any]) -> PagePicture:
    """The picture that an answer's JSON holds."""
    return PagePicture(**{**fields, "png": b64decode(fields["png"]), "found": tuple(fields["found"])})
