"""Where on a page a quote stands: the text that is kept is not the page's own, so letters and digits are compared.

Reading mends broken words, joins lines, drops heads and feet and spells ligatures out (ingest/clean.py). None of it
changes the order of letters and digits, so a quote is looked for among those alone; where it still isn't found (another
reader gave the words in another order, a foot stood in mid-sentence), its longest runs are.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

CONTEXT = 60  # letters and digits around a quote that tell its place from others where the page says the same
SEED = 8  # letters and digits in a row from which a run of a broken quote is taken for one
NEAR = 400  # characters of the page within which the next run goes on, so that a phrase elsewhere isn't taken for it
MOST_PLACES = 1000  # looked at, where a page says the same again and again
ENOUGH = 0.7  # of a broken quote: what its runs have to hold for it to count as found
_CLOSING = frozenset(".,;:!?)]}\"'”’»%…")

Range = tuple[int, int]  # from, to: characters of the page


@dataclass(frozen=True)
class Mark:
    """What is to be marked on a page: a quote, with what stands around it in the passage."""

    quote: str
    before: str = ""
    after: str = ""


@dataclass(frozen=True)
class Squashed:
    """The letters and digits of a text, in one case and without accents, and where each stands in it."""

    text: str
    places: Sequence[int]


def squashed(text: str) -> Squashed:
    """`text` for comparison: "Eﬃ-\\ncient, 5 %" is "efficient5"."""
    letters: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text):
        if character.isascii():
            if character.isalnum():
                letters.append(character.lower())
                places.append(place)
            continue
        for part in unicodedata.normalize("NFKD", character).casefold():
            if part.isalnum():
                letters.append(part)
                places.append(place)
    return Squashed("".join(letters), places)


def places_of(mark: Mark, page: str, letters: Squashed) -> list[Range]:
    """Where the mark's quote stands in the text of a page (`letters`: the same, squashed); empty where it doesn't.

    Several ranges are one quote with something else between its parts.
    """
    wanted = squashed(mark.quote).text
    if not wanted:
        return []
    at = _best(_all(letters.text, wanted), wanted, mark, letters.text)
    runs = [(at, at + len(wanted))] if at is not None else _runs(wanted, letters.text)
    return [_range(page, letters, run) for run in runs]


def _all(text: str, wanted: str) -> list[int]:
    found: list[int] = []
    at = text.find(wanted)
    while at >= 0 and len(found) < MOST_PLACES:
        found.append(at)
        at = text.find(wanted, at + 1)
    return found


def _best(found: Sequence[int], wanted: str, mark: Mark, text: str) -> int | None:
    """The one of these places around which the page says what the passage says; the first of equals."""
    if len(found) < 2:
        return found[0] if found else None
    before = squashed(mark.before).text[-CONTEXT:]
    after = squashed(mark.after).text[:CONTEXT]

    def alike(at: int) -> int:
        left, right = text[max(0, at - CONTEXT) : at], text[at + len(wanted) :][:CONTEXT]
        return _common(left[::-1], before[::-1]) + _common(right, after)

    return max(found, key=alike)


def _common(one: str, other: str) -> int:
    """How many characters both begin with."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _runs(wanted: str, text: str) -> list[Range]:
    """The parts of `wanted` that `text` holds, near each other; none where they are too little of it."""
    grams: dict[str, list[int]] = {}
    for at in range(len(text) - SEED + 1):
        grams.setdefault(text[at : at + SEED], []).append(at)
    starts = [p for n in range(max(1, len(wanted) - SEED + 1)) for p in grams.get(wanted[n : n + SEED], [])[:3]]
    best: list[Range] = []
    for start in dict.fromkeys(starts[:50]):  # where the first run may begin: a phrase of it may stand elsewhere too
        runs = _from(start, wanted, text, grams)
        if sum(b - a for a, b in runs) > sum(b - a for a, b in best):
            best = runs
    return best if sum(b - a for a, b in best) >= ENOUGH * len(wanted) else []


def _from(start: int, wanted: str, text: str, grams: dict[str, list[int]]) -> list[Range]:
    """The runs of `wanted` in `text` near `start`, each taken as long as it goes."""
    runs: list[Range] = []
    here, at = start, 0
    while at + SEED <= len(wanted):
        near = [p for p in grams.get(wanted[at : at + SEED], ()) if abs(p - here) <= NEAR]
        if not near:
            at += 1
            continue
        place = min(near, key=lambda p: (p < here, abs(p - here)))
        length = _common(text[place:], wanted[at:])
        runs.append((place, place + length))
        here, at = place + length, at + length
    return sorted(runs)


def _range(page: str, letters: Squashed, run: Range) -> Range:
    """A run of letters as characters of the page, with the punctuation that closes it."""
    start, end = letters.places[run[0]], letters.places[run[1] - 1] + 1
    while end < len(page) and page[end] in _CLOSING:
        end += 1
    return start, end
