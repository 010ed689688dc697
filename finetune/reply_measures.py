"""What can be measured of a reply: its signature, where it stops, its length, its words, what it copies.

Pure functions of texts. Signatures are those of a persona, empty for none; they and case, spacing and punctuation are
no part of what a reply says.
"""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache

from data.persona import EMOJI

RUN = 8  # words in a row that nobody writes twice by chance
STOCK = 3  # training replies that share a run: then it is one of the creator's phrases

_DASH = "[-‐-―−~]"
_WORD = re.compile(rf"\w+(?:'\w+)*|{EMOJI.pattern}")

Words = tuple[str, ...]


def words(text: str) -> Words:
    """The words of a text and its emoji, without case, punctuation and the shapes of apostrophes and letters."""
    plain = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    return tuple(_WORD.findall(plain))


def body(reply: str, signature: str) -> str:
    """What the reply says: without the signature, wherever it stands and whichever dash it has."""
    if not signature:
        return reply.strip()
    return " ".join(part.strip() for part in _mark(signature).split(reply) if part.strip())


def signed_once(reply: str, signature: str) -> bool:
    """Whether the signature ends the reply, exactly as the persona has it, and stands nowhere else with any dash."""
    ends = re.search(rf"(?:^|\s){re.escape(signature)}\s*$", reply)
    return bool(ends) and len(_mark(signature).findall(reply)) == 1


def stops_in_place(reply: str, ended: str, signature: str, count_tokens: Callable[[str], int]) -> bool:
    """Whether the model's own end token ("end") came right behind the first signature, or one token after it.

    Without a signature to write: whether it came at all.
    """
    if ended != "end" or not signature:
        return ended == "end"
    found = _mark(signature).search(reply)
    return found is not None and count_tokens(reply[found.end() :].strip()) <= 1


def log_length(said: str, creators: str) -> float:
    """The logarithm of how many times as many words were said as the creator said: 0 for as many.

    One is added to both, so that a reply of none is counted as very short, and not left out.
    """
    return math.log((len(said.split()) + 1) / (len(creators.split()) + 1))


def runs(of: Words, length: int) -> list[Words]:
    """Every run of so many words, in order: its n-grams."""
    return [of[start : start + length] for start in range(len(of) - length + 1)]


def distinct(replies: Sequence[Sequence[object]]) -> tuple[float, list[float]]:
    """The share of all items that are different, and what it would be without each reply's.

    `replies`: the items of each; of n-grams it is distinct-n (Li et al. 2016, arXiv:1510.03055). NaN for no items.
    """
    counts = [Counter(items) for items in replies]
    every = sum(counts, Counter[object]())
    total = every.total()
    without = [(len(every) - sum(every[item] == n for item, n in own.items()), total - own.total()) for own in counts]
    return _share(len(every), total), [_share(*each) for each in without]


class Training:
    """The replies that an adapter was trained on, to look up what others have from them."""

    def __init__(self, bodies: Sequence[str]) -> None:
        """`bodies`: the replies without signatures."""
        replies = [words(text) for text in bodies]
        self._whole = {said for said in replies if said}
        self._texts = [f" {' '.join(said)} " for said in replies]
        self._all = "\n".join(self._texts)  # no run goes from one reply into the next

    def repeats(self, said: Words) -> bool:
        """Whether one of them says the very same."""
        return said in self._whole

    def longest(self, said: Words) -> float:
        """The longest run of words that one of them has too, as a share 0–1 of `said`; 0 for no words."""
        return max((len(run) for run in self._shared(said)), default=0) / max(1, len(said))

    def leaks(self, said: Words) -> bool:
        """Whether a run of eight words or more stands in one or two of them: not a phrase, but learned by heart."""
        return any(len(run) >= RUN and self._holding(run) < STOCK for run in self._shared(said))

    def _holding(self, run: Words) -> int:
        return sum(_spelt(run) in text for text in self._texts)

    def _shared(self, said: Words) -> list[Words]:
        """For each word of `said`, the longest shared run that ends with it."""
        found, start = [], 0
        for end in range(1, len(said) + 1):
            while start < end and _spelt(said[start:end]) not in self._all:
                start += 1
            found.append(said[start:end])
        return found


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan


def _spelt(run: Words) -> str:
    return f" {' '.join(run)} "


@lru_cache(maxsize=8)
def _mark(signature: str) -> re.Pattern[str]:
    """What is taken for the signature: with any dash where it begins with one, in any case."""
    name = re.sub(rf"^{_DASH}+\s*", "", signature)
    dash = rf"{_DASH}+\s*" if name != signature and name else ""
    return re.compile(rf"(?<!\w){dash}{re.escape(name or signature)}(?!\w)", re.IGNORECASE)
