"""The public retrieval sets as documents, questions and gold, and how a ranking is scored on each."""

import fnmatch
import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from data.models import Document

Gold = frozenset[tuple[str, int, int]]  # (source, first, second): what each means is the set's own affair


@dataclass(frozen=True)
class Hit:
    """One ranked piece of text, whichever system found it."""

    source: str
    text: str
    page_start: int | None = None
    page_end: int | None = None


@dataclass(frozen=True)
class Question:
    """A question with what answers it."""

    text: str
    gold: Gold
    sources: frozenset[str] = frozenset()  # filings: the files that answer it


@dataclass(frozen=True)
class RetrievalSet:
    """Documents to search, questions to ask, and the rank at which a ranking holds each gold item."""

    name: str
    documents: tuple[Document, ...]
    questions: tuple[Question, ...]
    first_ranks: Callable[[Question, Sequence[Hit]], list[int]]
    pdfs: tuple[Path, ...] = ()
    unanswerable: tuple[str, ...] = ()
    units: str = "documents"


def metrics(of: RetrievalSet, rankings: Sequence[Sequence[Hit]]) -> dict[str, float]:
    """recall@1/5/10, nDCG@10 (and for filings page hit@10 and file hit@4), each 0–1, averaged over the questions.

    A question with several gold items has the share of them found as its recall; its nDCG counts every item once, at
    the first piece of text that holds it, against the items at ranks 1, 2, 3 ...
    """
    sums: dict[str, list[float]] = {}
    for question, hits in zip(of.questions, rankings, strict=True):
        if question.sources:
            sums.setdefault("file hit@4", []).append(any(hit.source in question.sources for hit in hits[:4]))
        if not question.gold:
            continue
        ranks = [rank for rank in of.first_ranks(question, hits) if rank <= 10]
        for k in (1, 5, 10):
            sums.setdefault(f"recall@{k}", []).append(sum(rank <= k for rank in ranks) / len(question.gold))
        best = sum(1 / math.log2(i + 1) for i in range(1, min(10, len(question.gold)) + 1))
        sums.setdefault("nDCG@10", []).append(min(1.0, sum(1 / math.log2(rank + 1) for rank in ranks) / best))
        if question.sources:
            sums.setdefault("page hit@10", []).append(bool(ranks))
    return {name: sum(values) / len(values) for name, values in sums.items()}


def load(data: Path) -> list[RetrievalSet]:
    """The sets that lie in `data`, a folder with squad_xquad_en, clapnq, chunking_eval and sec10q (any of them)."""
    known = {"squad_xquad_en": squad, "clapnq": clapnq, "chunking_eval": chunking, "sec10q": filings}
    return [make(data / name) for name, make in known.items() if (data / name).is_dir()]


def squad(folder: Path) -> RetrievalSet:
    """Paragraphs without a title, one right for each question."""
    documents = tuple(Document(row["id"], "text", row["text"]) for row in _rows(folder / "docs.jsonl"))
    questions = tuple(
        Question(row["question"], frozenset((source, 0, 0) for source in row["gold"]))
        for row in _rows(folder / "questions.jsonl")
    )
    return RetrievalSet("SQuAD", documents, questions, _document_ranks)


def clapnq(folder: Path) -> RetrievalSet:
    """Wikipedia passages with titles. The near-miss passages of the unanswerable questions are in the corpus too."""
    documents: dict[str, Document] = {}
    questions, unanswerable = [], []
    for name in ("answerable", "unanswerable"):
        for row in _rows(folder / f"{name}.jsonl"):
            passage = row["passages"][0]
            key = f"clapnq-{len(documents)}"
            source = documents.setdefault(
                passage["text"], Document(key, "text", passage["text"], passage["title"])
            ).source
            if name == "answerable":
                questions.append(Question(row["input"], frozenset([(source, 0, 0)])))
            else:
                unanswerable.append(row["input"])
    everything = tuple(documents.values())
    return RetrievalSet("ClapNQ", everything, tuple(questions), _document_ranks, unanswerable=tuple(unanswerable))


def chunking(folder: Path) -> RetrievalSet:
    """Three long texts in one knowledge base; gold are character spans, found where half of one is in a passage."""
    texts = {path.stem: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.md"))}
    documents = tuple(Document(name, "text", text) for name, text in texts.items())
    squashed = {name: _squash(text) for name, text in texts.items()}
    questions = []
    for row in _rows(folder / "questions.jsonl"):
        name = row["corpus"]
        spans = [(len(_squash(texts[name][: g["start_index"]])), len(_squash(g["content"]))) for g in row["gold"]]
        questions.append(Question(row["question"], frozenset((name, start, start + size) for start, size in spans)))

    def ranks(question: Question, hits: Sequence[Hit]) -> list[int]:
        found: dict[tuple[str, int, int], int] = {}
        for rank, hit in enumerate(hits, 1):
            text = _squash(hit.text)
            at = squashed[hit.source].find(text)
            for source, start, end in question.gold:
                inside = min(end, at + len(text)) - max(start, at)
                if source == hit.source and at >= 0 and inside >= 0.5 * (end - start):
                    found.setdefault((source, start, end), rank)
        return list(found.values())

    return RetrievalSet("chunking_eval", documents, tuple(questions), ranks, units="spans")


def filings(folder: Path) -> RetrievalSet:
    """Quarterly reports. Gold pages are those of the right files that hold most of the numbers of the answer."""
    from pypdf import PdfReader

    pdfs = tuple(sorted((folder / "pdfs").glob("*.pdf")))
    pages = {path: [page.extract_text() for page in PdfReader(path).pages] for path in pdfs}
    documents = tuple(
        Document(str(path), "pdf", "\f".join(texts), page_starts=tuple(range(len(texts))))
        for path, texts in pages.items()
    )  # for the tutorial alone, which reads so; the project reads the files itself
    questions = []
    for row in _rows(folder / "questions.jsonl"):
        right = [p for p in pdfs if fnmatch.fnmatch(p.stem, row["Source Docs"].replace(" ", "_"))]
        numbers = _numbers(row["Answer"])
        gold = set()
        for path in right:
            counts = [sum(number in found for number in numbers) for found in map(_numbers, pages[path])]
            most = max(counts)
            gold |= {(str(path), page, 0) for page, n in enumerate(counts, 1) if n == most and most}
        questions.append(Question(row["Question"].strip(), frozenset(gold), frozenset(map(str, right))))
    return RetrievalSet("filings", documents, tuple(questions), _page_ranks, pdfs, units="pages")


def _document_ranks(question: Question, hits: Sequence[Hit]) -> list[int]:
    order = list(dict.fromkeys(hit.source for hit in hits))
    return [order.index(source) + 1 for source, _, _ in question.gold if source in order]


def _page_ranks(question: Question, hits: Sequence[Hit]) -> list[int]:
    found: dict[tuple[str, int, int], int] = {}
    for rank, hit in enumerate(hits, 1):
        for page in range(hit.page_start or 0, (hit.page_end or 0) + 1):
            if (item := (hit.source, page, 0)) in question.gold:
                found.setdefault(item, rank)
    return list(found.values())


def _numbers(text: str) -> frozenset[str]:
    """Numbers of three digits or more, years left out."""
    found = (match.rstrip(".,") for match in re.findall(r"\d[\d,]*\.?\d*", text))
    return frozenset(n for n in found if len(re.sub(r"\D", "", n)) >= 3 and not re.fullmatch(r"(19|20)\d\d", n))


@lru_cache(maxsize=20_000)
def _squash(text: str) -> str:
    return "".join(text.split())


def _rows(path: Path) -> list[dict]:  # type: ignore[type-arg]
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]
