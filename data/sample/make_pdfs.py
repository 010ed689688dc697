"""Write the sample PDFs from their texts: `python data/sample/make_pdfs.py`. Needs reportlab (only for this script).

A source is lines: `#` title, `=` subtitle, `@` byline, `##` and `###` headings, `-` and `1.` items, `|` table rows
(the first is the header), `!` a boxed note, `---` a new page, anything else a paragraph; inside,
`**bold**` and `*italic*`.
The same reportlab gives the same bytes: dates and ids are fixed.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_JUSTIFY
from reportlab.lib.pagesizes import A4, A5
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.platypus import CondPageBreak, KeepTogether, PageBreak, Paragraph, SimpleDocTemplate, Spacer, Table

HERE = Path(__file__).parent
EMBER, INK, SAND, LINE = HexColor("#a4471f"), HexColor("#2b2018"), HexColor("#f5ede1"), HexColor("#d8c8b4")

# Words that may be broken at a line end, and where. A real document has such breaks, and ingest has to mend them.
BREAKS = """
any-thing be-tween boil-ing brown-ing caf-feine card-board clean-er col-an-der col-an-ders con-fi-dence cyl-in-der
batch-es de-vel-op-ment dif-fer-ence dry-ing ex-ten-sion fil-ter grind-er hu-mid-ity in-duc-tion in-stead memo-rable
min-ute min-utes mois-ture num-ber or-di-nary out-doors par-tic-u-lar per-fo-rated por-tions pour-ing pre-heat
pre-heat-ing pro-vided ques-tions read-ing re-peat-able roast-ing roast-er sec-ond tele-phone tem-per-a-ture
nat-u-ral mea-sured up-wind back-wards va-nil-la com-ment pea-nuts fig-ures degrees cer-tain
ther-mom-eter trans-late turn-ing un-der-de-vel-oped un-even un-even-ly weigh-ing wind-break with-out work-ing
"""
SOFT = {word.replace("-", ""): word.replace("-", "\u00ad") for word in BREAKS.split()}


@dataclass(frozen=True)
class Sheet:
    """How one PDF looks."""

    name: str  # file name without suffix, of the source and of the PDF
    size: tuple[float, float]  # page width and height in points
    body: float  # font size of running text in points
    subject: str
    date: datetime  # when the edition came out: the creation date in the PDF
    widths: dict[int, tuple[float, ...]]  # number of columns → their shares of the text width
    folder: str = "pdfs"
    author: str = "Nell Tarrow"
    house: str = "Back Step Roasting"
    foot: str = "backsteproasting.example · free to copy"


SHEETS = (
    Sheet(
        name="stovetop-drum-guide",
        size=A5,
        body=9.4,
        subject="Roasting coffee in a hand-cranked drum on a gas ring",
        date=datetime(2025, 3, 7, 17, tzinfo=UTC),
        widths={3: (0.27, 0.36, 0.37), 4: (0.11, 0.23, 0.13, 0.53), 6: (0.12, 0.18, 0.2, 0.12, 0.23, 0.15)},
    ),
    Sheet(
        name="roasters-reference",
        size=A4,
        body=10.8,
        subject="Tables and frequently asked questions for home coffee roasters",
        date=datetime(2025, 5, 9, 16, tzinfo=UTC),
        widths={3: (0.36, 0.2, 0.44), 4: (0.37, 0.2, 0.2, 0.23), 5: (0.2, 0.165, 0.17, 0.165, 0.3)},
    ),
    Sheet(
        name="staff-handbook",
        size=A4,
        body=10.6,
        subject="What applies to the staff of Brackwater Libraries",
        date=datetime(2025, 11, 24, 9, tzinfo=UTC),
        widths={3: (0.34, 0.26, 0.4), 4: (0.31, 0.23, 0.23, 0.23)},
        folder="handbook",
        author="People Office",
        house="Brackwater Libraries",
        foot="For staff of Brackwater Libraries",
    ),
)


def styles(body: float) -> dict[str, ParagraphStyle]:
    """The paragraph styles by name, scaled to a body size in points."""
    base = ParagraphStyle("base", fontName="Times-Roman", fontSize=body, leading=body * 1.36, textColor=INK)
    head = ParagraphStyle("head", parent=base, fontName="Helvetica-Bold", textColor=EMBER, keepWithNext=1)

    def make(name: str, parent: ParagraphStyle, **changes: Any) -> ParagraphStyle:
        return ParagraphStyle(name, parent=parent, **changes)

    return {
        "title": make("title", head, fontSize=body * 2.3, leading=body * 2.7, spaceAfter=3),
        "subtitle": make("subtitle", base, fontName="Times-Italic", fontSize=body * 1.25, leading=body * 1.7),
        "byline": make("byline", base, fontName="Helvetica", fontSize=body * 0.82, spaceAfter=body * 1.2),
        "h2": make("h2", head, fontSize=body * 1.4, leading=body * 1.8, spaceBefore=body * 1.1, spaceAfter=body * 0.4),
        "h3": make("h3", head, fontSize=body * 1.05, textColor=INK, spaceBefore=body * 0.5, spaceAfter=1),
        "p": make("p", base, alignment=TA_JUSTIFY, spaceAfter=body * 0.55),
        "item": make("item", base, leftIndent=14, bulletIndent=2, spaceAfter=2, bulletFontName="Times-Roman"),
        "note": make("note", base, fontName="Times-Italic", backColor=SAND, borderPadding=6, spaceBefore=body,
                     spaceAfter=body * 1.2, leftIndent=6, rightIndent=6),
        "cell": make("cell", base, fontName="Helvetica", fontSize=body * 0.84, leading=body * 1.1),
        "header": make("header", base, fontName="Helvetica-Bold", fontSize=body * 0.84, leading=body * 1.1),
    }  # fmt: skip


def inline(text: str) -> str:
    """Source text as reportlab's markup, with soft hyphens in the words that may break."""
    text = re.sub(r"[a-z]+", lambda m: SOFT.get(m[0], m[0]), escape(text))
    text = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", text)
    return re.sub(r"\*(.+?)\*", r"<i>\1</i>", text).replace(" °C", "\u00a0°C").replace(" %", "\u00a0%")


