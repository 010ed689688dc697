"""PowerPoint presentations: a slide is a page, its title a heading; text, tables, figures of charts, speaker notes."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

from data.errors import Rejected
from data.models import Document
from ingest.blocks import Block, assemble_pages
from ingest.quality import sanitise
from ingest.text import checked, read_bytes
from ingest.titles import clean_author, clean_title, day, stem_title
from ingest.zipped import open_archive

_MOST_BYTES = 100_000_000  # pictures are most of it
_MOST_UNPACKED = 300_000_000
_MOST_POINTS = 200  # of a chart
_DEEPEST = 20  # groups within groups


def read_pptx(source: str, content: Path | bytes) -> Document:
    """A PPTX file as a document. Raises Rejected for a zip bomb, an encrypted or damaged file."""
    import pptx

    data = read_bytes(content, _MOST_BYTES)
    open_archive(data, "PPTX", _MOST_UNPACKED)
    try:
        talk = pptx.Presentation(BytesIO(data))
        text, headings, starts = assemble_pages([list(_slide(slide)) for slide in talk.slides])
        properties = talk.core_properties
        title, author = properties.title or "", properties.author or ""
        written = properties.modified or properties.created
    except MemoryError:
        raise
    except Exception as error:  # python-pptx raises KeyError, ValueError and XML errors on damaged files
        raise Rejected(f"not a readable PPTX ({type(error).__name__})") from error
    shown = clean_title(title) or (headings[0].text if headings else "") or stem_title(source)
    author = clean_author(author)
    return checked(Document(source, "pptx", text, shown, author, day(written), starts, headings=headings))


def _slide(slide: Any) -> Iterator[Block]:
    """The title, the shapes in their order, the notes. A hidden slide is empty: its number still counts."""
    if slide._element.get("show") in ("0", "false"):
        return
    title = slide.shapes.title
    if title is not None and (line := " ".join(sanitise(title.text_frame.text).split())):
        yield Block(line, 1)
    for shape in _shapes(slide.shapes, 0):
        if title is None or shape.shape_id != title.shape_id:
            yield from _shape(shape)
    if slide.has_notes_slide and (frame := slide.notes_slide.notes_text_frame) is not None:
        for nth, line in enumerate(_paragraphs(frame)):
            if not nth:
                yield Block("Notes:")
            yield Block(line, tight=not nth)


def _shapes(shapes: Any, depth: int) -> Iterator[Any]:
    """Each shape, those of groups included."""
    for shape in shapes:
        if getattr(shape, "shapes", None) is None:
            yield shape
        elif depth < _DEEPEST:
            yield from _shapes(shape.shapes, depth + 1)


def _shape(shape: Any) -> Iterator[Block]:
    from pptx.enum.shapes import PP_PLACEHOLDER

    holder = shape.placeholder_format.type if shape.is_placeholder else None
    if holder in (PP_PLACEHOLDER.FOOTER, PP_PLACEHOLDER.SLIDE_NUMBER, PP_PLACEHOLDER.DATE):
        return
    if getattr(shape, "has_table", False) and shape.has_table:
        for number, row in enumerate(shape.table.rows):
            cells = [
                " ".join(sanitise(cell.text).split()).replace("|", "/") for cell in row.cells if not cell.is_spanned
            ]
            if line := " | ".join(cells).rstrip(" |"):
                yield Block(line, tight=number > 0)
    elif getattr(shape, "has_chart", False) and shape.has_chart:
        yield from _chart(shape.chart)
    elif shape.has_text_frame:
        lines = list(_paragraphs(shape.text_frame))
        # So that the points of a list can be told from headings, and are quoted whole.
        listed = len(lines) > 1 or holder in (PP_PLACEHOLDER.BODY, PP_PLACEHOLDER.OBJECT)
        for nth, line in enumerate(lines):
            yield Block(f"- {line}" if listed else line, tight=nth > 0)


def _paragraphs(frame: Any) -> Iterator[str]:
    for paragraph in frame.paragraphs:
        if line := " ".join(sanitise(paragraph.text).split()):  # a vertical tab is a line break
            yield line


def _chart(chart: Any) -> Iterator[Block]:
    """What a chart shows, as a table: a row for each category, a column for each series."""
    try:
        if chart.has_title and (line := " ".join(sanitise(chart.chart_title.text_frame.text).split())):
            yield Block(line)
        for plot in chart.plots:
            series = [(each.name or "", list(each.values)) for each in plot.series]
            names = [str(category) for category in plot.categories][:_MOST_POINTS]
            rows = [["", *(name for name, _ in series)]]
            for at, name in enumerate(names):
                figures = [values[at] if at < len(values) else None for _, values in series]
                rows.append([name, *("" if figure is None else f"{figure:.12g}" for figure in figures)])
            for number, row in enumerate(rows if len(rows) > 1 else []):
                line = " | ".join(" ".join(sanitise(cell).split()).replace("|", "/") for cell in row)
                yield Block(line.strip(), tight=number > 0)
    except (AttributeError, KeyError, TypeError, ValueError):
        return  # a kind of chart that the library doesn't know: the slide is worth having without it
