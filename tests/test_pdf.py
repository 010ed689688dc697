"""Reading PDFs in worker processes: what is found in them, and that no file hangs or ends the parent."""

import os
import time
import zlib
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path

import pytest

from data.errors import Empty, Rejected
from data.models import Document
from ingest.discover import Item, discover
from ingest.pool import Worker
from ingest.reading import Raw, Reader, load, read_all

PROSE = [
    "Wavelets give time and frequency at once, which the Fourier transform",
    "does not. That is why they are used for signals that change, such as a",
    "heart beat. The first step is to choose a mother wavelet with care.",
]


def make_pdf(pages: Sequence[Sequence[str]], content: bytes | None = None) -> bytes:
    """A PDF with a line of text per string; `content` replaces the first page's stream object."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"", b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids = []
    for lines in pages:
        shown = (line.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)") for line in lines)
        stream = ("BT /F1 11 Tf 72 750 Td 14 TL " + " ".join(f"({line}) Tj T*" for line in shown) + " ET").encode()
        packed = b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream)
        objects.append(content if content is not None and not kids else packed)
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R "
            b"/Resources << /Font << /F1 3 0 R >> >> >>" % len(objects)
        )
        kids.append(b"%d 0 R" % len(objects))
    objects[1] = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (len(kids), b" ".join(kids))
    out = bytearray(b"%PDF-1.4\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(objects) + 1, table)
    start = out.rindex(b"xref\n0")
    out += b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(out)


def read(path: Path, password: str | None = None) -> Document | Rejected:
    [(_, outcome)] = read_all([Item(str(path), path)], password, workers=1)
    return outcome


def write(path: Path, body: bytes) -> Path:
    path.write_bytes(body)
    return path


def document(path: Path, password: str | None = None) -> Document:
    outcome = read(path, password)
    assert isinstance(outcome, Document), outcome
    return outcome


def test_sentences_run_across_lines_and_pages_and_page_starts_stay_exact(tmp_path: Path) -> None:
    pages = [
        [*PROSE, "The second step, which runs over the end of the page, goes on"],
        ["without a break here.", "End."],
    ]
    got = document(write(tmp_path / "wavelet_guide.pdf", make_pdf(pages)))
    assert "Fourier transform does not. That is why" in got.text
    assert "the end of the page, goes on without a break here." in got.text
    assert [got.text[start:][:8] for start in got.page_starts] == ["Wavelets", "without "]
    assert got.title == "wavelet guide"


def test_running_heads_and_page_numbers_go_and_content_stays(tmp_path: Path) -> None:
    own = [[f"{letter}: {line}" for line in PROSE] for letter in "abcde"]
    pages = [
        ["Annual Report 2024", *lines, f"Topic {lines[0][0]} alone.", f"Page {number} of 5"]
        for number, lines in enumerate(own, 1)
    ]
    got = document(write(tmp_path / "a.pdf", make_pdf(pages)))
    assert "Annual Report" not in got.text
    assert "Page 3" not in got.text
    assert all(f"Topic {letter} alone." in got.text for letter in "abcde")


def test_pages_that_say_the_same_keep_their_text(tmp_path: Path) -> None:
    assert document(write(tmp_path / "a.pdf", make_pdf([PROSE] * 6))).text.count("mother wavelet") == 6


def test_the_buttons_of_a_printed_blog_go(tmp_path: Path) -> None:
    lines = ["Open in app", "Sign up", "Member-only story", "Why wavelets?", "Listen", "Share", *PROSE]
    got = document(write(tmp_path / "a.pdf", make_pdf([lines])))
    assert got.text.startswith("Why wavelets?\n")
    assert "Share\n" in document(write(tmp_path / "b.pdf", make_pdf([["Share", "Price", *PROSE]]))).text


def test_table_rows_keep_their_lines(tmp_path: Path) -> None:
    got = document(write(tmp_path / "a.pdf", make_pdf([[*PROSE, "Revenue 12.5 13.1", "Costs 7.2 8.0"]])))
    assert got.text.endswith("\nRevenue 12.5 13.1\nCosts 7.2 8.0")


def test_outline_metadata_and_page_labels_are_kept(tmp_path: Path) -> None:
    import pypdf

    writer = pypdf.PdfWriter(clone_from=BytesIO(make_pdf([["Preface", *PROSE], ["Chapter One", *PROSE], PROSE])))
    writer.add_metadata({"/Title": "On Wavelets", "/Author": "Ada B.", "/CreationDate": "D:20240229120000Z"})
    part = writer.add_outline_item(title="Preface", page_number=0)
    writer.add_outline_item(title="Chapter One", page_number=1, parent=part)
    writer.set_page_label(0, 0, "/r")
    writer.set_page_label(1, 2, "/D")
    writer.write(tmp_path / "x.pdf")
    got = document(tmp_path / "x.pdf")
    assert (got.title, got.author, got.date) == ("On Wavelets", "Ada B.", "2024-02-29")
    assert got.page_labels == ("i", "1", "2")
    assert [(heading.level, heading.text) for heading in got.headings] == [(1, "Preface"), (2, "Chapter One")]
    assert all(got.text.startswith(heading.text, heading.offset) for heading in got.headings)


def test_encrypted_asks_for_the_password_and_a_wrong_one_is_told(tmp_path: Path) -> None:
    import pypdf

    writer = pypdf.PdfWriter(clone_from=BytesIO(make_pdf([PROSE])))
    writer.encrypt("open sesame", algorithm="RC4-128")
    writer.write(tmp_path / "x.pdf")
    assert str(read(tmp_path / "x.pdf")) == "encrypted: give --password"
    assert "check --password" in str(read(tmp_path / "x.pdf", "wrong"))
    assert "Wavelets" in document(tmp_path / "x.pdf", "open sesame").text


@pytest.mark.parametrize(
    ("body", "kind", "reason"),
    [
        (b"", Empty, "empty file"),
        (b"This is no PDF at all.", Rejected, "not a PDF"),
        (make_pdf([PROSE])[:300], Rejected, "not a PDF"),
        (make_pdf([[]]), Empty, "no text: scanned?"),
        (make_pdf([["/g18/g152/g7/g18/g21 /g18/g152/g7"]]), Rejected, "glyph names"),
    ],
)
def test_unusable_files_are_named_with_their_reason(
    tmp_path: Path, body: bytes, kind: type[Exception], reason: str
) -> None:
    outcome = read(write(tmp_path / "x.pdf", body))
    assert type(outcome) is kind
    assert reason in str(outcome)


def test_one_bad_file_does_not_disturb_the_others_and_order_is_kept(tmp_path: Path) -> None:
    for number in range(8):
        body = b"junk" if number % 3 == 1 else make_pdf([[f"Document {number}.", *PROSE]])
        write(tmp_path / f"{number}.pdf", body)
    items = discover([str(tmp_path)]).items
    outcomes = list(read_all(items))
    assert [item for item, _ in outcomes] == list(items)
    assert [isinstance(outcome, Document) for _, outcome in outcomes] == [number % 3 != 1 for number in range(8)]


def test_digest_is_known_before_parsing_and_sources_are_drawn_lazily(tmp_path: Path) -> None:
    items = [Item(str(path), path) for path in (write(tmp_path / f"{n}.pdf", make_pdf([PROSE])) for n in range(40))]
    drawn: list[Raw] = []

    def raws() -> Iterator[Raw]:
        for item in items:
            drawn.append(load(item))
            yield drawn[-1]

    with Reader(workers=1) as reader:
        next(reader.read(raws()))
    assert len({raw.digest for raw in drawn}) == 1
    assert len(drawn) <= 4


@pytest.mark.skipif(os.name == "nt", reason="named pipes")
def test_a_reader_that_hangs_is_killed_named_and_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "hangs")
    write(tmp_path / "good.txt", b"A text that can be read.")
    asked = {"source": "x", "kind": "text", "password": None, "charset": ""}
    worker = Worker()
    outcome = worker.parse({**asked, "path": str(tmp_path / "hangs")}, b"", seconds=0.5)
    assert str(outcome) == "takes longer than 0.5 s to read"
    assert isinstance(worker.parse({**asked, "path": str(tmp_path / "good.txt")}, b""), Document)
    worker.kill()


@pytest.mark.skipif(os.name == "nt", reason="named pipes")
def test_closing_ends_a_reader_in_the_middle_of_a_document(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "hangs")
    started = time.monotonic()
    with Reader(workers=1) as reader:

        def raws() -> Iterator[Raw]:
            yield Raw("x", "", "text", tmp_path / "hangs")
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            list(reader.read(raws()))
    assert time.monotonic() - started < 20  # of the 30 s that a document may take


def test_broken_words_at_line_ends_are_mended_and_real_hyphens_kept(tmp_path: Path) -> None:
    lines = [
        "The causal model is a model of inter-",
        "ventions, and an intervention is a long-",
        "term change. The method is new but it has a long-term use for many.",
    ]
    got = document(write(tmp_path / "x.pdf", make_pdf([lines])))
    assert "a model of interventions, and an intervention is a long-term change" in got.text


@pytest.mark.slow
def test_a_memory_bomb_ends_its_reader_and_nothing_else(tmp_path: Path) -> None:
    pack = zlib.compressobj(9)
    stream = b"".join([*(pack.compress(b"(aaaa) Tj " * 1_000_000) for _ in range(200)), pack.flush()])
    body = b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(stream), stream)
    write(tmp_path / "a.pdf", make_pdf([PROSE], body))
    write(tmp_path / "b.pdf", make_pdf([PROSE]))
    bomb, good = (outcome for _, outcome in read_all(discover([str(tmp_path)]).items, workers=1))
    assert isinstance(bomb, Rejected)
    assert "1 GiB" in str(bomb)
    assert isinstance(good, Document)


@pytest.mark.slow
def test_five_thousand_pages_are_read_whole(tmp_path: Path) -> None:
    pages = [[f"Chapter page number {number}.", *PROSE] for number in range(5000)]
    got = document(write(tmp_path / "big.pdf", make_pdf(pages)))
    assert len(got.page_starts) == 5000
    assert "page number 4999" in got.text[got.page_starts[4999] :]