def table(rows: list[str], sheet: Sheet, look: dict[str, ParagraphStyle], width: float) -> list[Any]:
    """A table from `| a | b |` lines; it moves to the next page rather than being cut in two."""
    cells = [[inline(cell.strip()) for cell in row.strip("|").split("|")] for row in rows]
    body = [[Paragraph(cell, look["cell" if i else "header"]) for cell in row] for i, row in enumerate(cells)]
    rules = [
        ("BACKGROUND", (0, 0), (-1, 0), SAND),
        ("LINEBELOW", (0, 0), (-1, -1), 0.5, LINE),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("TOPPADDING", (0, 0), (-1, -1), 2.5),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 3.5),
    ]
    widths = [share * width for share in sheet.widths[len(cells[0])]]
    return [KeepTogether([Table(body, colWidths=widths, style=rules, repeatRows=1)]), Spacer(1, sheet.body)]


def flowables(source: str, sheet: Sheet, width: float) -> Iterator[Any]:
    """The pieces of the document, in order."""
    look = styles(sheet.body)
    marks = {"# ": "title", "= ": "subtitle", "@ ": "byline", "## ": "h2", "### ": "h3", "! ": "note"}
    for is_table, group in groupby(filter(None, source.splitlines()), key=lambda line: line.startswith("|")):
        lines = list(group)
        if is_table:
            yield from table(lines, sheet, look, width)
            continue
        for line in lines:
            mark, _, rest = line.partition(" ")
            style = marks.get(f"{mark} ")
            if style:
                if style == "h2":
                    yield CondPageBreak(28 * mm)
                yield Paragraph(inline(rest), look[style])
            elif mark == "---":
                yield PageBreak()
            elif mark == "-" or re.fullmatch(r"\d+\.", mark):
                yield Paragraph(inline(rest), look["item"], bulletText="•" if mark == "-" else mark)
            else:
                yield Paragraph(inline(line), look["p"])


def write(sheet: Sheet) -> Path:
    """Lay out one sheet and return the PDF's path."""
    source = (HERE / "pdf_sources" / f"{sheet.name}.src").read_text(encoding="utf-8")
    title = source.splitlines()[0].removeprefix("# ")
    target = HERE / sheet.folder / f"{sheet.name}.pdf"
    margin = sheet.size[0] * 0.11
    os.environ["SOURCE_DATE_EPOCH"] = str(int(sheet.date.timestamp()))  # reportlab takes its dates from it
    doc = SimpleDocTemplate(
        str(target), pagesize=sheet.size, invariant=1,
        leftMargin=margin, rightMargin=margin, topMargin=20 * mm, bottomMargin=19 * mm,
        title=title, author=sheet.author, subject=sheet.subject, creator=sheet.house,
    )  # fmt: skip

    def furniture(canvas: Any, page: Any) -> None:
        """The running header and footer."""
        left, right, top = margin + 6, sheet.size[0] - margin - 6, sheet.size[1] - 12 * mm
        canvas.saveState()
        canvas.setFillColor(INK)
        canvas.setStrokeColor(LINE)
        canvas.setFont("Helvetica", 7.5)
        canvas.drawString(left, top, sheet.house)
        canvas.drawRightString(right, top, title)
        canvas.line(left, top - 4, right, top - 4)
        canvas.drawString(left, 11 * mm, sheet.foot)
        canvas.drawRightString(right, 11 * mm, f"Page {page.page}")
        canvas.restoreState()

    def outline(flowable: Any) -> None:
        """Headings go into the PDF's outline."""
        level = {"h2": 0, "h3": 1}.get(getattr(getattr(flowable, "style", None), "name", ""))
        if level is not None:
            text = flowable.getPlainText().replace("\u00ad", "")
            key = re.sub(r"\W+", "-", text.lower())
            doc.canv.bookmarkPage(key)
            doc.canv.addOutlineEntry(text, key, level=level, closed=level == 0)

    doc.afterFlowable = outline
    doc.build(list(flowables(source, sheet, doc.width - 12)), onFirstPage=furniture, onLaterPages=furniture)
    return target


if __name__ == "__main__":
    for sheet in SHEETS:
        (HERE / sheet.folder).mkdir(exist_ok=True)
        path = write(sheet)
        print(f"{path} {path.stat().st_size:,} bytes")
