"""How many false sentences pass for founded, and how many true ones do: bot.grounding.

    python -m benchmarks.grounding [--data FOLDER]    # FOLDER/retrieval/squad_xquad_en/docs.jsonl

The pairs of grounding_pairs.csv were written before the code they measure; which mistakes of the blind half were seen
stands in docs/grounding.md. With --data sentences of encyclopaedia
articles are measured as they stand and with one thing changed. Writes benchmarks/results/grounding.md.
"""

import argparse
import csv
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from benchmarks.machine import described
from bot.grounding import ground
from data.embedding import load_embedder
from data.models import Passage
from data.sentences import sentences

HERE = Path(__file__).parent
TRUE = ("verbatim", "paraphrase", "as it stands")
OTHER = {
    "more": "less", "less": "more", "most": "all", "some": "all", "many": "all", "first": "last", "before": "after",
    "after": "before", "higher": "lower", "lower": "higher", "large": "small", "can": "must", "may": "will",
    "often": "always", "usually": "never", "old": "new", "new": "old", "with": "without", "or": "and",
}  # fmt: skip
_OTHER = re.compile(rf"\b(?:{'|'.join(OTHER)})\b")
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]{3,}")
_FIGURE = re.compile(r"\d+(?![\d.,]*\d)")
_VERB = re.compile(r"\b(?:is|are|was|were|has|had|can|will)\b(?! not)")


def main(data: Path | None) -> None:
    cases = [("written, " + half, kind, text, said) for half, kind, text, said in _pairs()]
    if data:
        lines = (data / "retrieval/squad_xquad_en/docs.jsonl").read_text(encoding="utf-8").splitlines()
        texts = [json.loads(line)["text"] for line in lines]
        cases += [("articles", kind, text, said) for text in texts for kind, said in _changed(text)]
    embedder = load_embedder()
    counted, passed = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for group, kind, text, said in cases:
        passage = Passage(1, 0.9, "guide.md", "Guide", None, None, "Notes", "c1", text)
        counted[group, kind] += 1
        passed[group, kind] += not ground(said, [passage], "Can you help me with this?", embedder).unfounded
    rows = [
        f"| {group} | {kind} | {'founded' if kind in TRUE else 'told'} | {count} | {passed[group, kind]} |"
        for (group, kind), count in counted.items()
    ]
    table = ["| sentences | kind | should be | how many | pass |", "| --- | --- | --- | ---: | ---: |", *rows]
    report = "\n".join(["# Grounding", "", "Made by `benchmarks/grounding.py`.", "", described(), "", *table, ""])
    (HERE / "results/grounding.md").write_text(report, encoding="utf-8")
    print(report)


def _pairs() -> Iterator[tuple[str, str, str, str]]:
    """(half, kind, text of the passage, sentence) of the written pairs."""
    with open(HERE / "grounding_pairs.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    texts = {row["passage"]: row["text"] for row in rows if row["kind"] == "passage"}
    for row in rows:
        if row["half"]:
            yield row["half"], row["kind"], texts[row["passage"]], row["text"]


def _changed(text: str) -> Iterator[tuple[str, str]]:
    """(what was changed, sentence) of the first sentences of `text`."""
    names = sorted(set(_NAME.findall(text)))
    for start, end in sentences(text)[:6]:
        said = text[start:end]
        if said.endswith("?") or len(said.split()) < 4:
            continue
        yield "as it stands", said
        own = list(dict.fromkeys(_NAME.findall(said)))
        others = [name for name in names if name not in said]
        if figure := _FIGURE.search(said):
            yield "another figure", said[: figure.start()] + str(int(figure[0]) + 1) + said[figure.end() :]
        if own and others:
            yield "another name", said.replace(own[0], others[0])
        if len(own) > 1:
            exchange = {own[0]: own[1], own[1]: own[0]}
            yield "two names exchanged", re.sub("|".join(own[:2]), lambda found, to=exchange: to[found[0]], said)  # type: ignore[misc]
        if verb := _VERB.search(said):
            yield "denied", f"{said[: verb.end()]} not{said[verb.end() :]}"
        if word := _OTHER.search(said):
            yield "another word", said[: word.start()] + OTHER[word[0]] + said[word.end() :]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    main(parser.parse_args().data)
