"""Quotes: found in the collection without a model, or written by one; and never one passed off as the other.

What a model writes is held against the quotes it learned from and those of the collection (finetune.novelty). A copy is
shown as the stored quote that it is, with its real author; all else is told to be generated, whoever it sounds like.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from bot.drafts import WrittenBy
from data.errors import BadInput, NotFound
from data.hidden import strip_hidden
from data.quotes import Quotes, StoredQuote
from finetune.examples import Example, quote_prompt, quoted_author
from finetune.novelty import Known, Likeness, Real, name_key
from finetune.reply_measures import words
from finetune.tokens import text_ids
from rag.lexical import STOP_WORDS

if TYPE_CHECKING:
    from bot.local_model import LocalModel, Written
    from bot.responders import Chat, Writing
    from data.embedding import Embedder
    from data.sampling import Sampling

Label = Literal["stored", "generated", "close", "none"]

LEARNED = "what the model learned from"  # the source of a quote that only the adapter's record has
LONGEST = 200  # characters of what is asked
SIMILAR = 0.85  # cosine from which a new quote says what a stored one says in other words
ABOUT = 0.40  # and from which a stored one is about what was asked
NEAREST = 5  # authors named for an unknown one
_BY = re.compile(r"(?:an?\s+|the\s+|some\s+)?(?:quot\w+|sayings?|something)\s+(?:by|from|of)\s+|by\s+", re.IGNORECASE)
_ABOUT = re.compile(r"(?:(?:an?\s+|the\s+|some\s+)?(?:quot\w+|sayings?|something)\s+)?(?:about|on)\s+", re.IGNORECASE)
_NAME = re.compile(r"(?:[^\W\d_a-z][\w.'’-]*|d[aei]|de[lnr]?|l[ae]|van|von|bin|ibn|al|of|the)", re.UNICODE)


@dataclass(frozen=True)
class Nearest:
    """The real quote most like one that was generated."""

    quote: str
    author: str
    source: str
    overlap: float  # of words, 0–1
    cosine: float | None = None  # of the embeddings, where both are known


@dataclass(frozen=True)
class Quote:
    """A quote with what it is: stored, generated, or close to a stored one; or none, and why."""

    asked: str
    author: str  # whose it is; of a generated one in whose name it was written
    quote: str
    label: Label
    nearest: Nearest | None = None
    novelty: float | None = None  # 1 - overlap with the nearest; None where there was nothing to compare with
    ended: str = ""  # of a model: "end", "stop" or "length"
    source: str = ""  # of a stored quote: the file it was read from
    repeated: bool = False  # a stored quote that a model wrote again
    misattributed: bool = False  # and in another's name
    reason: str = ""  # what else to know of it; of none, why
    authors: tuple[str, ...] = ()  # stored ones whose names are near one that isn't
    written_by: WrittenBy = field(default_factory=lambda: WrittenBy("extractive"))

    @property
    def told(self) -> str:
        """What it is, in words."""
        if self.label == "none":
            return self.reason
        if self.label == "stored":
            told = f"Stored quote, by {self.author}" + (f" ({self.source})" if self.source else "")
            told += "; the model repeated it" if self.repeated else ""
            return told + (f" in the name of {self.asked}, whose it is not" if self.misattributed else "")
        told = f"Generated, not a real quote by {self.author}"
        if self.label == "close" and self.nearest:
            told += f"; close to a stored quote by {self.nearest.author}"
        return told

    def as_json(self) -> dict[str, Any]:
        """The form that `ask --json` prints."""
        nearest = self.nearest and {
            "quote": self.nearest.quote,
            "author": self.nearest.author,
            "source": self.nearest.source,
            "overlap": round(self.nearest.overlap, 4),
            "cosine": None if self.nearest.cosine is None else round(self.nearest.cosine, 4),
        }
        return {
            "asked": self.asked,
            "author": self.author,
            "quote": self.quote,
            "label": self.label,
            "told": self.told,
            "nearest": nearest,
            "novelty": None if self.novelty is None else round(self.novelty, 4),
            "ended": self.ended or None,
            "source": self.source or None,
            "repeated": self.repeated,
            "misattributed": self.misattributed,
            "reason": self.reason,
            "authors": list(self.authors),
            "responder": self.written_by.responder,
            "adapter": self.written_by.adapter or None,
        }


class Quoter:
    """Finds and writes quotes."""

    def __init__(
        self, quotes: Quotes, writing: "Writing", chat: "Callable[[], Chat]", embedder: "Callable[[], Embedder]"
    ) -> None:
        """`chat` and `embedder` load what they give, when it is needed."""
        self._quotes, self._writing, self._chat, self._embedder = quotes, writing, chat, embedder
        self.collection = quotes.all()
        self._learned = self._read_learned()
        self._names: dict[str, str] = {}  # by their key; of spellings that are one name, the first
        for author in [*(each.author for each in self.collection), *(each.author for each in self._learned)]:
            self._names.setdefault(name_key(author), author)

    @property
    def authors(self) -> list[str]:
        """Those that there are quotes by, stored or learned, in the order of the alphabet."""
        return sorted(self._names.values(), key=name_key)

    @property
    def is_current(self) -> bool:
        """Whether the collection is still as it was read."""
        return len(self.collection) == self._quotes.count()

    def ask(self, asked: str, count: int = 1, skip: int = 0) -> list[Quote]:
        """`count` quotes for an author's name or, of stored ones, what they are to be about; `skip` are passed over.

        One of the label "none" where there is none, with the reason. Raises BadInput for an empty or endless question,
        and what loading a model raises.
        """
        asked = " ".join(strip_hidden(asked).split())
        if not any(c.isalnum() for c in asked):
            raise BadInput('name an author, as in `shawgpt ask --persona quotes "Ada Winterbourne"`')
        if len(asked) > LONGEST:
            raise BadInput(f"{len(asked):,} characters are no author's name ({LONGEST} at most)")
        topic = _ABOUT.match(asked)
        name = _BY.sub("", asked, count=1) if _BY.match(asked) else asked
        author = None if topic else self.author(name)
        if self._writing.model and not topic:
            return [self.write(author or name, skip + number) for number in range(count)]
        if author:
            own = [each for each in self.collection if name_key(each.author) == name_key(author)]
            return [_stored(asked, each) for each in own[skip : skip + count]] or [
                self._none(asked, f"there are no more stored quotes by {author}")
            ]
        if topic or not _is_name(asked, name):
            about = asked[topic.end() :] if topic else asked
            found = self.about(about)[skip : skip + count]
            if found or topic:
                return [_stored(asked, each) for each in found] or [
                    self._none(asked, f"no stored quote is about {about}")
                ]
        by = "by" if _is_name(asked, name) else "by or about"
        return [self._none(asked, f"there is no stored quote {by} {name}", self.nearest_authors(name))]

    def author(self, name: str) -> str | None:
        """The known author of that name, or of that last name where it is one author's only."""
        key = name_key(name)
        if key in self._names:
            return self._names[key]
        last = [known for known in self._names if " " in known and known.rsplit(" ", 1)[1] == key]
        return self._names[last[0]] if len(last) == 1 else None

    def nearest_authors(self, name: str) -> tuple[str, ...]:
        """Known authors whose names are like `name`, or have a part of it, nearest first."""
        key = name_key(name)
        like = get_close_matches(key, self._names, NEAREST, 0.6)
        parts = {part for part in key.split() if len(part) > 2}
        sharing = [known for known in self._names if parts & set(known.split())]
        return tuple(self._names[known] for known in dict.fromkeys([*like, *sharing]))[:NEAREST]

    def about(self, topic: str) -> list[StoredQuote]:
        """The stored quotes about something, best first: those with all of its words or a tag, then by meaning."""
        if not self.collection:
            return []
        stems = _stems(topic)
        having = [bool(stems) and stems <= _stems(f"{each.quote} {' '.join(each.tags)}") for each in self.collection]
        embedder = self._embedder()
        cosines = self._cosines(embedder.encode([topic])[0], embedder.name)
        order = sorted(range(len(cosines)), key=lambda at: (not having[at], -cosines[at]))
        return [self.collection[at] for at in order if having[at] or cosines[at] >= ABOUT]

    def write(self, author: str, turn: int = 0) -> Quote:
        """A quote in the manner of `author` by the model, held against the real ones. Another `turn`, another quote."""
        model, adapter, sampling = self._model()
        seeded = sampling.model_copy(update={"seed": sampling.seed + turn})
        ((_, written),) = model.write([text_ids(quote_prompt(author), model.tokens)], seeded, adapter)
        return self.labelled(author, written)

    def labelled(self, author: str, written: "Written") -> Quote:
        """What a model wrote in the name of `author`, with what it is."""
        by = self._writing.written_by
        said = " ".join(strip_hidden(written.text).split())
        if not words(said):
            return Quote(
                author, author, "", "none", ended=written.ended, reason="the model wrote nothing", written_by=by
            )
        like = self.known.most_like(said, author)
        if like and like.verdict == "copy":
            real = like.real
            return Quote(
                author, real.author, real.quote, "stored", _nearest(like), 0.0, written.ended, real.source, True,
                name_key(real.author) != name_key(author), written_by=by,
            )  # fmt: skip
        nearest, label = (
            (_nearest(like) if like else None),
            "close" if like and like.verdict == "close" else "generated",
        )
        if label == "generated" and (meant := self._meant(said)):
            nearest, label = meant, "close"
        notes = list[str]()
        if written.ended == "length":
            notes.append("cut off at the longest that a quote may be")
        if len(self.known) and name_key(author) not in self.known.authors:
            notes.append(f"no quote by {author} is known here, stored or learned")
        elif not len(self.known):
            notes.append("there is nothing to compare it with: the model's training set isn't here, and none is stored")
        novelty = None if not len(self.known) else 1 - (nearest.overlap if nearest else 0.0)
        return Quote(
            author, author, said, "close" if label == "close" else "generated", nearest, novelty, written.ended,
            reason="; ".join(notes), written_by=by,
        )  # fmt: skip

    @cached_property
    def known(self) -> Known:
        """The real quotes: those of the collection, and those that the model learned from and was measured on."""
        return Known([*(Real(each.quote, each.author, each.source) for each in self.collection), *self._learned])

    def _read_learned(self) -> list[Real]:
        from finetune.record import read_examples_record

        folder = self._writing.adapter or (Path(self._writing.model) if self._writing.model else None)
        if folder is None:
            return []
        try:
            train, held_out = read_examples_record(folder)
        except NotFound:  # a model that was not trained here
            return []
        return reals([*train, *held_out])

    def _meant(self, said: str) -> Nearest | None:
        """The stored quote that says the same in other words, if one does."""
        if not self.collection:
            return None
        embedder = self._embedder()
        cosines = self._cosines(embedder.encode([said])[0], embedder.name)
        at = int(np.argmax(cosines))
        if cosines[at] < SIMILAR:
            return None
        like, real = self.known.most_like(said), self.collection[at]
        overlap = like.overlap if like and like.real.quote == real.quote else _overlap(said, real)
        return Nearest(real.quote, real.author, real.source, overlap, float(cosines[at]))

    def _cosines(self, vector: Any, embedder: str) -> Any:
        """(collection,): the cosine of each stored quote with `vector`; 0 where its own is another model's."""
        kept = self._quotes.vectors(embedder)
        empty = np.zeros(len(vector), dtype=np.float32)
        matrix = np.stack([empty if each is None else np.frombuffer(each, dtype="<f4") for each in kept])
        return matrix[: len(self.collection)] @ vector

    def _model(self) -> "tuple[LocalModel, str | None, Sampling]":
        chat = self._chat()
        if chat.local is None:
            raise BadInput(f"{self._writing.written_by} answers conversations: quotes take a model on this computer")
        return chat.local, self._writing.written_by.adapter if self._writing.adapter else None, self._writing.sampling

    def _none(self, asked: str, reason: str, authors: tuple[str, ...] = ()) -> Quote:
        if not self.collection:
            reason = "no quotes are stored yet: `shawgpt import quotes FILE` reads some"
        elif authors:
            reason += f"; the nearest stored: {', '.join(authors)}"
        return Quote(asked, "", "", "none", reason=reason, authors=authors, written_by=self._writing.written_by)


def reals(examples: Sequence[Example]) -> list[Real]:
    """The quotes among examples of the format quotes."""
    found = ((quoted_author(each.prompt), each.reply) for each in examples if isinstance(each.prompt, str))
    return [Real(quote, author, LEARNED) for author, quote in found if author]


def _stored(asked: str, quote: StoredQuote) -> Quote:
    return Quote(asked, quote.author, quote.quote, "stored", source=quote.source)


def _nearest(like: Likeness) -> Nearest:
    return Nearest(like.real.quote, like.real.author, like.real.source, like.overlap)


def _overlap(said: str, real: StoredQuote) -> float:
    found = Known([Real(real.quote, real.author, real.source)]).most_like(said)
    return found.overlap if found else 0.0


def _is_name(asked: str, name: str) -> bool:
    """Whether it reads as a person's name: it was asked for as one, or is of several words, each with a capital."""
    parts = name.split()
    return asked != name or (len(parts) > 1 and all(_NAME.fullmatch(part) for part in parts))


def _stems(text: str) -> set[str]:
    from snowballstemmer import stemmer

    return set(stemmer("english").stemWords([word for word in words(text) if word not in STOP_WORDS]))
