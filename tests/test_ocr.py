"""Images and scanned PDFs, read by OCR with the real tesseract."""

import os
import shutil
import zlib
from collections.abc import Sequence
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from bot.assistant import Assistant
from data.errors import Empty, Rejected
from data.models import Document
from ingest.discover import discover
from ingest.kinds import kind_of
from ingest.ocr import missing
from ingest.pipeline import Progress
from ingest.reading import read_all

needs_tesseract = pytest.mark.skipif(
    shutil.which("tesseract") is None, reason="no tesseract here: `make tesseract` installs it"
)
REST = ("The dough rests for nine hours in a cold room.", "Then it is baked with plenty of steam.")
DECAF = ("Decaf needs three days of rest before it is brewed.", "Store it in a jar.")


@pytest.fixture
def without_tesseract(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine on which tesseract isn't installed."""
    (tmp_path / "no programs").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "no programs"))


def picture(lines: Sequence[str], size: tuple[int, int] = (1000, 300)) -> Image.Image:
    image = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        pen.text((40, 40 + 60 * number), line, fill="black", font=ImageFont.load_default(28))
    return image


def make_pdf(path: Path, *pages: str | Image.Image) -> Path:
    """A PDF with a page for each text (as text) and each image (as a scan)."""
    from reportlab.lib.utils import ImageReader
    from reportlab.pdfgen.canvas import Canvas

    canvas = Canvas(str(path), pagesize=(500, 300))
    for each in pages:
        if isinstance(each, str):
            canvas.drawString(40, 200, each)
        else:
            canvas.drawImage(ImageReader(each), 0, 0, 500, 150)
        canvas.showPage()
    canvas.save()
    return path


def read(*paths: Path) -> dict[str, Document | Rejected]:
    found = read_all(discover([str(path) for path in paths]).items)
    return {Path(item.source).name: outcome for item, outcome in found}


@needs_tesseract
def test_images_of_any_format_are_read_also_turned_and_small(tmp_path: Path) -> None:
    whole = picture(REST)
    for name in ("a.png", "b.jpg", "c.webp", "d.gif", "e.bmp"):
        whole.save(tmp_path / name)
    whole.rotate(90, expand=True).save(tmp_path / "f.png")
    whole.resize((500, 150)).save(tmp_path / "g.png")
    clear = Image.new("RGBA", whole.size, (0, 0, 0, 0))
    ImageDraw.Draw(clear).text((40, 40), REST[0], fill="black", font=ImageFont.load_default(28))
    clear.save(tmp_path / "h.png")
    for name, found in read(tmp_path).items():
        assert isinstance(found, Document), (name, found)
        assert (found.kind, found.page_starts) == ("image", ())
        assert "rests for nine hours in a cold room." in found.text, name


@needs_tesseract
def test_a_scan_with_a_page_number_on_it_is_read(tmp_path: Path) -> None:
    from reportlab.lib.utils import ImageReader
    from reportlab.pdfgen.canvas import Canvas

    canvas = Canvas(str(tmp_path / "stamped.pdf"), pagesize=(500, 160))
    canvas.drawImage(ImageReader(picture(REST)), 0, 0, 500, 150)
    canvas.drawString(450, 5, "Page 1")
    canvas.save()
    found = read(tmp_path / "stamped.pdf")["stamped.pdf"]
    assert isinstance(found, Document), found
    assert (found.kind, found.page_labels) == ("scan", ("OCR",))
    assert "nine hours in a cold room" in found.text


@needs_tesseract
def test_pages_of_a_scan_are_pages_and_only_those_without_text_are_read_by_ocr(tmp_path: Path) -> None:
    make_pdf(tmp_path / "mixed.pdf", "Typed on the first page, as text.", picture(REST), "Typed again.")
    picture(REST).save(tmp_path / "two.tiff", save_all=True, append_images=[picture(DECAF)])
    found = read(tmp_path)
    mixed, two = found["mixed.pdf"], found["two.tiff"]
    assert isinstance(mixed, Document), mixed
    assert (mixed.kind, mixed.page_labels, len(mixed.page_starts)) == ("scan", ("", "OCR", ""), 3)
    assert mixed.text.startswith("Typed on the first page, as text.")
    assert mixed.text[mixed.page_starts[1] :].startswith("The dough rests for nine hours")
    assert isinstance(two, Document), two
    assert two.text[two.page_starts[1] :].startswith("Decaf needs three days")


@needs_tesseract
def test_an_answer_from_a_scan_says_that_it_was_read_by_ocr(assistant: Assistant, tmp_path: Path) -> None:
    make_pdf(tmp_path / "letter.pdf", picture(REST), picture(DECAF))
    picture(("The grinder burrs last for five hundred kilograms of beans.",)).save(tmp_path / "note.png")
    told: list[tuple[str, int, int]] = []

    class Listens(Progress):
        def scanning(self, source: str, done: int, pages: int) -> None:
            told.append((Path(source).name, done, pages))

    report = assistant.ingest([str(tmp_path / "letter.pdf"), str(tmp_path / "note.png")], "default", None, Listens())
    assert [(entry.outcome, entry.kind, entry.pages) for entry in report.entries] == [
        ("added", "scan", 2), ("added", "image", 0),
    ]  # fmt: skip
    assert {("letter.pdf", 0, 2), ("letter.pdf", 1, 2), ("note.png", 0, 1)} <= set(told)
    for question, place in (
        ("How long does decaf rest before it is brewed?", "p. 2, by OCR"),
        ("How long do the grinder burrs last?", "by OCR"),
    ):
        given = assistant.answer(question)
        assert given.sentences[0].support[0].place == place, given
    assert [source.kind for source in assistant.sources()] == ["scan", "image"]


