"""Chunks: every character in exactly one, none too long for the model, structure kept. And sentences."""

import random
from collections.abc import Sequence
from itertools import pairwise

import pytest

from data.embedding import Embedder
from data.models import Chunk, Document, Heading
from data.sentences import sentences
from ingest.chunking import split


def count_words(texts: Sequence[str]) -> list[int]:
    """A stand-in for a tokenizer: a token for every 4 characters of a word, two special ones."""
    return [2 + sum(-(-len(word) // 4) for word in text.split()) for text in texts]


def bare(text: str) -> str:
    return "".join(text.split())


def check(document: Document, chunks: list[Chunk], most: int) -> None:
    assert "".join(bare(chunk.text) for chunk in chunks) == bare(document.text)
    assert max((chunk.tokens for chunk in chunks), default=0) <= most
    assert all(chunk.embedded_text.endswith(chunk.text) for chunk in chunks)


SENTENCE = "The wavelet transform shows how a signal's frequencies change over time. "


@pytest.mark.parametrize(
    "text",
    [
        "",
        "One sentence.",
        SENTENCE * 400,
        "x" * 5000,
        "漢字仮名交じり文" * 700,
        "これは文です。" * 500,
        "👩‍👩‍👧‍👦🏴󠁧󠁢󠁳󠁣󠁴󠁿😀" * 300,
        "a, " * 3000,
        "नमस्ते दुनिया " * 300,
        "\n".join(f"row {n} {n * 7} {n * 3.5}" for n in range(500)),
        "1 " * 2000,
        "ﷺ" * 400,
        "!?!?" * 800,
    ],
)
def test_any_text_fits_the_window_and_loses_nothing(text: str, embedder: Embedder) -> None:
    document = Document(
        "/x/a.txt", "text", text, "A title of several words " * 10, headings=(Heading(0, 1, "h " * 90),)
    )
    chunks = split(document, embedder.count_tokens, embedder.max_tokens)
    check(document, chunks, embedder.max_tokens)
    assert embedder.count_tokens([chunk.embedded_text for chunk in chunks]) == [chunk.tokens for chunk in chunks]


def test_random_documents_keep_every_character_once() -> None:
    source = random.Random(7)
    alphabet = "abc de. fgh? \n\n\n# ,;é漢😀\t\u200b\u00a0\u3000"
    for _ in range(150):
        text = "".join(source.choices(alphabet, k=source.randrange(0, 3000)))
        offsets = sorted(source.randrange(0, max(1, len(text))) for _ in range(source.randrange(0, 8)))
        headings = tuple(Heading(offset, source.randint(1, 3), f"Heading {offset}") for offset in offsets)
        pages = tuple(sorted(source.randrange(0, max(1, len(text))) for _ in range(4)))
        document = Document("/x/a", "pdf", text, "T", page_starts=(0, *pages), headings=headings)
        for most in (32, 256):
            check(document, split(document, count_words, most), most)


def test_chunks_are_of_a_good_size_without_tiny_tails() -> None:
    text = "\n\n".join(SENTENCE * n for n in (3, 5, 2, 8, 1, 4, 6, 2, 7, 3))
    chunks = split(Document("/x/a", "text", text, "Wavelets"), count_words, 256)
    assert all(110 <= chunk.tokens <= 250 for chunk in chunks)


def test_chunks_begin_where_paragraphs_do_if_the_sizes_allow() -> None:
    paragraph = SENTENCE.strip() + " " + SENTENCE * 6
    chunks = split(Document("/x/a", "text", "\n\n".join([paragraph] * 6)), count_words, 256)
    assert [chunk.text for chunk in chunks] == [paragraph.strip()] * 6


def test_top_level_sections_are_never_mixed_and_small_sections_below_them_are() -> None:
    parts = [(1, "Alpha", "A."), (2, "Alpha one", "B."), (2, "Alpha two", "C."), (1, "Beta", "D.")]
    text = ""
    headings = []
    for level, title, body in parts:
        headings.append(Heading(len(text), level, title))
        text += f"{title}\n\n{body} {SENTENCE}\n\n"
    chunks = split(Document("/x/a", "markdown", text, "Doc", headings=tuple(headings)), count_words, 256)
    assert [chunk.heading for chunk in chunks] == ["Alpha", "Beta"]
    assert chunks[0].text.startswith("Alpha")
    assert chunks[1].text.startswith("Beta")


def test_the_embedded_text_begins_with_title_and_heading_path() -> None:
    text = f"Results\n\nSpeed\n\n{SENTENCE * 30}"
    headings = (Heading(0, 1, "Results"), Heading(9, 2, "Speed"))
    chunks = split(Document("/x/a", "markdown", text, "Wavelets", headings=headings), count_words, 256)
    assert chunks[-1].heading == "Results > Speed"
    assert chunks[-1].embedded_text.startswith("Wavelets\nResults > Speed\nThe wavelet")


def test_a_heading_that_repeats_the_title_is_said_once() -> None:
    text = f"Air\n\n{SENTENCE * 9}\n\nAirflow\n\n{SENTENCE * 9}"
    headings = (Heading(0, 1, "Air"), Heading(text.index("Airflow"), 2, "Airflow"))
    chunks = split(Document("/x/a", "markdown", text, "Air", headings=headings), count_words, 256)
    assert [chunk.embedded_text.split("\n\n")[0] for chunk in chunks] == ["Air\nAir", "Air\nAirflow\nAirflow"]
    assert [chunk.heading for chunk in chunks] == ["", "Airflow"]


def test_page_ranges_are_those_of_the_text() -> None:
    pages = [f"Page {number} begins. " + SENTENCE * 9 for number in range(1, 5)]
    starts = tuple(sum(map(len, pages[:number])) for number in range(4))
    document = Document("/x/a", "pdf", "".join(pages), page_starts=starts)
    for chunk in split(document, count_words, 256):
        begin = document.text.index(chunk.text[:60]) if "begins" in chunk.text[:60] else None
        assert chunk.page_start is not None
        assert chunk.page_end is not None
        for number in range(1, 5):
            if f"Page {number} begins" in chunk.text:
                assert chunk.page_start <= number <= chunk.page_end
        if begin is not None:
            assert chunk.page_start == int(chunk.text[5])
    assert split(Document("/x/a", "text", "No pages."), count_words, 256)[0].page_start is None


def test_splitting_twice_gives_the_same() -> None:
    document = Document("/x/a", "text", SENTENCE * 100, "T")
    assert split(document, count_words, 256) == split(document, count_words, 256)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Dr. Smith came. He left.", ["Dr. Smith came.", "He left."]),
        ("See Fig. 3 and Eq. 2. Then go on.", ["See Fig. 3 and Eq. 2.", "Then go on."]),
        ("Use it, e.g. Airflow, i.e. a tool. Done.", ["Use it, e.g. Airflow, i.e. a tool.", "Done."]),
        ("The U.S. economy grew 3.5%. It was Apple Inc. that led.", None),
        ("He works at Apple Inc. The firm is big.", ["He works at Apple Inc.", "The firm is big."]),
        ('He said "Stop." Then left.', ['He said "Stop."', "Then left."]),
        ('"No!" she said. Yes?! Really.', ['"No!" she said.', "Yes?!", "Really."]),
        ("Wait... what? Well… Maybe.", ["Wait... what?", "Well…", "Maybe."]),
        ("Visit https://a.b/c.d?x=1. Next.", ["Visit https://a.b/c.d?x=1.", "Next."]),
        ("1. First. Second.\n- item one\n- item two", ["1. First.", "Second.", "- item one", "- item two"]),
        ("你好。世界！再见", ["你好。", "世界！", "再见"]),
        ("By J. K. Rowling in May. It sold.", ["By J. K. Rowling in May.", "It sold."]),
    ],
)
def test_sentences_end_where_a_reader_would_end_them(text: str, expected: list[str] | None) -> None:
    expected = expected or ["The U.S. economy grew 3.5%.", "It was Apple Inc. that led."]
    assert [text[start:end] for start, end in sentences(text)] == expected


def test_sentences_cover_every_character_once_and_in_order() -> None:
    source = random.Random(3)
    for _ in range(300):
        text = "".join(source.choices("aB1 .!?…\n\"')。\u00a0", k=source.randrange(200)))
        spans = sentences(text)
        assert "".join(bare(text[start:end]) for start, end in spans) == bare(text)
        assert all(one[1] <= two[0] for one, two in pairwise(spans))
        assert all(text[start:end] == text[start:end].strip() for start, end in spans)
