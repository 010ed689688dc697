"""A question within a conversation: what it means there, and what is answered without looking anything up."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bot.drafts import Answer, Kind
from bot.follow_up import standalone
from bot.memory import Recalled, Said, recall

if TYPE_CHECKING:
    from data.persona import Persona
    from rag.retriever import Encoder

LOOKED_BACK = 200  # exchanges of a conversation that are read again, the newest
SPOKEN_OF = frozenset[Kind | None](["answer", "plan", "declined", None])  # what a follow-up may lean on


@dataclass(frozen=True)
class Understood:
    """What a question means in its conversation."""

    question: str  # as it was asked
    query: str  # as it is understood alone
    kind: Kind = "answer"
    told: tuple[tuple[str, str], ...] = ()  # with this question, of what the persona needs
    known: tuple[tuple[str, str], ...] = ()  # in the whole conversation
    reply: Answer | None = None  # where nothing needs to be looked up

    def finished(self, answer: Answer) -> Answer:
        """`answer`, which was given to the query, as the answer to the question."""
        query = self.query if self.query != self.question else ""
        return replace(answer, question=self.question, query=query, kind=self.kind, told=self.told)


class Conversation:
    """Understands the questions that are put to one persona."""

    def __init__(self, persona: "Persona", embedder: "Encoder") -> None:
        self.persona, self.embedder = persona, embedder

    def understand(self, question: str, earlier: Sequence[Said], seed: str = "") -> Understood:
        """What `question` means after what was said `earlier`, oldest first.

        `seed` is what makes two conversations differ where the persona has several ways to say a thing.
        """
        earlier = earlier[-LOOKED_BACK:]
        before = next((said for said in reversed(earlier) if said.kind in SPOKEN_OF), None)
        query = standalone(question, before.alone, before.subject) if before else question
        return Understood(question, query)

    def remembered(self, earlier: Iterable[Said], count: Callable[[str], int]) -> Recalled:
        """What a language model is told of what was said earlier; `count` says how many tokens a text has."""
        return recall([said for said in earlier if said.answer], self.persona.memory.tokens, count)


def as_turns(recalled: Recalled) -> list[tuple[str, str]]:
    """What is remembered as (question, answer) pairs, the summary of the older ones first."""
    turns = [(said.alone, said.answer) for said in recalled.turns]
    return [(recalled.summary, REMEMBERED), *turns] if recalled.summary else turns


REMEMBERED = "I remember."