@needs_tesseract
def test_pictures_without_words_are_empty_and_damaged_ones_rejected(tmp_path: Path) -> None:
    Image.new("RGB", (400, 300), "white").save(tmp_path / "blank.png")
    Image.radial_gradient("L").save(tmp_path / "photo.png")
    body = BytesIO()
    picture(REST).save(body, "PNG")
    (tmp_path / "cut.png").write_bytes(body.getvalue()[:900])
    (tmp_path / "head.jpg").write_bytes(b"\xff\xd8\xff" + os.urandom(900))
    (tmp_path / "a.tiff").write_bytes(b"II*\0" + os.urandom(900))
    make_pdf(tmp_path / "photo.pdf", "A page with text.", Image.radial_gradient("L").convert("RGB"))
    found = read(tmp_path)
    assert all(isinstance(found[name], Empty) for name in ("blank.png", "photo.png"))
    assert all("not a readable image" in str(found[name]) for name in ("cut.png", "head.jpg", "a.tiff"))
    photo = found["photo.pdf"]
    assert isinstance(photo, Document)
    assert (photo.kind, photo.text) == ("pdf", "A page with text.")


def bomb(width: int, height: int) -> bytes:
    """A PNG that says it is that large, in a few kilobytes."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x01\0\0\0\0"
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(bytes(9_000_000)))
        + chunk(b"IEND", b"")
    )


def test_images_of_absurd_size_are_refused_unopened(tmp_path: Path) -> None:
    (tmp_path / "bomb.png").write_bytes(bomb(60_000, 60_000))
    assert "60,000 × 60,000 pixels" in str(read(tmp_path / "bomb.png")["bomb.png"])


@needs_tesseract
def test_pages_of_absurd_size_are_drawn_small(tmp_path: Path) -> None:
    from reportlab.lib.utils import ImageReader
    from reportlab.pdfgen.canvas import Canvas

    canvas = Canvas(str(tmp_path / "huge.pdf"), pagesize=(14_000, 4_200))
    canvas.drawImage(ImageReader(picture(REST)), 0, 0, 14_000, 4_200)
    canvas.save()
    found = read(tmp_path / "huge.pdf")["huge.pdf"]
    assert isinstance(found, Document), found
    assert "nine hours" in found.text


@needs_tesseract
def test_a_language_that_tesseract_lacks_is_named_with_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHAWGPT_OCR_LANGUAGES", "tlh")
    make_pdf(tmp_path / "scan.pdf", picture(REST))
    assert "apt install tesseract-ocr-tlh" in str(read(tmp_path / "scan.pdf")["scan.pdf"])


@pytest.mark.usefixtures("without_tesseract")
def test_without_tesseract_scans_and_images_say_what_to_install(tmp_path: Path) -> None:
    make_pdf(tmp_path / "scan.pdf", picture(REST))
    picture(REST).save(tmp_path / "scan.png")
    for found in read(tmp_path).values():
        assert "to read it by OCR: apt install tesseract-ocr" in str(found)


@needs_tesseract
def test_pages_left_for_want_of_ocr_are_named_and_read_once_it_is_there(
    assistant: Assistant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_pdf(tmp_path / "mixed.pdf", "The kettle holds two litres of water.", picture(DECAF))
    (tmp_path / "no programs").mkdir()
    with monkeypatch.context() as patched:
        patched.setenv("PATH", str(tmp_path / "no programs"))
        assert missing()
        first, second = (assistant.ingest([str(path)], "default").entries[0] for _ in range(2))
    assert (first.outcome, first.reason) == (
        "added", "page 2 looks scanned; to read it by OCR: apt install tesseract-ocr",
    )  # fmt: skip
    assert second.outcome == "unchanged"
    third, fourth = (assistant.ingest([str(path)], "default").entries[0] for _ in range(2))
    assert (third.outcome, third.kind, third.reason) == ("updated", "scan", "")
    assert fourth.outcome == "unchanged"


@needs_tesseract
@pytest.mark.skipif(os.name == "nt", reason="processes as Linux shows them")
def test_stopping_in_the_middle_leaves_no_ocr_running(tmp_path: Path) -> None:
    import threading

    import psutil

    from ingest.reading import Reader, load

    noise = [Image.effect_noise((900, 700), 60).convert("RGB") for _ in range(2)]
    [item] = discover([str(make_pdf(tmp_path / "long.pdf", *noise))]).items
    reader = Reader(workers=1)
    reading = threading.Thread(target=lambda: list(reader.read([load(item)])))
    reading.start()
    running: list[psutil.Process] = []
    while not running and reading.is_alive():
        with suppress(psutil.NoSuchProcess):
            below = psutil.Process().children(recursive=True)
            running = [each for each in below if "tesseract" in each.name() and each.status() != psutil.STATUS_ZOMBIE]
    assert running
    reader.close()
    reading.join(60)
    assert not reading.is_alive()
    assert psutil.wait_procs(running, 30)[1] == []


def test_kinds_of_images_are_told_by_their_first_bytes() -> None:
    for form in ("PNG", "JPEG", "TIFF", "WEBP", "GIF", "BMP"):
        body = BytesIO()
        picture(REST).save(body, form)
        assert kind_of("https://x.example/get?id=1", body.getvalue()[:4096], "application/octet-stream") == "image"
    assert kind_of("a.txt", b"BM is short for benchmark") == "text"
