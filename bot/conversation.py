"""A question within a conversation: what it means there, and what is answered without looking anything up."""

import hashlib
import random
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from bot.drafts import OUT_OF_SCOPE, Answer, Kind
from bot.follow_up import standalone
from bot.memory import Recalled, Said, recall
from bot.needs import NOT_KNOWN, Told, and_list, corrects, looked_up, missing, shown, told
from bot.plan_day import asked_days
from bot.scope import Scope
from bot.small_talk import small_talk
from bot.surface import asks

if TYPE_CHECKING:
    from data.persona import Need, Persona
    from rag.retriever import Encoder

LOOKED_BACK = 200  # exchanges of a conversation that are read again, the newest
REPLAYED = 50  # of them, where nobody kept how they were understood
PENDING = 4  # exchanges that what was asked for before a plan stays open
SHORT = 8  # words of a message that may change a plan that was given
OWN_FROM = -0.35  # score of a follow-up's own words from which it isn't about what was turned down before it
SPOKEN_OF = frozenset[Kind | None](["answer", "plan", "declined", None])  # what a follow-up may lean on
REMEMBERED = "I remember."
_MINE = re.compile(r"(?:and |so )?what(?:['’]s| is| was| are) my [\w -]{1,30}\??", re.IGNORECASE)
_TOLD = re.compile(
    r"\bdid I (?:say|tell)\b|\bI (?:told|said)\b|\b(?:remember|know) about me\b|\bdo you remember\b", re.IGNORECASE
)
DECLINES = (
    "That is outside what I answer about.",
    "I'm afraid that isn't my field.",
    "I'd rather leave that one to others.",
    "That's not something I can help with here.",
)
GREETINGS = ("Hello! What would you like to know?", "Hi! What can I help you with?")
THANKS = ("You're welcome!", "My pleasure.", "Glad to help.", "Any time.")
GOODBYE = "Goodbye, and come back any time."


@dataclass(frozen=True)
class Understood:
    """What a question means in its conversation."""

    question: str  # as it was asked
    query: str  # as it is understood alone
    kind: Kind = "answer"
    told: tuple[tuple[str, str], ...] = ()  # with this question, of what the persona needs
    known: tuple[tuple[str, str], ...] = ()  # in the whole conversation
    searched: tuple[tuple[str, str], ...] = ()  # of what is known, with what a plan is looked up
    said: str = ""  # in front of the answer
    plan: str = ""  # what the plan that was given was looked up with, where some of its days are asked for
    days: tuple[str, ...] = ()  # these: bot/plan_day.py
    reply: Answer | None = None  # where nothing needs to be looked up

    def finished(self, answer: Answer) -> Answer:
        """`answer`, which was given to the query, as the answer to the question."""
        query = self.query if self.query != self.question else ""
        said = answer.said or (self.said if answer.status == "answered" else "")
        return replace(answer, question=self.question, query=query, kind=self.kind, told=self.told, said=said)

    @property
    def for_a_model(self) -> str:
        """The query, with what the user told: it stands in the prompt with the question, whatever else fits."""
        if not self.known:
            return self.query
        facts = "; ".join(f"{name}: {value}" for name, value in self.known)
        return f"{self.query}\n(What I told you: {facts}.)"


