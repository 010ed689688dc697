"""Whether a sentence states what a piece of a document states: the same words in the same order, but for a few moves.

What may differ: a clause left out that limits nothing, a phrase in another place, "it" for the subject. Every word that
bot.statement keeps counts, "not", "most", "before" and "°C" among them.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from itertools import chain, pairwise

from bot.statement import CLAUSES, OPENERS, Clause, Statement, read

FEWEST = 2  # words that a statement has at least
LONGEST = 1000  # characters; what is longer is no sentence and is told unread
SHORT = 2  # words of a clause that is an item of a list: it can't be left out
SUBJECT = 4  # words at most that "it" stands for

_REASONS = frozenset(("because", "whereas"))  # what they open limits nothing
# A clause that has one of these limits the others, or takes them back.
_LIMITING = """
not never no none nor neither only however provided assuming otherwise sometimes usually often rarely perhaps maybe
probably would said says say claim claims claimed believe believes believed think thinks thought myth wrong false
allegedly supposedly imagine suppose wish
"""
_LIMITS = CLAUSES - _REASONS | frozenset(_LIMITING.split())
# Words that a subject can't lose where "it" takes its place.
_KEEPING = """
i most some all every few many any more less fewer half both can should must will stop avoid refuse refrain forget fail
prevent resist skip quit neglect deny hardly barely almost
"""
_KEPT = _LIMITS | OPENERS | frozenset(_KEEPING.split())
_STAYS = frozenset(("like", "as", "than"))  # phrases that mean something else in another place
_FOCUS = frozenset(("only", "even", "not", "never", "always", "mainly", "mostly"))  # go with what follows them


def states(piece: Statement, claim: Statement, above: Sequence[str], named: Collection[str]) -> bool:
    """Whether `piece` says all of `claim`.

    `above`: its title and headings; its "it" may stand for any of them. `named`: stems of what was said before the
    claim; the claim's "it" may stand for a subject that is among them, or above.
    """
    if len(claim.stems) < FEWEST:
        return False
    if _in_order(piece.clauses, claim.stems) or _moved(piece, claim):
        return True
    subjects = [stems for name in above if (stems := read(name).stems)]
    if claim.stems[0] == "it":
        return bool(piece.clauses) and _of_it(piece, claim, {*named, *chain(*subjects)})
    if piece.stems[:1] == ("it",):
        called = [claim.stems[len(each) :] for each in subjects if claim.stems[: len(each)] == each]
        return any(_in_order(piece.clauses, ("it", *said)) for said in called)
    return False


def _of_it(piece: Statement, claim: Statement, named: Collection[str]) -> bool:
    """Whether the piece says of a subject that is `named` what the claim says of "it"."""
    first, said = piece.clauses[0], _without(claim, 1)
    for lost in range(1, min(SUBJECT, len(first.phrases[0]) - 1) + 1):
        subject = first.phrases[0][:lost]
        if not set(subject) <= set(named) or not _KEPT.isdisjoint((*first.spoken[:lost], *subject)):
            return False
        predicate = _without(piece, lost)
        if _in_order(predicate.clauses, said.stems) or _moved(predicate, said):
            return True
    return False


def _without(statement: Statement, lost: int) -> Statement:
    """The statement without its first `lost` words."""
    first, *rest = statement.clauses
    kept = tuple(phrase for phrase in (first.phrases[0][lost:], *first.phrases[1:]) if phrase)
    return Statement((Clause(kept, first.spoken), *rest))


def _in_order(clauses: Sequence[Clause], said: tuple[str, ...]) -> bool:
    """Whether `said` is clauses of the piece one after the other, and the others can be left out."""
    used, at = list[int](), 0
    for number, clause in enumerate(clauses):
        stems = clause.stems
        if said[at : at + len(stems)] == stems:
            used.append(number)
            at += len(stems)
    return at == len(said) >= FEWEST and _may_leave(clauses, used)


def _moved(piece: Statement, claim: Statement) -> bool:
    """Whether `claim` is the piece with a phrase in another place, or its phrases in another order.

    No two phrases may open alike: which goes with what would be lost.
    """
    said = claim.stems
    used = [number for number, clause in enumerate(piece.clauses) if set(said).issuperset(clause.stems)]
    phrases = [phrase for number in used for phrase in piece.clauses[number].phrases]
    openers = [phrase[0] if phrase[0] in OPENERS else "" for phrase in phrases]
    if len(set(openers)) < len(openers) or not _may_leave(piece.clauses, used):
        return False
    if not _STAYS.isdisjoint(openers) or any(phrase[-1] in _FOCUS for phrase in phrases):
        return False
    if Counter(phrases) == Counter(claim.phrases):
        return True
    for nth, phrase in enumerate(phrases):
        rest = tuple(stem for other in (*phrases[:nth], *phrases[nth + 1 :]) for stem in other)
        if phrase[0] in OPENERS and said in ((*phrase, *rest), (*rest, *phrase)):
            return True
    return False


def _may_leave(clauses: Sequence[Clause], used: Sequence[int]) -> bool:
    """Whether the clauses that aren't `used` can be left out: whole ones that limit nothing, and not two in between."""
    if any(after - before > 2 for before, after in pairwise(used)):
        return False
    for clause in (clause for number, clause in enumerate(clauses) if number not in used):
        first = clause.stems[0]
        if first in _REASONS:
            continue
        if len(clause.stems) <= SHORT or first in OPENERS or not _LIMITS.isdisjoint(clause.spoken):
            return False
    return True
