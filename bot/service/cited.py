"""An answer as text whose marks lead to its sources: what chat completions and MCP tools hand out alike."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from bot.drafts import Answer, Sentence, Support
from data.models import Passage

NO_SOURCE = " [no source]"  # behind a sentence of a model's that no passage states
NEAREST = 3  # passages named where there is no answer


@dataclass(frozen=True)
class Citation:
    """A mark in the text, and what it stands for."""

    n: int  # the number in the mark: one for each passage, by first citation
    source: str  # a web address, or a file by its name and folder
    title: str
    page: int | None  # 1-based physical page of the quote; None where the document has no pages
    quote: str  # word for word from the document
    start_index: int  # of the mark in the text, in characters (Unicode code points)
    end_index: int  # exclusive

    def annotation(self) -> dict[str, Any]:
        """The form that OpenAI gives a citation."""
        cited = {"url": self.url, "title": self.title, "start_index": self.start_index, "end_index": self.end_index}
        return {"type": "url_citation", "url_citation": cited}

    @property
    def url(self) -> str:
        """A web address as it is; of a file its name and folder, and its page."""
        if urlsplit(self.source).scheme in ("http", "https"):
            return self.source
        return quote(self.source) + (f"#page={self.page}" if self.page else "")


@dataclass(frozen=True)
class Cited:
    """An answer sentence by sentence."""

    pieces: tuple[str, ...]  # each sentence with its marks; joined they are the text
    citations: tuple[Citation, ...]  # in the order of the text
    cut: bool = False  # at the most tokens that were asked for

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(self.pieces)


@dataclass
class Writer:
    """Makes the text of one answer."""

    passages: Sequence[Passage]
    _pieces: list[str] = field(default_factory=list)
    _citations: list[Citation] = field(default_factory=list)
    _numbers: dict[str, int] = field(default_factory=dict)  # by chunk id
    _length: int = 0

    def say(self, text: str) -> None:
        """Add what needs no source."""
        self._pieces.append(f" {text}" if self._pieces else text)
        self._length += len(self._pieces[-1])

    def cite(self, sentence: Sentence, claims: bool) -> None:
        """Add a sentence with its marks; `claims` says whether one without a source is told as such."""
        self.say(sentence.text)
        marked: set[int] = set()
        for support in sentence.support:
            passage = self._passage(support)
            number = self._numbers.setdefault(passage.chunk_id if passage else support.source, len(self._numbers) + 1)
            mark = f" [{number}]"
            if number not in marked:
                self._add(mark)
                marked.add(number)
            self._citations.append(
                Citation(
                    number, shown_source(support.source), passage.title if passage else "", support.page, support.quote,
                    self._length - len(mark) + 1, self._length,
                )
            )  # fmt: skip
        if claims and not sentence.support:
            self._add(NO_SOURCE)

    def done(self, cut: bool = False) -> Cited:
        """What was added."""
        return Cited(tuple(self._pieces), tuple(self._citations), cut)

    def _add(self, mark: str) -> None:
        self._pieces[-1] += mark
        self._length += len(mark)

    def _passage(self, support: Support) -> Passage | None:
        same = [passage for passage in self.passages if passage.source == support.source]
        return next((passage for passage in same if support.quote in passage.text), same[0] if same else None)


def cited(answer: Answer, sentences: Sequence[Sentence], cut: bool = False) -> Cited:
    """The text of `answer` with those of its `sentences`; of an abstention, that there is none and why."""
    writer = Writer(answer.passages)
    if answer.said:
        writer.say(answer.said)
    if answer.status != "answered":
        if not answer.said:
            writer.say(f"Not answered: {answer.reason}.")
        return writer.done()
    for sentence in sentences:
        writer.cite(sentence, claims=answer.written_by.responder != "extractive")
    return writer.done(cut)


def shown_source(source: str) -> str:
    """A web address as it is, a file by its name and the folder it is in: where the server keeps it is its own."""
    return source if "://" in source else "/".join(source.replace("\\", "/").rsplit("/", 2)[-2:])


def shown_passage(passage: Passage) -> dict[str, Any]:
    """A passage as `search --json` prints it, its source as others may know it."""
    return {**passage.as_json(), "source": shown_source(passage.source)}


def nearest(answer: Answer) -> list[dict[str, Any]]:
    """Where to look, where there is no answer."""
    if answer.status == "answered":
        return []
    return [
        {"source": shown_source(p.source), "title": p.title, "page": p.page_start} for p in answer.passages[:NEAREST]
    ]


def as_dict(citation: Citation) -> dict[str, Any]:
    """A citation as a program reads it."""
    return asdict(citation)