class Conversation:
    """Understands the questions that are put to one persona."""

    def __init__(self, persona: "Persona", embedder: "Encoder") -> None:
        self.persona, self.embedder = persona, embedder

    @cached_property
    def scope(self) -> Scope:
        """The persona's scope."""
        return Scope(self.persona.inside, self.persona.outside, self.persona.plans, self.embedder)

    def understand(self, question: str, earlier: Sequence[Said], seed: str = "") -> Understood:
        """What `question` means after what was said `earlier`, oldest first.

        `seed` is what makes two conversations differ where the persona has several ways to say a thing.
        """
        return self._understand(question, self._replayed(earlier[-LOOKED_BACK:]), seed)

    def remembered(self, earlier: Iterable[Said], count: Callable[[str], int]) -> Recalled:
        """What a language model is told of what was said earlier; `count` says how many tokens a text has."""
        return recall([said for said in earlier if said.answer], self.persona.memory.tokens, count)

    def _replayed(self, earlier: Sequence[Said]) -> list[Said]:
        """What was said, each with how it was understood, where only its texts were kept."""
        if not self.persona.inside and not self.persona.needs:
            return self._rewritten(earlier)
        found: list[Said] = []
        for at, said in enumerate(earlier):
            if said.kind is None and at >= len(earlier) - REPLAYED:
                meant = self._understand(said.question, found, "")
                said = replace(said, query=meant.query, kind=meant.kind, told=meant.told)
            found.append(said)
        return found

    def _rewritten(self, earlier: Sequence[Said]) -> list[Said]:
        found: list[Said] = []
        for said in earlier:
            if said.kind is None and not said.query and found:
                said = replace(said, query=standalone(said.question, found[-1].leant_on, found[-1].subject))
            found.append(said)
        return found

    def _understand(self, question: str, earlier: Sequence[Said], seed: str) -> Understood:
        if self.persona.inside and (talk := small_talk(question, self.persona.name)):
            return self._small_talk(question, talk, earlier, seed)
        if apart := self._told_before(question, earlier) or self._day_of_plan(question, earlier):
            return apart
        before = self._leaning_on(question, earlier) if re.search(r"[^\W\d_]{2}", question) else None
        query = standalone(question, before.leant_on, before.subject) if before else question
        known = {name: value for said in earlier for name, value in said.told}
        judged = self.scope.judge(query)
        # A follow-up to a plan has the plan's request in it: only its own words can ask for another.
        wants_plan = judged.plan and (query == question or self.scope.judge(question).plan)
        if self.persona.needs and (planned := self._planned(question, query, wants_plan, known, earlier)):
            return planned
        facts = tuple(known.items())
        if not judged.inside:
            lines = self.persona.declines or DECLINES
            line = self._one_of(lines, question, earlier, seed, "declined")
            reply = Answer(question, "abstained", reason=OUT_OF_SCOPE, said=line)
            return Understood(question, query, "declined", (), facts, reply=reply)
        return Understood(question, query, "answer", (), facts)

    def _told_before(self, question: str, earlier: Sequence[Said]) -> Understood | None:
        """A question for what the user told: "what's my FTP?", "what did I tell you so far?"."""
        known = {name: value for said in earlier for name, value in said.told}
        asked = _MINE.fullmatch(question.strip())
        if not known or not (asked or (_TOLD.search(question) and len(question.split()) <= SHORT + 4)):
            return None
        needs = [need for need in self.persona.needs if need.name in known]
        named = [n for n in needs if any(each.lower() in question.lower() for each in (n.name, *n.names))]
        if not named and asked:
            return None
        values = {need.name: known[need.name] for need in named or needs}
        reply = Answer(question, "answered", said=f"You told me: {_listed(self.persona.needs, values)}.")
        return Understood(question, question, "noted", (), tuple(known.items()), reply=reply)

    def _day_of_plan(self, question: str, earlier: Sequence[Said]) -> Understood | None:
        """A question for days of the plan that was given last, and for nothing else."""
        plan = next((said for said in reversed(earlier) if said.kind == "plan"), None)
        days = asked_days(question) if plan else ()
        if plan is None or not days:
            return None
        known = {name: value for said in earlier for name, value in said.told}
        query = f"{plan.leant_on}: {and_list(list(days))}"
        return Understood(question, query, "answer", (), tuple(known.items()), plan=plan.alone, days=days)

    def _leaning_on(self, question: str, earlier: Sequence[Said]) -> Said | None:
        """The exchange that a follow-up leans on: the last; but what may be the persona's own ("and on Thursday?")
        passes over those that were turned down."""
        spoken = [said for said in earlier if said.kind in SPOKEN_OF]
        if spoken and spoken[-1].kind == "declined" and self.scope.judge(question).score >= OWN_FROM:
            spoken = [said for said in spoken if said.kind != "declined"]
        return spoken[-1] if spoken else None

    def _planned(
        self, question: str, query: str, wants_plan: bool, known: dict[str, str], earlier: Sequence[Said]
    ) -> Understood | None:
        """What comes of a message that asks for a plan, or tells what one needs; None for any other."""
        needs = self.persona.needs
        recent = list(earlier)[-PENDING:]
        at_asks = max((at for at, said in enumerate(recent) if said.kind == "asks"), default=-1)
        pending = at_asks > max((at for at, said in enumerate(recent) if said.kind == "plan"), default=-1)
        questioning = asks(question) and not corrects(question)
        short = len(question.split()) <= SHORT
        last = earlier[-1].kind if earlier else None
        changes = bool(known) and short and (last in ("plan", "noted") or corrects(question))
        planning = wants_plan or (pending and not questioning) or changes
        awaited = [need.name for need in missing(needs, known)] if pending and not questioning else []
        now = told(needs, question, planning, awaited)
        if changes and not (wants_plan or pending):  # another goal isn't set by a word in passing
            now = replace(now, values={n: v for n, v in now.values.items() if n in known or v[:1].isdigit()})
        given = tuple(now.values.items())
        whole = {**known, **now.values}
        open_ones = [need for need in needs if need.name not in whole or need.name in now.wrong]
        planned_before = any(said.kind == "plan" for said in earlier)
        wordless = pending and not re.search(r"[^\W\d_]", question)  # numbers that aren't understood
        if wants_plan or wordless or ((changes or (pending and not questioning)) and (given or now.wrong)):
            if open_ones:
                return self._asks(question, now, whole, open_ones)
            if wants_plan or pending or planned_before:
                return self._plan(question, given, whole)
        if now.wrong and not questioning:  # told in passing, and it can't be right
            return self._asks(question, now, whole, [need for need in needs if need.name in now.wrong])
        if given and not questioning:
            said = f"Noted: {_listed(needs, now.values)}."
            reply = Answer(question, "answered", said=said)
            return Understood(question, question, "noted", given, tuple(whole.items()), reply=reply)
        if given:  # a question that tells something too: "My FTP is 240 watts. What is zone 2?"
            judged = self.scope.judge(query)
            return Understood(question, query, "answer", given, tuple(whole.items())) if judged.inside else None
        return None

    def _asks(self, question: str, now: Told, whole: dict[str, str], open_ones: Sequence["Need"]) -> Understood:
        """What asks for the needs that are open; `now` was told with the question, `whole` is all that is known."""
        said = _asking(self.persona.needs, now.values, now.wrong, open_ones)
        reason = f"asks for {and_list([need.name for need in open_ones])}"
        reply = Answer(question, "abstained", reason=reason, said=said)
        given = tuple(now.values.items())
        return Understood(question, question, "asks", given, tuple(whole.items()), reply=reply)

    def _plan(self, question: str, given: tuple[tuple[str, str], ...], whole: dict[str, str]) -> Understood:
        needs = self.persona.needs
        searched = {n.name: looked_up(n, whole[n.name]) for n in needs if n.choices or n.words}
        known = {name: value for name, value in searched.items() if value != NOT_KNOWN}
        query = ": ".join(part for part in (self.persona.plans[0].rstrip(".?! "), ", ".join(known.values())) if part)
        other = [value for name, value in known.items() if value != whole[name].lower() and value != whole[name]]
        said = f"For {_listed(needs, whole)}"
        said += f" (the nearest that my documents have: {and_list(other)}):" if other else ":"
        return Understood(question, query, "plan", given, tuple(whole.items()), tuple(known.items()), said)

    def _small_talk(self, question: str, talk: str, earlier: Sequence[Said], seed: str) -> Understood:
        if talk == "goodbye":
            line = GOODBYE
        else:
            lines = self.persona.greetings or GREETINGS if talk == "greeting" else THANKS
            line = self._one_of(lines, question, earlier, seed, "small talk")
        return Understood(question, question, "small talk", reply=Answer(question, "answered", said=line))

    def _one_of(self, lines: Sequence[str], question: str, earlier: Sequence[Said], seed: str, kind: Kind) -> str:
        """One of `lines`, the same each time it is asked at this place of this conversation, and not the last again."""
        before = [said.answer for said in earlier if said.kind == kind and said.answer in lines]
        fresh = [line for line in dict.fromkeys(lines) if line not in before[-1:]] or list(lines)
        unused = [line for line in fresh if line not in before[-(len(lines) - 1) :]] if len(lines) > 1 else fresh
        seed = seed or (earlier[0].question if earlier else question)
        digest = hashlib.sha256(f"{seed}\0{len(earlier)}".encode("utf-8", "replace")).digest()
        return random.Random(digest).choice(unused or fresh)


