"""Web pages: the post without the page around it."""

import contextlib

import pytest

from data.errors import Empty, Rejected
from ingest.html import read_html

BODY = " ".join(
    ["Wavelets localise a signal in time and in frequency, which is why seismologists took to them so early."] * 3
)
PAGE = f"""<!DOCTYPE html><html lang="en"><head><title>Why wavelets? | The Signal Blog</title>
<meta property="og:title" content="Why wavelets?"><meta name="author" content="Ada Byron">
<meta property="article:published_time" content="2024-03-05T08:00:00Z"></head><body>
<nav><a href="/">Home</a><a href="/about">About us</a></nav>
<article><h1>Why wavelets?</h1><p>Member-only story</p><p>{BODY}</p>
<h2>The transform</h2><p>{BODY}</p><ul><li>Pick a mother wavelet.</li><li>Scale and shift it.</li></ul>
<table><tr><td>Scale</td><td>Hz</td></tr><tr><td>1</td><td>50</td></tr></table>
<h3>In code</h3><pre><code>import pywt
coeffs = pywt.wavedec(x, "db4")</code></pre><p>{BODY}</p><p>Share</p></article>
<footer>Copyright 2024. Subscribe to our newsletter. Cookie settings.</footer><script>alert(1)</script></body></html>"""


def test_the_post_is_kept_and_the_page_around_it_dropped() -> None:
    got = read_html("https://blog.example/why", PAGE.encode())
    assert (got.title, got.author, got.date) == ("Why wavelets?", "Ada Byron", "2024-03-05")
    assert [(heading.level, heading.text) for heading in got.headings] == [
        (1, "Why wavelets?"),
        (2, "The transform"),
        (3, "In code"),
    ]
    assert all(got.text.startswith(heading.text, heading.offset) for heading in got.headings)
    lines = got.text.split("\n")
    assert not {"Member-only story", "Share"} & set(lines)
    assert 'coeffs = pywt.wavedec(x, "db4")' in lines
    assert "Pick a mother wavelet." in got.text
    for clutter in ("About us", "Cookie", "alert(1)"):
        assert clutter not in got.text


@pytest.mark.parametrize("charset", ["utf-8", "windows-1252", "utf-16", "iso-8859-1"])
def test_encodings_are_told_from_the_page(charset: str) -> None:
    page = f"<html><head><meta charset='{charset}'></head><body><p>Größe, café – naïve. {BODY}</p></body></html>"
    if charset == "iso-8859-1":
        page = page.replace("–", "-")
    assert "Größe, café" in read_html("/x/a.html", page.encode(charset)).text


def test_the_servers_charset_counts_where_the_page_names_none() -> None:
    page = f"<html><body><p>Привет, мир. {BODY}</p></body></html>".encode("koi8-r")
    assert "Привет, мир" in read_html("https://x.example/", page, "koi8-r").text


def test_a_page_without_a_main_text_still_gives_its_text() -> None:
    got = read_html("/x/opening-hours.html", b"<html><body><div>Open daily from 9 to 5.</div></body></html>")
    assert got.text == "Open daily from 9 to 5."
    assert got.title == "opening hours"


@pytest.mark.parametrize(
    "page", [b"   \n", b"<html><head><title>x</title></head><body><script>1</script></body></html>"]
)
def test_pages_without_text_are_empty(page: bytes) -> None:
    with pytest.raises(Empty):
        read_html("/x/a.html", page)


@pytest.mark.parametrize(
    "page",
    [
        "<div>" * 50_000 + "deep",
        "<p>" + "word " * 200_000,
        "<b><i>" * 20_000 + "text",
        "<table>" * 5_000 + "x",
        "&amp;" * 100_000,
        "<!--" * 50_000,
        "<a href='" + "x" * 1_000_000 + "'>link</a>",
    ],
)
def test_hostile_pages_end_as_text_empty_or_rejected(page: str) -> None:
    with contextlib.suppress(Rejected):
        assert read_html("/x/a.html", page.encode()).text


def test_a_page_over_ten_megabytes_is_rejected() -> None:
    with pytest.raises(Rejected, match="larger than 10 MB"):
        read_html("/x/a.html", b"<p>" + b"word " * 2_100_000)


def test_items_of_a_list_keep_their_marks(tmp_path):
    page = (
        "<html><body><article><h1>Fire</h1><p>It has happened to me twice in eight hundred batches, with a tray.</p>"
        "<ol><li><strong>Leave it shut.</strong> Opening it feeds it.</li><li>No water on a live popper.</li></ol>"
        "<p>If it isn't out at once, get everybody out and ring the fire brigade.</p></article></body></html>"
    )
    text = read_html("fire.html", page.encode()).text
    assert "- Leave it shut. Opening it feeds it.\n- No water on a live popper." in text
