"""Images (PNG, JPEG, TIFF, WebP, GIF, BMP): what OCR reads on them."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from data.errors import Empty, Rejected
from data.models import Document
from data.places import BY_OCR
from ingest.clean import join_pages
from ingest.ocr import NeedsOcr, missing
from ingest.text import checked, read_bytes
from ingest.titles import stem_title

if TYPE_CHECKING:
    from PIL.Image import Image

_FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "GIF", "BMP")
_MOST_BYTES = 50_000_000
_MOST_PIXELS = 80_000_000
_MOST_PAGES = 500


def read_image(source: str, content: Path | bytes, read: Mapping[int, str] | None = None, failed: str = "") -> Document:
    """The text on an image: `read` has it by page, from 0; without it, raises NeedsOcr.

    The pages of a TIFF file are pages; of what moves, the first picture counts. Raises Rejected for what is too large
    or damaged, or where no OCR is installed; Empty where OCR finds nothing.
    """
    with opened(content) as image:
        pages = int(getattr(image, "n_frames", 1)) if image.format == "TIFF" else 1
    if pages > _MOST_PAGES:
        raise Rejected(f"more than {_MOST_PAGES} pages: split it")
    if lacking := missing():
        raise Rejected(f"an image: {lacking}")
    if read is None:
        raise NeedsOcr(range(pages))
    joined = join_pages([read.get(page, "") for page in range(pages)])
    if not joined.text.strip():
        raise Empty("no text that OCR can read")
    starts = joined.page_starts if pages > 1 else ()
    labels = (BY_OCR,) * len(starts)
    title = stem_title(source)
    return checked(Document(source, "image", joined.text, title, page_starts=starts, page_labels=labels, unread=failed))


@contextmanager
def opened(content: Path | bytes) -> "Iterator[Image]":
    """The image, nothing of it decoded yet. Raises Rejected where it is too large or damaged, also once it is."""
    from PIL import Image, UnidentifiedImageError

    data = read_bytes(content, _MOST_BYTES)
    Image.MAX_IMAGE_PIXELS = None  # the limit below is ours, and is looked at first
    warnings.simplefilter("ignore")
    try:
        with Image.open(BytesIO(data), formats=_FORMATS) as image:
            width, height = image.size
            if width * height > _MOST_PIXELS:
                most = _MOST_PIXELS // 1_000_000
                raise Rejected(f"too large: {width:,} × {height:,} pixels (at most {most} million are read)")
            yield image
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError, OverflowError) as error:
        raise Rejected("not a readable image: damaged, or another kind of file") from error
