"""Presentations, spreadsheets, CSV files, e-books and subtitles: what is read of them and where it is said to stand."""

import json
import os
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from bot.assistant import Assistant
from bot.drafts import WrittenBy
from bot.drafts_log import draft_cells
from data.errors import Empty, Rejected
from data.models import Document
from ingest.discover import Item, discover
from ingest.kinds import kind_of
from ingest.reading import read_all

Write = Callable[[str, str], str]

TYPES = "application/vnd.openxmlformats-officedocument."  # the server's words for Office files begin so

SRT = """1
00:00:01,000 --> 00:00:04,000
<i>Today I roast a coffee</i>

2
00:00:04,100 --> 00:00:06,000
>> that comes from Kenya.

3
00:12:31,000 --> 00:12:34,000
[Music]
Stop the roast ninety seconds

4
00:12:34,200 --> 00:12:37,000
after first crack begins.
"""
ROLLING = """WEBVTT
Kind: captions

NOTE nobody reads this

00:00:00.160 --> 00:00:02.070 align:start position:0%

so<00:00:00.400><c> today</c><00:00:00.640><c> we</c><00:00:00.800><c> look</c>

00:00:02.070 --> 00:00:02.080 align:start position:0%
so today we look

00:00:02.080 --> 00:00:04.000 align:start position:0%
so today we look
at<00:00:02.300><c> the</c><00:00:02.500><c> chaff &amp; dust</c>

NOTE nor this

00:01:04.010 --> 00:01:06.000
<v Nell>at the collector
"""


def read(path: Path) -> Document | Rejected:
    [(_, outcome)] = read_all([Item(str(path), path)], workers=1)
    return outcome


def document(path: Path) -> Document:
    outcome = read(path)
    assert isinstance(outcome, Document), outcome
    return outcome


def page(read: Document, number: int) -> str:
    """The text of a page."""
    ends = [*read.page_starts[1:], len(read.text)]
    return read.text[read.page_starts[number - 1] : ends[number - 1]].strip()


def make_talk(path: Path) -> Path:
    import pptx
    from pptx.chart.data import CategoryChartData
    from pptx.enum.chart import XL_CHART_TYPE
    from pptx.util import Inches

    talk = pptx.Presentation()
    talk.core_properties.title, talk.core_properties.author = "Roasting at home", "Nell Ward"
    first = talk.slides.add_slide(talk.slide_layouts[1])
    first.shapes.title.text = "Resting"
    first.placeholders[1].text_frame.text = "Light roasts rest for nine days"
    first.placeholders[1].text_frame.add_paragraph().text = "Dark roasts rest for four"
    hidden = talk.slides.add_slide(talk.slide_layouts[1])
    hidden.shapes.title.text = "What the roaster cost me"
    hidden._element.set("show", "0")
    third = talk.slides.add_slide(talk.slide_layouts[5])
    third.shapes.title.text = "Prices"
    table = third.shapes.add_table(2, 2, Inches(1), Inches(2), Inches(5), Inches(1)).table
    for number, text in enumerate(("Coffee", "Price", "Kenya", "14 €")):
        table.cell(number // 2, number % 2).text = text
    figures = CategoryChartData()
    figures.categories = ["2023", "2024"]
    figures.add_series("Sold", (12, 15.5))
    third.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, Inches(1), Inches(4), Inches(4), Inches(3), figures)
    third.notes_slide.notes_text_frame.text = "Decaf needs only three days of rest before it is brewed."
    talk.save(str(path))
    return path


def make_book(path: Path, sheets: dict[str, Sequence[Sequence[object]]]) -> Path:
    import openpyxl

    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    book.save(path)
    return path


