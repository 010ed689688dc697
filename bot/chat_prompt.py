"""What a chat model is shown for a comment or a question: the one renderer's conversation, as much of it as fits."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from bot.drafts import Request
from bot.extractive import SUBJECT_FROM
from data.models import Passage
from finetune.prompt import Message, messages

if TYPE_CHECKING:
    from bot.past_replies import PastReplies
    from data.persona import Persona

GIVEN = 4  # passages in a prompt: some 1,000 tokens

Fits = Callable[[Sequence[Message]], bool]  # whether a model can read a conversation and answer


class ChatPrompt:
    """Makes the conversations that a responder's model answers, and that the playground shows."""

    def __init__(self, persona: "Persona", past: "PastReplies | None", fits: Fits = lambda turns: True) -> None:
        """`past` replies are shown as examples; None where an adapter has learned from them."""
        self.persona, self._past, self._fits = persona, past, fits

    def of_comment(self, request: Request) -> list[Message]:
        """The conversation that asks for a reply. Empty where not even the comment alone fits."""
        examples = self._past.examples(request.comment) if self._past else []
        return self._fitting(request.comment, useful(request), examples)

    def of_question(
        self, question: str, passages: Sequence[Passage], earlier: Sequence[tuple[str, str]] = ()
    ) -> list[Message]:
        """The conversation that asks for an answer from `passages`, best first. Empty as above.

        `earlier` are the questions and answers before it, oldest first, which are left out first where not all fit.
        """
        return self._fitting(question, passages[:GIVEN], earlier)

    def _fitting(self, comment: str, passages: Sequence[Passage], examples: Sequence[tuple[str, str]]) -> list[Message]:
        """The conversation with as many of the passages, best first, and of the examples, nearest last, as fit."""
        while True:
            turns = messages(self.persona, comment, passages, examples)
            if self._fits(turns):
                return turns
            if not (passages or examples):
                return []
            if len(passages) > 1 or not examples:
                passages = passages[:-1]
            else:
                examples = examples[1:]


def useful(request: Request) -> tuple[Passage, ...]:
    """The passages that may have the comment's subject."""
    best = max(request.found, key=lambda found: found.confidence, default=None)
    return best.passages[:GIVEN] if best and best.confidence >= SUBJECT_FROM else ()
