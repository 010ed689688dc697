"""From arguments to items: files, folders, globs, URLs."""

from collections.abc import Callable
from pathlib import Path

import pytest

from data.errors import BadInput, Rejected
from ingest.discover import discover
from ingest.reading import load

Write = Callable[[str, str], str]


def names(*arguments: str) -> list[str]:
    return [Path(item.source).name for item in discover(arguments).items]


def test_a_folder_is_read_with_all_below_it_in_a_stable_order(tmp_path: Path, write: Write) -> None:
    for name in ("b.md", "a.txt", "sub/c.html", "sub/deeper/d.PDF", "e.docx"):
        write(name, "x")
    assert names(str(tmp_path)) == ["a.txt", "b.md", "e.docx", "c.html", "d.PDF"]


def test_hidden_and_unknown_files_are_skipped_and_counted(tmp_path: Path, write: Write) -> None:
    for name in ("a.md", ".hidden.md", ".git/b.md", "c.exe", "d"):
        write(name, "x")
    found = discover([str(tmp_path)])
    assert [Path(item.source).name for item in found.items] == ["a.md"]
    assert found.skipped == 4


def test_globs_are_expanded_and_doubles_read_once(tmp_path: Path, write: Write) -> None:
    write("a.md", "x")
    write("b.md", "x")
    write("c.txt", "x")
    assert names(str(tmp_path / "*.md"), str(tmp_path / "b.md"), str(tmp_path)) == ["a.md", "b.md", "c.txt"]


def test_a_file_whose_name_looks_like_a_glob_is_that_file(tmp_path: Path, write: Write) -> None:
    write("notes [1].md", "x")
    assert names(str(tmp_path / "notes [1].md")) == ["notes [1].md"]


def test_links_that_loop_end(tmp_path: Path, write: Write) -> None:
    write("sub/a.md", "x")
    (tmp_path / "sub" / "loop").symlink_to(tmp_path)
    assert names(str(tmp_path)) == ["a.md"]


def test_sources_are_absolute_paths(tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write("a.md", "x")
    monkeypatch.chdir(tmp_path)
    assert discover(["a.md"]).items[0].source == str(Path(path).resolve())


@pytest.mark.parametrize("argument", ["missing.pdf", "missing/*.md", "empty", "x" * 5000, "a\0b"])
def test_what_is_not_there_is_told_in_one_line(tmp_path: Path, argument: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput) as error:
        discover([argument])
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400


@pytest.mark.parametrize("argument", ["www.example.com/feed.xml", "example.com/post", "www.example.com"])
def test_an_address_without_its_https_is_told_so(argument: str) -> None:
    with pytest.raises(BadInput, match=f"https://{argument}"):
        discover([argument])


def test_addresses_of_pages_are_items_and_fragments_do_not_count() -> None:
    items = discover(["https://example.com/a#part", "https://example.com/a"]).items
    assert [item.source for item in items] == ["https://example.com/a"]
    assert items[0].path is None


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("paper", "%PDF-1.7 …", "pdf"),
        ("page", "<!DOCTYPE html><html></html>", "html"),
        ("notes.log", "just words", "text"),
        ("wrong.txt", "%PDF-1.4", "pdf"),
    ],
)
def test_a_file_given_by_name_is_known_by_its_content(write: Write, name: str, content: str, kind: str) -> None:
    assert load(discover([write(name, content)]).items[0]).kind == kind


@pytest.mark.parametrize(
    "content", [b"PK\x03\x04zip of something", b"\x7fELF\x00\x00\x01\x00\x00", b'<?xml version="1.0"?><rss/>']
)
def test_a_file_of_no_known_kind_is_rejected(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.bin").write_bytes(content)
    with pytest.raises(Rejected, match=r"PDF, HTML, Markdown, text, DOCX.* are read|feed or sitemap"):
        load(discover([str(tmp_path / "x.bin")]).items[0])