def make_epub(path: Path, extra: dict[str, str] | None = None, **parts: str) -> Path:
    named = {
        "META-INF/container.xml": '<container><rootfiles><rootfile full-path="in/book.opf"/></rootfiles></container>',
        "in/book.opf": parts.get(
            "package",
            '<package xmlns:dc="urn:dc"><metadata><dc:title>The Patient Loaf</dc:title><dc:creator>Ada Baker'
            "</dc:creator><dc:date>2023-02-01</dc:date></metadata><manifest>"
            '<item id="n" href="nav.xhtml" properties="nav"/><item id="2" href="text/two.xhtml"/>'
            '<item id="1" href="text/one.xhtml"/><item id="0" href="gone.xhtml"/></manifest>'
            '<spine><itemref idref="0"/><itemref idref="1"/><itemref idref="2"/></spine></package>',
        ),
        "in/nav.xhtml": '<html><a href="text/one.xhtml">Flour</a><a href="text/two.xhtml#x">On rest</a></html>',
        "in/text/one.xhtml": "<html><h2>Flour</h2><p>Flour is milled from wheat&nbsp;or rye.</p>"
        "<ul><li><p>Rye has less gluten</p></li></ul><script>alert(1)</script></html>",
        "in/text/two.xhtml": "<html><p>The dough rests for nineteen hours in the cellar.</p></html>",
    }
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/epub+zip")
        for name, body in {**named, **(extra or {})}.items():
            archive.writestr(name, body)
    return path


def test_a_slide_is_a_page_with_its_title_points_table_chart_and_notes(tmp_path: Path) -> None:
    got = document(make_talk(tmp_path / "talk.pptx"))
    assert (got.kind, got.title, got.author, len(got.page_starts)) == ("pptx", "Roasting at home", "Nell Ward", 3)
    assert [(heading.level, heading.text) for heading in got.headings] == [(1, "Resting"), (1, "Prices")]
    assert page(got, 1) == "Resting\n\n- Light roasts rest for nine days\n- Dark roasts rest for four"
    assert page(got, 2) == ""  # hidden, and counted
    assert "Coffee | Price\nKenya | 14 €" in page(got, 3)
    assert "2023 | 12\n2024 | 15.5" in page(got, 3)
    assert "Notes:\nDecaf needs only three days" in page(got, 3)


def test_each_piece_of_a_long_sheet_has_its_name_and_its_header(tmp_path: Path) -> None:
    rows = [["Coffee", "Price", "Rest days"], *([f"Number {n} of Kenya", n / 4, n] for n in range(200))]
    got = document(make_book(tmp_path / "prices.xlsx", {"Price list": rows}))
    pieces = got.text.split("\n\n")
    assert len(pieces) > 10
    assert {piece.split("\n")[0] for piece in pieces} == {"Price list"}
    assert {piece.split("\n")[1] for piece in pieces} == {"Coffee | Price | Rest days"}
    assert "Number 199 of Kenya | 49.75 | 199" in pieces[-1]
    assert len(got.headings) == len(pieces)  # chunks never cross them


def test_cells_are_read_as_a_sheet_shows_them(tmp_path: Path) -> None:
    import datetime

    path = make_book(
        tmp_path / "a.xlsx",
        {"A": [["What", "Share", "Price", "Since"], ["Milk", 0.25, 3.5, datetime.datetime(2024, 3, 5)]]},
    )
    import openpyxl

    book = openpyxl.load_workbook(path)
    book["A"]["B2"].number_format, book["A"]["C2"].number_format = "0%", '#,##0.00 "€"'
    book["A"]["E1"], book["A"]["E2"] = "Sum", "=1+1"
    book.create_sheet("Secret").append(["Hidden", "sheets are left out"])
    book["Secret"].sheet_state = "hidden"
    book.save(path)
    got = document(path)
    assert "Milk | 25% | 3.50 € | 2024-03-05" in got.text
    assert "1+1" not in got.text
    assert "left out" not in got.text
    assert got.page_labels == ("A",)


def test_wide_tables_keep_the_name_of_each_row_and_lists_of_two_columns_become_a_line_each(tmp_path: Path) -> None:
    wide = [["Machine", *(f"Part {n}" for n in range(12))], ["Gaggia", *range(12)]]
    hours = [["Monday", "closed"], ["Tuesday", "from nine to five"]]
    got = document(make_book(tmp_path / "a.xlsx", {"Wide": wide, "Hours": hours, "Bare": [["x", 1], ["y", 2]]}))
    assert [line.split(" | ")[0] for line in page(got, 1).split("\n") if " | " in line] == ["Machine", "Gaggia"] * 2
    assert "- Tuesday: from nine to five" in page(got, 2)
    assert "A | B\nx | 1\ny | 2" in page(got, 3)  # no header: no row is taken for one


