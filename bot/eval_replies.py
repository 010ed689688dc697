"""How an adapter replies, beside its base alone and style memory, to comments that none of them has learned from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.adapters import PERSONAL, check_persona
from bot.eval_folder import check_writable, unwritable
from bot.eval_pairs import Pair, Pairs, as_pairs, choose_pairs
from data.csvio import Form, encode, encode_header
from data.errors import BadInput
from finetune.comparison import ADAPTER, BASE, CREATOR, STYLE, Compared, Scored, compare, verdict
from finetune.prompt import messages
from finetune.reply_measures import Training, body, log_length, signed_once, stops_in_place, words

if TYPE_CHECKING:
    from bot.local_model import LocalModel, Written
    from data.embedding import Embedder
    from data.persona import Persona
    from data.sampling import Sampling

Progress = Callable[[str, int, int], None]  # what is being done, how many of them are done, how many there are

FOLDER = "evaluation"  # below the adapter's, of all its held-out examples


@dataclass(frozen=True)
class Replied:
    """What a contestant wrote to each comment; None where it left it to the creator."""

    texts: tuple[str | None, ...]
    written: tuple["Written", ...] = ()  # of a model: how each reply ended
    losses: tuple[float, ...] = ()  # of a model: nats of each of the creator's replies, and its tokens
    tokens: tuple[int, ...] = ()


@dataclass(frozen=True)
class Evaluation:
    """Base, adapter and style memory compared."""

    adapter: str
    base: str
    persona: str
    pairs: Pairs
    replies: dict[str, tuple[str | None, ...]]  # by contestant, as they were written
    compared: tuple[Compared, ...]
    sampling: "Sampling"
    embedding: str  # the model behind the distance in meaning
    folder: Path | None = None  # where it was written

    @property
    def verdict(self) -> str:
        """Where the adapter is better and where worse, in plain words."""
        return verdict(self.compared)

    def as_json(self) -> dict[str, Any]:
        """What `eval replies --json` prints and eval.json holds."""
        return {
            "adapter": self.adapter,
            "base": self.base,
            "persona": self.persona,
            "data": self.pairs.name or "held out",
            "pairs": len(self.pairs.pairs),
            "chose_weights": self.pairs.chose,
            "left_out": self.pairs.left_out,
            "sampling": self.sampling.model_dump(mode="json"),
            "embedding": self.embedding,
            "measures": [each.as_json() for each in self.compared],
            "verdict": self.verdict,
        }

    def summary(self) -> dict[str, Any]:
        """What the adapter's card keeps: each figure as [value, low, high]."""

        def short(found: Any) -> list[float | None] | None:
            return [x if x is None else round(x, 4) for x in (found.value, found.low, found.high)] if found else None

        return {
            "pairs": len(self.pairs.pairs),
            "max_tokens": self.sampling.max_tokens,
            "measures": {
                each.measure.name: {name: short(found) for name, found in each.figures.items() if found}
                for each in self.compared
            },
            "verdict": self.verdict,
        }


def evaluate_adapter(
    name: str,
    home: Path,
    file: Path | None = None,
    model: str | None = None,
    limit: int | None = None,
    out: Path | None = None,
    progress: Progress = lambda what, done, of: None,
) -> Evaluation:
    """Evaluate the adapter `name` of the work folder, and write replies.csv, eval.json and eval.png.

    On the pairs of `file`, else on the adapter's own held-out examples (the first `limit`); over its own base, or the
    copy of it in the folder `model`. They are written to `out`, or into the adapter's folder: to evaluation/, of a file
    to evaluation-<its name>/, of the first N to evaluation-first-N/. Its card keeps a summary where the held-out
    examples were used whole. The replies are the likeliest, so that the same call gives the same figures.
    Raises ShawGPTError.
    """
    from data.embedding import load_embedder
    from data.persona import load_persona
    from finetune.card import read_card, write_card
    from finetune.record import read_examples_record

    folder = home / "adapters" / name
    card = read_card(folder)
    if card.recipe["format"] not in PERSONAL:
        raise BadInput(
            f"{name} has learned {card.recipe['format']}, and no replies to comments, which are compared here"
        )
    who = load_persona(card.recipe["persona"], home)
    check_persona(card, name, who)
    train, held_out = (as_pairs(side, who.signature) for side in read_examples_record(folder))
    chosen = choose_pairs(train, held_out, who, file, limit)
    out = out or folder / "-".join([
        FOLDER, *([file.stem] if file else []), *([f"first-{limit}"] if limit and not chosen.whole else []),
    ])  # fmt: skip
    check_writable(out)
    progress(f"loading {model or card.base}", 0, 0)
    from bot.local_model import LocalModel  # torch and transformers: seconds

    local = LocalModel(model or card.base, None if model else card.base_revision)
    card = local.add_adapter(name, folder)
    evaluation = evaluate(local, name, chosen, train, who, load_embedder(), progress)
    evaluation = replace(evaluation, folder=out)
    write_evaluation(evaluation)
    if chosen.whole:
        write_card(folder, card.model_copy(update={"evaluation": evaluation.summary()}))
    return evaluation


def evaluate(
    model: "LocalModel",
    adapter: str,
    pairs: Pairs,
    train: Sequence[Pair],
    persona: "Persona",
    embedder: "Embedder",
    progress: Progress = lambda what, done, of: None,
) -> Evaluation:
    """Let base, adapter and style memory reply to the comments of `pairs`, and compare."""
    sampling = persona.sampling.model_copy(update={"temperature": 0.0})
    replied = {
        name: _ask_model(model, used, pairs.pairs, persona, sampling, name, progress)
        for name, used in ((BASE, None), (ADAPTER, adapter))
    }
    replied[STYLE] = Replied(_ask_style(pairs.pairs, train, persona, embedder, progress))
    rows = _score(replied, pairs.pairs, train, persona.signature, model, embedder, progress)
    return Evaluation(
        adapter, model.name, persona.name, pairs, {name: each.texts for name, each in replied.items()}, compare(rows),
        sampling, embedder.name,
    )  # fmt: skip


