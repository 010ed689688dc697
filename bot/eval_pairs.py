"""What replies are evaluated on: pairs that the adapter has not learned from."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from data.errors import BadInput
from finetune.examples import Example, read_examples
from finetune.reply_measures import RUN, Words, body, words

if TYPE_CHECKING:
    from data.persona import Persona

FEWEST = 2  # pairs
_COMMENT = re.compile(r"<comment>\n(.*)\n</comment>\s*\Z", re.DOTALL)


@dataclass(frozen=True)
class Pair:
    """A comment and what the creator replied."""

    comment: str
    reply: str  # without the signature
    origin: str  # "row 12"


@dataclass(frozen=True)
class Pairs:
    """What is evaluated on, and what it was cleared of."""

    name: str  # the file; empty for the adapter's own held-out examples
    pairs: tuple[Pair, ...]
    left_out: dict[str, int]  # how many, by the reason
    whole: bool  # whether these are the adapter's held-out examples, and `limit` cut none off
    chose: int  # of `pairs`, those by whose loss training chose the weights it kept


def choose_pairs(
    train: Sequence[Pair], held_out: Sequence[Pair], persona: "Persona", file: Path | None, limit: int | None
) -> Pairs:
    """The pairs to evaluate on: none whose comment, or whose long reply, was trained on, and none twice.

    A short reply ("Thanks!") that was trained on is no reason to leave out its pair. Raises BadInput for fewer than 2.
    """
    left_out: Counter[str] = Counter()
    given = list(held_out)
    if file:
        if not file.is_file():
            raise BadInput(f"there is no file {file}: give a CSV file of new pairs (Comment,Response), or none")
        found, refused = read_examples(file, "replies", persona)
        given = as_pairs(found, persona.signature)
        left_out["no comment or no reply"] = len(refused)
    comments, replies = {words(pair.comment) for pair in train}, {words(pair.reply) for pair in train}
    kept: dict[tuple[Words | str, Words | str], Pair] = {}
    for pair in given:
        comment, reply = words(pair.comment), words(pair.reply)
        key = (comment or pair.comment, reply or pair.reply)  # itself where it is all punctuation
        if comment and comment in comments:
            left_out["trained on"] += 1
        elif len(reply) >= RUN and reply in replies:
            left_out["reply trained on"] += 1
        elif key in kept:
            left_out["there already"] += 1
        else:
            kept[key] = pair
    pairs = tuple(kept.values())[:limit]
    if len(pairs) < FEWEST:
        raise BadInput(_too_few(len(pairs), sum(left_out.values()), file))
    seen = {words(pair.comment) for pair in held_out}
    chose = sum(words(pair.comment) in seen for pair in pairs)
    whole = not file and len(pairs) == len(kept)
    return Pairs(str(file or ""), pairs, {why: n for why, n in left_out.items() if n}, whole, chose)


def as_pairs(examples: Sequence[Example], signature: str) -> list[Pair]:
    """The comment and the reply of each of a persona's examples. Raises BadInput where one has no comment."""
    pairs = []
    for example in examples:
        found = None if isinstance(example.prompt, str) else _COMMENT.search(example.prompt[-1]["content"])
        if found is None:
            raise BadInput(f"{example.origin} of the adapter's examples has no comment: train it again")
        pairs.append(Pair(found[1], body(example.reply, signature), example.origin))
    return pairs


def _too_few(pairs: int, left_out: int, file: Path | None) -> str:
    there = f"{pairs} pair{'s' * (pairs != 1)} to compare on, and {FEWEST} are the fewest"
    if file:
        return f"{file} has {there} ({left_out} left out: trained on, twice or without a reply): add new pairs"
    return f"the adapter has {there}: give a FILE of pairs, or train with more held out"
