"""Plain text, Markdown and Word documents."""

import contextlib
import zipfile
from io import BytesIO

import pytest

from data.errors import Empty, Rejected
from ingest.docx import read_docx
from ingest.markdown import read_markdown
from ingest.text import read_text

MARKDOWN = """---
title: "On *Wavelets*: a primer"
author: [Ada Byron, Joe Fourier]
date: 2024-03-05
---
# On Wavelets

Some *emphasis*, **bold** and `code *x*`, [a link](http://x.example/a_(b) "hint") and ![a plot](p.png).
The line goes on <b>here</b>.

Setext heading
--------------

- one
- two
  goes on

```python
# not a heading
y = a*b*c
```

| name | value |
|------|-------|
| a    | 1     |

snake_case_name, 2*3*4, a < b > c, \\*literal\\*

> quoted text

## Last ##
End.
"""


def test_markdown_leaves_its_text_and_headings() -> None:
    got = read_markdown("/x/a.md", MARKDOWN.encode())
    assert (got.title, got.author, got.date) == ("On *Wavelets*: a primer", "Ada Byron, Joe Fourier", "2024-03-05")
    assert [(heading.level, heading.text) for heading in got.headings] == [
        (1, "On Wavelets"),
        (2, "Setext heading"),
        (2, "Last"),
    ]
    assert all(got.text.startswith(heading.text, heading.offset) for heading in got.headings)
    assert "Some emphasis, bold and code *x*, a link and a plot. The line goes on here." in got.text
    assert "- one\n- two goes on" in got.text
    assert "# not a heading\ny = a*b*c" in got.text
    assert "| name | value |\n| a    | 1     |" in got.text
    assert "snake_case_name, 2*3*4, a < b > c, *literal*" in got.text
    assert "\nquoted text\n" in got.text


@pytest.mark.parametrize(
    "matter", ["title: [unclosed", "!!python/object/apply:os.system ['true']", "- a list", "&a [*a]"]
)
def test_front_matter_that_is_no_mapping_is_ignored(matter: str) -> None:
    assert read_markdown("/x/my-post.md", f"---\n{matter}\n---\nBody.".encode()).text == "Body."


@pytest.mark.parametrize(
    "text",
    [
        "[" * 30_000,
        "*" * 30_000 + "a",
        "`" * 30_000 + "a",
        "<" * 30_000 + "a",
        "# " * 20_000 + "a",
        "> " * 20_000 + "a",
    ],
)
def test_hostile_markdown_ends(text: str) -> None:
    with contextlib.suppress(Rejected):
        assert read_markdown("/x/a.md", text.encode()).text


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-8", "Grüße an alle – schön."),
        ("utf-8-sig", "Grüße an alle – schön."),
        ("utf-16", "Grüße an alle – schön."),
        ("utf-16-le", "Gruesse an alle, schoen hier zu sein."),
        ("cp1252", "Grüße an alle – es ist schön, daß Sie da sind."),
        ("latin-1", "Grüße an alle, es ist schön, daß Sie da sind."),
        ("cp1251", "Привет всем, это проверка кодировки текста, которая идёт дальше."),
        ("shift_jis", "これは文字コードの確認のための日本語の文章です。よろしくお願いします。"),
    ],
)
def test_text_is_read_in_its_encoding(encoding: str, text: str) -> None:
    assert read_text("/x/a.txt", text.encode(encoding)).text == text


def test_utf8_with_a_broken_byte_stays_utf8() -> None:
    text = "Grüße aus Köln, schöne Grüße für Jürgen, Günther und Bärbel, die über Österreich nach Zürich führen."
    assert read_text("/x/a.txt", text.encode() + b" \xe4.").text == f"{text} \ufffd."


def test_wrapped_lines_are_joined_and_short_ones_left() -> None:
    wrapped = "This is a mail whose lines were wrapped by the program\nthat sent it, so that a sentence runs over\n" * 3
    assert "\nthat sent it" not in read_text("/x/a.txt", wrapped.encode()).text
    poem = "Roses are red\nViolets are blue\nSugar is sweet"
    assert read_text("/x/a.txt", poem.encode()).text == poem


def test_binary_data_is_refused_and_nothing_is_empty() -> None:
    with pytest.raises(Rejected, match="binary"):
        read_text("/x/a.txt", bytes(range(256)) * 20)
    with pytest.raises(Empty):
        read_text("/x/a.txt", b" \n\t ")


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("2022_Q3_AAPL", "2022 Q3 AAPL"),
        ("my-first-post", "my first post"),
        ("Meeting notes", "Meeting notes"),
        ("f3a9c07d11e2", ""),
        ("8d9f2c1a-77b0-4e52-9f6e-2f1d2a3b4c5d", ""),
        ("12345", ""),
        ("1-wJ794jLP2Tw", ""),
    ],
)
def test_a_file_name_of_words_is_a_title(name: str, title: str) -> None:
    assert read_text(f"/x/{name}.txt", b"Some text.").title == title


def word_file() -> bytes:
    import docx

    word = docx.Document()
    word.core_properties.title = "Field notes"
    word.core_properties.author = "Ada Byron"
    word.add_heading("Results", 1)
    word.add_paragraph("The first paragraph.")
    word.add_heading("Speed", 2)
    table = word.add_table(rows=2, cols=2)
    for number, text in enumerate(("name", "value", "a", "1")):
        table.cell(number // 2, number % 2).text = text
    word.add_paragraph("The last paragraph.")
    out = BytesIO()
    word.save(out)
    return out.getvalue()


def test_docx_headings_tables_and_properties_are_kept_in_order() -> None:
    got = read_docx("/x/a.docx", word_file())
    assert (got.title, got.author) == ("Field notes", "Ada Byron")
    assert got.text == "Results\n\nThe first paragraph.\n\nSpeed\n\nname | value\na | 1\n\nThe last paragraph."
    assert [(heading.level, heading.text) for heading in got.headings] == [(1, "Results"), (2, "Speed")]


def test_a_zip_bomb_is_refused_unopened() -> None:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b"0" * 120_000_000)
    with pytest.raises(Rejected, match="unpacks to more than 100 MB"):
        read_docx("/x/a.docx", out.getvalue())


@pytest.mark.parametrize("content", [b"PK\x03\x04 broken", word_file()[:2000], b"\xd0\xcf\x11\xe0" + b"\0" * 600])
def test_damaged_and_old_word_files_are_rejected(content: bytes) -> None:
    with pytest.raises(Rejected, match="DOCX"):
        read_docx("/x/a.docx", content)
