"""Pages as pictures: the quote is marked where it stands, the page is the one cited, hostile files do no harm."""

import csv
import hashlib
import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageChops
from pypdf import PdfReader, PdfWriter
from reportlab.pdfgen.canvas import Canvas
from test_pdf import make_pdf

from bot.assistant import Assistant
from bot.cited_pages import can_be_drawn, marks_of, picture, write_pages
from bot.drafts import Answer, Sentence, Support
from data.errors import BadInput, NotFound, Rejected
from data.models import Passage
from ingest.page_picture import LONGEST_SIDE, MOST_PIXELS, PAPER, PagePicture, request_of
from ingest.pictures import Pictures
from ingest.pool import Worker
from ingest.quote_places import Mark, places_of, squashed

Pages = list[list[tuple[float, float, str]]]  # for each page: x, y from below, text
SAMPLE = Path(__file__).parents[1] / "data/sample"
RESTS = "The dough rests for nine hours before it is shaped."


@pytest.fixture(scope="module")
def pictures() -> Iterator[Pictures]:
    made = Pictures()
    yield made
    made.close()


@pytest.fixture
def draw(tmp_path: Path, pictures: Pictures) -> Callable[..., PagePicture]:
    """Draws a page of these bytes."""

    def drawn(body: bytes, page: int, *marks: Mark) -> PagePicture:
        (tmp_path / "x.pdf").write_bytes(body)
        return pictures.picture(tmp_path / "x.pdf", digest_of(body), page, marks)

    return drawn