def write_evaluation(evaluation: Evaluation) -> None:
    """Write replies.csv (cells that no spreadsheet runs), eval.json and eval.png into the evaluation's folder."""
    import json

    from bot.show_eval import draw

    folder = evaluation.folder
    assert folder is not None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        columns = ("comment", CREATOR, BASE, ADAPTER, STYLE)
        lines = [encode_header(columns, Form())]
        for at, pair in enumerate(evaluation.pairs.pairs):
            replies = [evaluation.replies[name][at] or "" for name in (BASE, ADAPTER, STYLE)]
            lines.append(encode([pair.comment, pair.reply, *replies]))
        (folder / "replies.csv").write_bytes(b"".join(lines))
        shown = json.dumps(evaluation.as_json(), indent=1, ensure_ascii=False)
        (folder / "eval.json").write_text(shown + "\n", encoding="utf-8")
        draw(evaluation, folder / "eval.png")
    except OSError as error:
        raise BadInput(unwritable(folder, error)) from error


def _ask_model(
    model: "LocalModel", adapter: str | None, pairs: Sequence[Pair], persona: "Persona", sampling: "Sampling",
    name: str, progress: Progress,
) -> Replied:  # fmt: skip
    """The model's replies, and its loss on the creator's: both behind the very prompt that is served."""
    prompts = [model.prompt_ids(messages(persona, pair.comment)) for pair in pairs]
    written: dict[int, Written] = {}
    for number, each in model.write(prompts, sampling, adapter):
        written[number] = each
        progress(f"the {name} replies", len(written), len(pairs))
    in_order = tuple(written[number] for number in range(len(pairs)))
    signed = [f"{pair.reply} {persona.signature}".strip() for pair in pairs]
    replies = [[*model.tokens.encode(model.tokens.joint + reply), model.tokens.eos] for reply in signed]
    losses: list[float] = []
    for loss in model.losses(prompts, replies, adapter):
        losses.append(loss)
        progress(f"the {name} reads the creator's replies", len(losses), len(pairs))
    return Replied(tuple(each.text for each in in_order), in_order, tuple(losses), tuple(map(len, replies)))


def _ask_style(
    pairs: Sequence[Pair], train: Sequence[Pair], persona: "Persona", embedder: "Embedder", progress: Progress
) -> tuple[str | None, ...]:
    """What style memory says that holds the training replies alone, without documents."""
    from bot.drafts import Draft, Request
    from bot.extractive import ExtractiveResponder
    from bot.intent import IntentClassifier
    from bot.reply import RECENT
    from data.style_memory import PastReply

    intents = IntentClassifier(embedder, persona.examples)
    past = [PastReply(pair.origin, pair.comment, pair.reply) for pair in train]
    responder = ExtractiveResponder(persona, past, embedder, intents)
    replies: list[str] = []
    for done, pair in enumerate(pairs, 1):
        recent = tuple(reply for reply in replies[-RECENT:] if reply)
        draft = list(responder.stream(Request(pair.comment, intents.classify(pair.comment), (), recent)))[-1]
        assert isinstance(draft, Draft)
        replies.append(draft.reply)
        progress("style memory replies", done, len(pairs))
    return tuple(reply or None for reply in replies)


def _score(
    replied: dict[str, Replied], pairs: Sequence[Pair], train: Sequence[Pair], signature: str, model: "LocalModel",
    embedder: "Embedder", progress: Progress,
) -> dict[str, list[Scored | None]]:  # fmt: skip
    """Every contestant's replies measured, and the creator's own, whose words and copies are there to compare with."""
    training = Training([pair.reply for pair in train])

    def read(said: str) -> Scored:
        return Scored(
            words(said), training.repeats(words(said)), training.longest(words(said)), training.leaks(words(said))
        )

    def score(at: int, by: Replied) -> Scored | None:
        text = by.texts[at]
        if text is None:
            return None
        said, own = body(text, signature), pairs[at].reply
        found = replace(read(said), signed=signed_once(text, signature) if signature else None)
        found = replace(found, length=log_length(said, own), distance=_distance(vectors, said, own))
        if not by.written:
            return found
        return replace(
            found,
            stops=stops_in_place(text, by.written[at].ended, signature, count_tokens),
            ran_on=by.written[at].ended == "length",
            loss=by.losses[at],
            tokens=by.tokens[at],
        )

    def count_tokens(text: str) -> int:
        return len(model.tokens.encode(text)) if text else 0

    own = [pair.reply for pair in pairs]
    said = [body(text, signature) for each in replied.values() for text in each.texts if text is not None]
    texts = sorted({*own, *said} - {""})
    progress("embedding the replies", 0, len(texts))
    encoded = embedder.encode(texts, lambda done: progress("embedding the replies", done, len(texts)))
    vectors = dict(zip(texts, encoded, strict=True))
    rows = {name: [score(at, each) for at in range(len(pairs))] for name, each in replied.items()}
    return {**rows, CREATOR: [read(text) for text in own]}


def _distance(vectors: dict[str, Any], said: str, own: str) -> float:
    """1 - cosine, from 0 (alike) to 2; 1, as of things that have nothing in common, where nothing was said."""
    return 1.0 if not said else max(0.0, 1 - float(vectors[said] @ vectors[own]))