def test_csv_of_any_encoding_is_a_table_and_questions_with_answers_are_text(tmp_path: Path) -> None:
    (tmp_path / "grinders.csv").write_bytes("Mühle;Preis;Gewicht\nNiche;499;4,2\nDF64;399;4,5\n".encode("cp1252"))
    got = document(tmp_path / "grinders.csv")
    assert got.text == "grinders\nMühle | Preis | Gewicht\nNiche | 499 | 4,2\nDF64 | 399 | 4,5"
    faq = 'Question,Answer\nHow long does decaf rest?,"Three days, no more. It ages fast."\n'
    (tmp_path / "faq.csv").write_text(faq)
    assert document(tmp_path / "faq.csv").text == "How long does decaf rest?\nThree days, no more. It ages fast."


def test_drafts_are_no_document(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("Comment,reply,status,intent,flags,sources,responder,adapter\nHi,Yo,d,,,,,\n")
    assert "shawgpt reply" in str(read(tmp_path / "r.csv"))


def test_chapters_come_in_reading_order_under_the_names_of_the_table_of_contents(tmp_path: Path) -> None:
    got = document(make_epub(tmp_path / "book.epub"))
    assert (got.title, got.author, got.date) == ("The Patient Loaf", "Ada Baker", "2023-02-01")
    assert got.page_labels == ("Flour", "On rest")
    assert page(got, 1) == "Flour\n\nFlour is milled from wheat or rye.\n\n- Rye has less gluten"
    assert page(got, 2) == "On rest\n\nThe dough rests for nineteen hours in the cellar."


def test_cues_become_sentences_and_a_page_is_a_minute(tmp_path: Path) -> None:
    (tmp_path / "my video.en.srt").write_text(SRT)
    got = document(tmp_path / "my video.en.srt")
    assert got.title == "my video"
    assert got.text == (
        "Today I roast a coffee that comes from Kenya.\n\nStop the roast ninety seconds after first crack begins."
    )
    assert (len(got.page_starts), page(got, 13)) == (13, "Stop the roast ninety seconds after first crack begins.")


def test_captions_that_roll_say_everything_once(tmp_path: Path) -> None:
    (tmp_path / "auto.vtt").write_text(ROLLING)
    assert document(tmp_path / "auto.vtt").text == "so today we look at the chaff & dust at the collector"


def test_answers_name_slides_sheets_chapters_and_minutes(assistant: Assistant, tmp_path: Path, write: Write) -> None:
    (tmp_path / "in").mkdir()
    make_talk(tmp_path / "in" / "talk.pptx")
    make_book(
        tmp_path / "in" / "list.xlsx",
        {"Prices": [["Machine", "Price", "Weight in kg"], ["Gaggia Classic", 449, 7.3], ["Rancilio Silvia", 699, 14]]},
    )
    make_epub(tmp_path / "in" / "book.epub")
    write("in/how I roast.srt", SRT)
    report = assistant.ingest([str(tmp_path / "in")], "default")
    assert [(Path(entry.source).suffix, entry.kind) for entry in report.entries] == [
        (".epub", "epub"), (".srt", "subtitles"), (".xlsx", "xlsx"), (".pptx", "pptx"),
    ]  # fmt: skip
    for question, said, place in (
        ("How long does decaf rest before it is brewed?", "three days", "slide 3"),
        ("How much does the Rancilio Silvia weigh?", "Weight in kg 14", "sheet “Prices”"),
        ("How long does the dough rest in the cellar?", "nineteen hours", "chapter “On rest”"),
        ("When do I stop the roast after first crack?", "ninety seconds", "at 12:00"),
    ):
        given = json.loads(json.dumps(assistant.answer(question).as_json()))
        assert said in given["answer"], given
        assert given["sentences"][0]["support"][0]["place"] == place
        assert given["passages"][0]["place"].endswith(place.removeprefix("at "))
    [(_, draft)] = assistant.drafts(["How long does decaf rest before it is brewed?"])
    assert "Roasting at home, slide 3" in draft_cells(draft, WrittenBy("extractive"))[4]  # the column "sources"


ZIP = b"PK\x03\x04" + bytes(22)


@pytest.mark.parametrize(
    ("name", "head", "served", "kind"),
    [
        ("a.pptx", ZIP + b"\x13\0\0\0[Content_Types].xml", "", "pptx"),
        ("a.bin", ZIP + b"\x13\0\0\0xl/workbook.xml", "", "xlsx"),
        ("a.docx", ZIP + b"\x13\0\0\0ppt/presentation.xml", "", "pptx"),
        ("a", ZIP + b"\x08\0\0\0mimetypeapplication/epub+zip", "", "epub"),
        ("https://x.example/get?id=1", ZIP + b"\x13\0\0\0[Content_Types].xml", TYPES + "spreadsheetml.sheet", "xlsx"),
        ("https://x.example/a.csv", b"a,b\n1,2\n", "text/plain", "csv"),
        ("https://x.example/get", b"a,b\n1,2\n", "text/csv", "csv"),
        ("https://x.example/get", b"1\n00:00", "application/x-subrip", "subtitles"),
        ("a.txt", b"WEBVTT\n\n", "", "subtitles"),
    ],
)
def test_kinds_are_told_by_content_then_by_the_server_then_by_name(
    name: str, head: bytes, served: str, kind: str
) -> None:
    assert kind_of(name, head, served) == kind


def bomb(path: Path, inner: str) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(inner, bytes(20_000_000))


def patched(path: Path, name: str, change: Callable[[bytes], bytes]) -> None:
    """Change one part of a zip archive."""
    with zipfile.ZipFile(path) as archive:
        parts = {part: archive.read(part) for part in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for part, body in parts.items():
            archive.writestr(part, change(body) if part == name else body)


LAUGHS = b"<!DOCTYPE x [<!ENTITY a 'ha'>%s]>" % b"".join(
    b"<!ENTITY %c '%s'>" % (98 + n, b"&%c;" % (97 + n) * 50) for n in range(9)
)
STEALS = b"<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>"


def with_entity(doctype: bytes, entity: bytes, after: bytes) -> Callable[[bytes], bytes]:
    """Put a document type in front, and an entity of it behind `after`."""

    def change(body: bytes) -> bytes:
        end = body.index(b"?>") + 2 if body.startswith(b"<?xml") else 0
        at = body.index(after) + len(after)
        return body[:end] + doctype + body[end:at] + entity + body[at:]

    return change


def test_hostile_files_end_as_read_empty_or_rejected_and_the_rest_goes_on(tmp_path: Path) -> None:
    for name, inner in (("a.pptx", "ppt/slides/slide1.xml"), ("a.xlsx", "xl/worksheets/sheet1.xml"), ("a.epub", "c")):
        bomb(tmp_path / f"bomb-{name}", inner)
    for name in ("laughs", "steals"):
        doctype, entity = (LAUGHS, b"&j;") if name == "laughs" else (STEALS, b"&a;")
        make_talk(tmp_path / f"{name}.pptx")
        patched(tmp_path / f"{name}.pptx", "ppt/slides/slide1.xml", with_entity(doctype, entity, b"<a:t>"))
        make_book(tmp_path / f"{name}.xlsx", {"A": [["Name", "Text"], ["x y z", "words of some kind here"]]})
        for part in ("xl/workbook.xml", "xl/sharedStrings.xml", "xl/worksheets/sheet1.xml"):
            after = {"xl/workbook.xml": b"<sheets>", "xl/sharedStrings.xml": b"<t>"}.get(part, b"<sheetData>")
            patched(tmp_path / f"{name}.xlsx", part, with_entity(doctype, entity, after))
        make_epub(tmp_path / f"{name}.epub")
        patched(tmp_path / f"{name}.epub", "in/text/two.xhtml", with_entity(doctype, entity, b"<p>"))
        patched(tmp_path / f"{name}.epub", "in/nav.xhtml", with_entity(doctype, entity, b'#x">'))
        patched(tmp_path / f"{name}.epub", "in/text/one.xhtml", with_entity(doctype, entity, b"<p>"))
    sheet = make_book(tmp_path / "t.xlsx", {"A": [["a", "b"], ["c", 1]]})
    for path in (sheet, make_talk(tmp_path / "t.pptx"), make_epub(tmp_path / "t.epub")):
        body = path.read_bytes()
        for share in (10, 50, 95):
            path.with_stem(f"cut{share}").write_bytes(body[: len(body) * share // 100])
        path.with_stem("ole").write_bytes(b"\xd0\xcf\x11\xe0" + bytes(600))
        path.with_stem("noise").write_bytes(b"PK\x03\x04" + os.urandom(3000))
    climbing = tmp_path / "climbing.epub"
    make_epub(climbing, extra={"../../etc/cron": "x"})
    patched(climbing, "in/book.opf", lambda body: body.replace(b"gone.xhtml", b"../../../../../../etc/passwd"))
    make_epub(tmp_path / "locked.epub", extra={"META-INF/rights.xml": "<rights/>"})
    odd = (
        "99:99:99,999 --> 00:00:00,000\nBackwards",
        "-1:00 --> x\nNothing",
        "00:00:05,000 --> 00:00:06,000\nIt ends.",
    )
    (tmp_path / "odd.srt").write_text("\n\n".join(f"{n}\n{cue}" for n, cue in enumerate(odd, 1)))
    (tmp_path / "silent.vtt").write_text("WEBVTT\n\n")
    (tmp_path / "none.srt").write_text("no times at all in this one\n" * 9)
    (tmp_path / "long.vtt").write_text("WEBVTT\n\n00:00.000 --> 00:01.000\n" + "<c>" * 200_000 + "[" * 200_000)
    (tmp_path / "quote.csv").write_text('a,b\n1,"never closed\n2,3\n')
    (tmp_path / "bytes.csv").write_bytes(bytes(range(256)) * 99)
    (tmp_path / "empty.xlsx").write_bytes(make_book(tmp_path / "x.xlsx", {"A": []}).read_bytes())
    outcomes = {item.source.rsplit("/", 1)[-1]: found for item, found in read_all(discover([str(tmp_path)]).items)}
    said = {name: str(found) for name, found in outcomes.items() if isinstance(found, Rejected)}
    for name in ("bomb-a.pptx", "bomb-a.xlsx", "bomb-a.epub"):
        assert "zip bomb" in said[name]
    assert all("old Office file" in said[f"ole.{kind}"] for kind in ("pptx", "xlsx"))
    assert all(f"noise.{kind}" in said for kind in ("pptx", "xlsx", "epub"))
    assert all(f"cut{share}.{kind}" in said for share in (10, 50, 95) for kind in ("pptx", "xlsx", "epub"))
    assert "DRM" in said["locked.epub"]
    assert "no times" in said["none.srt"]
    assert "never closes" in said["quote.csv"]
    assert all(isinstance(outcomes[name], Empty) for name in ("empty.xlsx", "silent.vtt"))
    for name, found in outcomes.items():
        if isinstance(found, Document):
            assert "root:" not in found.text, name
            assert "hahaha" not in found.text, name
            assert len(found.text) < 1_000_000, name
    survivors = [outcomes[name] for name in ("t.pptx", "t.xlsx", "t.epub", "climbing.epub", "odd.srt")]
    assert all(isinstance(found, Document) for found in survivors), survivors
    assert "reader" not in " ".join(said.values())  # no worker died of them
    assert "30 s" not in " ".join(said.values())


def test_sheets_of_too_many_rows_are_refused_and_say_so(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("n,square\n" + "".join(f"{n},{n * n}\n" for n in range(100_001)))
    assert "more than 100,000 rows" in str(read(tmp_path / "a.csv"))


@pytest.mark.slow
def test_a_sheet_of_a_million_rows_is_refused_within_the_limits(tmp_path: Path) -> None:
    make_book(tmp_path / "a.xlsx", {"A": [(n, n * n, "text") for n in range(1_000_000)]})
    why = str(read(tmp_path / "a.xlsx"))
    assert "more than 100,000 rows" in why or "longer than 30 s" in why  # whichever a machine reaches first
