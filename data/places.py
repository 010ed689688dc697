"""Where in a document something stands, in words: "p. 3", "slide 3", "sheet “Prices”", "at 12:00"."""

from collections.abc import Iterable, Mapping, Sequence

_LONGEST = 60  # characters of a sheet's or a chapter's name
BY_OCR = "OCR"  # the label of a page whose text was read from its picture

# What one page of a kind of document is called in a count; a page, where nothing is said.
_UNITS = {"pptx": "slide", "xlsx": "sheet", "epub": "chapter", "subtitles": "minute"}


def place(kind: str, pages: Iterable[int], labels: Mapping[int, str]) -> str:
    """Where the `pages` (1-based) of a document of this kind are, in a few words; empty where it has none.

    `labels` says of each page what Document.page_labels does: the names of sheets and chapters, and which pages of a
    scan were read by OCR. A PDF's pages are named by their place in the file, whatever is printed on them.
    """
    pages = list(pages)
    runs = _runs(pages)
    if not runs:
        return "by OCR" if kind == "image" else ""  # a picture alone has no pages
    if kind in ("xlsx", "epub"):
        names = [_name(labels, page) for first, last in runs for page in range(first, last + 1)]
        return _named(kind, [name for name in dict.fromkeys(names) if name])
    if kind == "subtitles":
        return f"at {_listed([(_clock(first), _clock(last)) for first, last in runs])}"
    numbers = listed(pages)
    if kind == "pptx":
        return f"{'slide' if _single(runs) else 'slides'} {numbers}"
    read = any(labels.get(page) == BY_OCR for first, last in runs for page in range(first, last + 1))
    by_ocr = ", by OCR" if read and kind in ("scan", "image") else ""
    return f"{'p.' if _single(runs) else 'pp.'} {numbers}{by_ocr}"


def counted(kind: str, pages: int) -> str:
    """ "3 slides", "1 page": how many pages a document of this kind has; empty for none."""
    return "" if not pages else f"{pages:,} {_UNITS.get(kind, 'page')}{'s' * (pages != 1)}"


def listed(pages: Iterable[int]) -> str:
    """Numbers in order, those that follow each other as "3–5"."""
    return _listed([(str(first), str(last)) for first, last in _runs(pages)])


def _runs(pages: Iterable[int]) -> list[tuple[int, int]]:
    """Pages that follow each other as first and last, ascending."""
    runs: list[tuple[int, int]] = []
    for page in sorted(set(pages)):
        if runs and page == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], page)
        else:
            runs.append((page, page))
    return runs


def _single(runs: Sequence[tuple[int, int]]) -> bool:
    return len(runs) == 1 and runs[0][0] == runs[0][1]


def _listed(runs: Sequence[tuple[str, str]]) -> str:
    return ", ".join(first if first == last else f"{first}–{last}" for first, last in runs)


def _name(labels: Mapping[int, str], page: int) -> str:
    """What a page is called, on one line; empty where it has no name."""
    name = " ".join(labels.get(page, "").split())
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"


def _named(kind: str, names: Sequence[str]) -> str:
    if not names:
        return ""
    return f"{_UNITS[kind]}{'s' * (len(names) > 1)} {', '.join(f'“{name}”' for name in names)}"


def _clock(page: int) -> str:
    """When a minute begins: page 1 at "0:00", page 75 at "1:14:00"."""
    hours, minutes = divmod(page - 1, 60)
    return f"{hours}:{minutes:02}:00" if hours else f"{minutes}:00"