def as_turns(recalled: Recalled) -> list[tuple[str, str]]:
    """What is remembered as (question, answer) pairs, the summary of the older ones first."""
    turns = [(said.alone, said.answer) for said in recalled.turns]
    return [(recalled.summary, REMEMBERED), *turns] if recalled.summary else turns


def _asking(needs: Sequence["Need"], values: dict[str, str], wrong: dict[str, str], open_ones: Sequence["Need"]) -> str:
    """What asks for the needs that are open, in the persona's words, and says why a value wasn't taken."""
    parts = [f"Noted: {_listed(needs, values)}."] if values else []
    for need in needs:
        if need.name in wrong:
            bounds = f"{shown(need, need.least).split()[0]} to {shown(need, need.most)}"
            parts.append(f"{need.name}: {wrong[need.name]} can't be right, I take {bounds}.")
    return " ".join([*parts, f"Before I plan, tell me {and_list([need.ask for need in open_ones])}."])


def _listed(needs: Sequence["Need"], values: dict[str, str]) -> str:
    """ "gran fondo, 12 weeks, FTP 240 watts"."""
    said = []
    for need in needs:
        if need.name in values:
            value = values[need.name]
            unit = next(iter(need.units), "")
            named = need.words or need.name.lower() in (unit, value.lower()) or unit.startswith(need.name.lower())
            said.append(value if named and value != NOT_KNOWN else f"{need.name} {value}")
    return ", ".join(said)