def digest_of(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def laid_out(pages: Pages, size: tuple[float, float] = (600, 800)) -> bytes:
    """A PDF with these texts at these places (Helvetica, 12 points)."""
    file = BytesIO()
    canvas = Canvas(file, pagesize=size, invariant=1)
    for page in pages:
        canvas.setFont("Helvetica", 12)
        for x, y, text in page:
            canvas.drawString(x, y, text)
        canvas.showPage()
    canvas.save()
    return file.getvalue()


def image(drawn: PagePicture) -> Image.Image:
    return Image.open(BytesIO(drawn.png)).convert("RGB")


def marked(drawn: PagePicture) -> tuple[float, float, float, float] | None:
    """The box around all that is marked: left, top, right, bottom as shares 0–1 of the picture; None for nothing."""
    picture = image(drawn)
    plain = Image.new("RGB", picture.size, PAPER)
    same = ImageChops.difference(picture, plain).convert("L").point(lambda value: 255 if value == 0 else 0)
    box = same.getbbox()
    if box is None:
        return None
    return box[0] / picture.width, box[1] / picture.height, box[2] / picture.width, box[3] / picture.height


def is_about(box: tuple[float, ...] | None, expected: tuple[float, ...], within: float = 0.02) -> bool:
    return box is not None and all(abs(a - b) <= within for a, b in zip(box, expected, strict=True))


def passage(text: str, pages: tuple[tuple[int, int], ...] = ((0, 1),), source: str = "/x/guide.pdf") -> Passage:
    return Passage(1, 1.0, source, "Guide", pages[0][1], pages[-1][1], "", "c1", text, pages)


def test_the_line_of_a_quote_is_marked_and_nothing_else(draw) -> None:
    body = laid_out([[(60, 700, "Something else entirely."), (60, 400, RESTS), (60, 100, "The end.")]])
    drawn = draw(body, 1, Mark(RESTS))
    assert drawn.found == (True,)
    assert is_about(marked(drawn), (0.1, 0.484, 0.565, 0.505))
    assert drawn.top == pytest.approx(0.485, abs=0.01)
    assert (drawn.page, drawn.pages) == (1, 1)


def test_a_quote_is_found_although_reading_joined_its_lines_and_mended_its_words(draw) -> None:
    lines = ["The eﬃcient baker watches the fermen-", "tation of the dough,", "and writes  it down."]
    body = make_pdf([["Head of the page.", *[line.replace("ﬃ", "ffi") for line in lines], "Another line."]])
    drawn = draw(body, 1, Mark("The eﬃcient baker watches the fermentation of the dough, and writes it down."))
    assert drawn.found == (True,)
    box = marked(drawn)
    assert box is not None
    assert 0.04 < box[3] - box[1] < 0.06  # three lines of five


def test_where_the_page_says_it_twice_the_place_within_its_passage_is_marked(draw) -> None:
    texts = ["Bread of wheat.", "Total 5 3 2", "Bread of rye.", "Total 5 3 2"]
    body = laid_out([[(60, 700 - 200 * n, text) for n, text in enumerate(texts)]])
    assert draw(body, 1, Mark("Total 5 3 2", before="Bread of rye.\n")).top > 0.8
    assert draw(body, 1, Mark("Total 5 3 2", before="wheat.", after="Bread of rye.")).top < 0.4


def test_the_cells_of_a_row_and_the_columns_of_a_page_are_marked_one_by_one(draw) -> None:
    body = laid_out([[(60, 400, "Water"), (250, 400, "between"), (450, 400, "70 %")]])
    picture = image(draw(body, 1, Mark("Water | between | 70 %")))
    y = picture.height // 2 - 5
    assert picture.getpixel((picture.width * 200 // 600, y)) == (255, 255, 255)
    assert len([x for x in range(picture.width) if picture.getpixel((x, y)) == PAPER]) > 20


def test_a_quote_with_a_foot_of_the_page_in_its_middle_is_marked_without_it() -> None:
    page = "The dough rests for nine hours in a cold\nForm 10-Q | 22\nroom before it is shaped into loaves."
    mark = Mark("The dough rests for nine hours in a cold room before it is shaped into loaves.")
    parts = [page[slice(*place)] for place in places_of(mark, page, squashed(page))]
    assert parts == ["The dough rests for nine hours in a cold", "room before it is shaped into loaves."]


def test_what_the_page_does_not_say_is_not_marked_and_the_page_is_shown(draw) -> None:
    drawn = draw(laid_out([[(60, 400, RESTS)]]), 1, Mark("The moon is made of green cheese and of nothing else."))
    assert drawn.found == (False,)
    assert marked(drawn) is None
    assert drawn.top == 0
    assert draw(laid_out([[(60, 400, RESTS)]]), 1, Mark(" … "), Mark("")).found == (False, False)


@pytest.mark.parametrize(
    ("turn", "expected"),
    [(0, (0.1, 0.235, 0.565, 0.255)), (90, (0.745, 0.1, 0.765, 0.565)), (180, (0.435, 0.745, 0.9, 0.765)),
     (270, (0.235, 0.435, 0.255, 0.9))],
)  # fmt: skip
def test_marks_turn_with_a_turned_page(draw, turn: int, expected: tuple[float, ...]) -> None:
    writer = PdfWriter(clone_from=BytesIO(laid_out([[(60, 600, RESTS)]])))
    writer.pages[0].rotate(turn)
    file = BytesIO()
    writer.write(file)
    assert is_about(marked(draw(file.getvalue(), 1, Mark(RESTS))), expected)


def test_marks_are_placed_on_what_a_crop_box_leaves(draw) -> None:
    writer = PdfWriter(clone_from=BytesIO(laid_out([[(60, 600, RESTS)]])))
    writer.pages[0].cropbox.lower_left = (40, 400)
    writer.pages[0].cropbox.upper_right = (440, 700)
    file = BytesIO()
    writer.write(file)
    assert is_about(marked(draw(file.getvalue(), 1, Mark(RESTS))), (0.05, 0.297, 0.725, 0.347))


@pytest.mark.parametrize("size", [(14_400, 14_400), (14_400, 3), (3, 14_400), (3, 3), (600, 800)])
def test_a_picture_is_bounded_whatever_size_the_page_says_it_has(draw, size: tuple[float, float]) -> None:
    drawn = draw(laid_out([[(1, 1, "Hello there, page.")]], size), 1, Mark("Hello there, page."))
    assert drawn.width * drawn.height <= 1.02 * MOST_PIXELS
    assert max(drawn.width, drawn.height) <= LONGEST_SIDE + 1
    assert image(drawn).size == (drawn.width, drawn.height)


def test_what_was_typed_into_a_form_is_drawn(draw) -> None:
    file = BytesIO()
    canvas = Canvas(file, pagesize=(600, 800), invariant=1)
    canvas.acroForm.textfield(name="n", value="Typed in by hand", x=60, y=400, width=300, height=40, borderWidth=0)
    canvas.showPage()
    canvas.save()
    dark = image(draw(file.getvalue(), 1)).convert("L").point(lambda value: 255 if value < 100 else 0).getbbox()
    assert dark is not None


def test_another_file_in_its_place_is_not_shown(tmp_path: Path, pictures: Pictures) -> None:
    file = tmp_path / "x.pdf"
    body = laid_out([[(60, 400, RESTS)]])
    file.write_bytes(body)
    assert pictures.picture(file, digest_of(body), 1).pages == 1
    file.write_bytes(laid_out([[(60, 400, "Quite another text.")]]))
    with pytest.raises(Rejected, match="has changed since it was read"):
        pictures.picture(file, digest_of(body), 1)
    file.unlink()
    with pytest.raises(Rejected, match="is gone"):
        pictures.picture(file, digest_of(body), 1)


@pytest.mark.parametrize(
    ("body", "page", "reason"),
    [
        (b"no PDF", 1, "can't be drawn"),
        (make_pdf([["One page."]]), 2, "has no page 2: it ends with page 1"),
        (make_pdf([["One page."]]), 0, "has no page 0"),
        (make_pdf([["One page."]])[:200], 1, "can't be drawn"),
    ],
)
def test_what_cannot_be_drawn_is_told(draw, body: bytes, page: int, reason: str) -> None:
    with pytest.raises(Rejected, match=reason):
        draw(body, page)


def test_an_encrypted_file_is_told_from_a_damaged_one(draw) -> None:
    writer = PdfWriter(clone_from=PdfReader(BytesIO(make_pdf([["Secret."]]))))
    writer.encrypt("sesame")
    file = BytesIO()
    writer.write(file)
    with pytest.raises(Rejected, match="its password isn't kept"):
        draw(file.getvalue(), 1)


@pytest.mark.skipif(os.name == "nt", reason="named pipes")
def test_drawing_that_hangs_is_killed_and_the_next_page_is_drawn(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "hangs")
    body = make_pdf([["A page."]])
    (tmp_path / "good.pdf").write_bytes(body)
    worker = Worker()
    outcome = worker.draw(request_of(tmp_path / "hangs", "", 1, ()), seconds=0.5)
    assert str(outcome) == "takes longer than 0.5 s to draw"
    assert isinstance(worker.draw(request_of(tmp_path / "good.pdf", digest_of(body), 1, ())), PagePicture)
    worker.kill()


@pytest.mark.slow
def test_a_memory_bomb_ends_its_drawing_and_nothing_else(draw) -> None:
    pack = zlib.compressobj(9)
    stream = b"".join([*(pack.compress(b"(aaaa) Tj " * 1_000_000) for _ in range(200)), pack.flush()])
    body = b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(stream), stream)
    with pytest.raises(Rejected, match="1 GiB"):
        draw(make_pdf([["A page."]], body), 1)
    assert draw(make_pdf([["A page."]]), 1).pages == 1


def test_a_quote_over_the_end_of_a_page_is_marked_in_parts_on_both() -> None:
    text = "It begins here. The dough rests for nine hours in a cold room. It ends here."
    cut = text.index("hours")
    marks = marks_of(passage(text, ((0, 3), (cut, 4))), ["The dough rests for nine hours in a cold room."])
    assert {page: [mark.quote for mark in of] for page, of in marks.items()} == {
        3: ["The dough rests for nine "], 4: ["hours in a cold room."],
    }  # fmt: skip
    assert marks[3][0].before == "It begins here. "
    assert marks[4][0].after == " It ends here."


def test_of_a_passage_that_nothing_is_quoted_from_all_is_marked() -> None:
    assert marks_of(passage("One. Two.", ((0, 1), (5, 2)))) == {1: [Mark("One. ")], 2: [Mark("Two.")]}


def test_only_pages_of_pdf_files_in_the_record_are_drawn(assistant: Assistant, tmp_path: Path, write) -> None:
    (tmp_path / "guide.pdf").write_bytes(laid_out([[(60, 400, RESTS)], [(60, 500, "It is shaped by hand at noon.")]]))
    other = tmp_path / "secret.pdf"
    other.write_bytes(make_pdf([["Not in the knowledge base."]]))
    assistant.ingest([str(tmp_path / "guide.pdf"), write("a.md", "# Notes\n\nSome notes on bread.")], "default")
    chunks = {c.source: c for s in assistant.sources() for c in assistant.store.document_chunks("default", s.source)}
    guide = chunks[str(tmp_path / "guide.pdf")].id
    assert picture(assistant, guide, 2, [Mark("shaped by hand")]).found == (True,)
    with pytest.raises(BadInput, match=r"a\.md is no PDF"):
        picture(assistant, chunks[str(tmp_path / "a.md")].id, 1)
    for nothing in (str(other), str(tmp_path / "guide.pdf"), "../secret.pdf", ""):
        with pytest.raises(NotFound):
            picture(assistant, nothing, 1)
    assistant.forget([str(tmp_path / "guide.pdf")])
    with pytest.raises(NotFound, match="has been forgotten or has changed"):
        picture(assistant, guide, 1)


def test_the_pages_that_an_answer_cites_are_written_under_safe_names(assistant: Assistant, tmp_path: Path) -> None:
    file = tmp_path / "a b;rm -rf~ü.pdf"
    file.write_bytes(laid_out([[(60, 400, RESTS)], [(60, 500, "It is shaped by hand at noon.")]]))
    assistant.ingest([str(file)], "default")
    found = assistant.search("How long does the dough rest?")
    support = (Support(str(file), 1, RESTS), Support(str(file), 2, "It is shaped by hand at noon."))
    cited = tuple(Sentence(each.quote, (each,)) for each in support)
    answer = Answer("How long?", "answered", cited, found.passages)
    written, failed = write_pages(assistant, answer, tmp_path / "out/pages")
    assert [path.name for path in written] == ["a-b-rm--rf-ü-p1.png", "a-b-rm--rf-ü-p2.png"]
    assert failed == []
    assert {Image.open(path).format for path in written} == {"PNG"}
    file.write_bytes(make_pdf([["Another text."]]))
    written, failed = write_pages(assistant, answer, tmp_path / "out")
    assert written == []
    assert all("has changed since it was read" in line for line in failed)


def test_a_web_page_and_a_fetched_pdf_have_no_page_to_show() -> None:
    assert can_be_drawn(passage("x"))
    assert not can_be_drawn(passage("x", source="https://example.com/guide.pdf"))
    assert not can_be_drawn(replace(passage("x"), kind="pptx"))


def test_the_sample_handbook_is_answered_with_the_right_page_and_the_quotes_are_marked(assistant: Assistant) -> None:
    handbook = SAMPLE / "handbook"
    assistant.ingest([str(handbook / "staff-handbook.pdf")], "default")
    assistant.use("rag-expert")
    with (handbook / "questions.csv").open(encoding="utf-8", newline="") as file:
        asked = list(csv.DictReader(file))
    right, marked_of_all = 0, []
    for row in asked:
        answer = assistant.answer(row["question"])
        if not row["answer"]:
            assert answer.status == "abstained", row
            continue
        cited = {support.page for sentence in answer.sentences for support in sentence.support}
        right += int(row["source"].rpartition(" ")[2]) in cited
        for passage in answer.passages:
            quotes = [s.quote for each in answer.sentences for s in each.support if s.quote in passage.text]
            for page, marks in marks_of(passage, quotes).items() if quotes else ():
                marked_of_all += picture(assistant, passage.chunk_id, page, marks).found
    assert right >= 14  # of 16
    assert all(marked_of_all)
    assert len(marked_of_all) >= 20
