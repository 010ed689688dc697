"""How close chosen replies come to what the creator really wrote: leave-one-out over the thanks of real pairs.

    python -m benchmarks.style --data FOLDER    # FOLDER/shaw/YT-comments.csv

Closeness is the cosine of the embeddings of the chosen and the true reply. Rivals: always "Glad it was helpful!", and
the reply to the past comment that is nearest by topic. Writes benchmarks/results/style.md.
"""

import argparse
import csv
from pathlib import Path

import numpy as np

from benchmarks.machine import described
from bot.intent import IntentClassifier
from bot.style import Style
from data.embedding import load_embedder
from data.persona import load_persona
from data.style_memory import PastReply

HERE = Path(__file__).parent
CONSTANT = "Glad it was helpful!"


def main(data: Path) -> None:
    with open(data / "shaw/YT-comments.csv", encoding="utf-8-sig", newline="") as file:
        pairs = [PastReply(str(n), row["Comment"], row["Response"]) for n, row in enumerate(csv.DictReader(file))]
    with open(HERE / "intent_labels_shaw.csv", encoding="utf-8", newline="") as file:
        labels = {int(row["row"]): row["intent"] for row in csv.DictReader(file)}
    persona = load_persona("shawgpt")
    embedder = load_embedder()
    classifier = IntentClassifier(embedder, persona.examples)
    comments = embedder.encode([pair.comment for pair in pairs])
    replies = embedder.encode([pair.reply for pair in pairs])
    constant = embedder.encode([CONSTANT])[0]

    def beats(texts: list[str], number: int) -> float:
        """How much of `texts` comes closer to the true reply than the constant; as close counts half."""
        margins = embedder.encode(texts) @ replies[number] - float(constant @ replies[number])
        return float(np.mean((margins > 1e-4) + 0.5 * (abs(margins) <= 1e-4)))

    said: list[str] = []
    stream, drawn, topic = [], [], []
    for number, pair in enumerate(pairs):
        if labels[number] != "thanks":
            continue
        others = pairs[:number] + pairs[number + 1 :]
        style = Style(others, classifier, persona.replies, persona.signature)
        chosen = style.choose("thanks", pair.comment, said)
        said.append(chosen)
        stream.append(beats([chosen], number))
        drawn.append(beats(style.near("thanks", pair.comment), number))
        near = comments @ comments[number]
        near[number] = -1
        topic.append(beats([pairs[int(near.argmax())].reply], number))
        print(f"{number}: {pair.comment[:80]!r} -> {chosen!r}")
    gaps = [later - n for n, text in enumerate(said) for later in range(n + 1, len(said)) if said[later] == text]
    lines = [
        "# Choosing from style memory",
        "",
        f"Made by `benchmarks/style.py`: {len(said)} thanks among {len(pairs)} real pairs, each left out in turn.",
        "",
        described("onnxruntime", "numpy"),
        "",
        f'Closer to the true reply than "{CONSTANT}" (a tie counts half):',
        "",
        "| reply | share |",
        "| --- | ---: |",
        f"| chosen, the comments as they come (no repeats within five) | {np.mean(stream):.2f} |",
        f"| chosen, each comment by itself, mean over the equally good | {np.mean(drawn):.2f} |",
        f"| to the past comment nearest by topic | {np.mean(topic):.2f} |",
        "",
        f"{len(set(said))} different replies to {len(said)} comments"
        + (f"; the same one again after {min(gaps)} at the soonest." if gaps else "."),
        f"With {len(said)} comments a share is sure to about ±{0.5 / len(said) ** 0.5:.2f} (one standard error).",
        "",
    ]
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results/style.md").write_text("\n".join(lines))
    print("\n".join(lines))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    main(parser.parse_args().data)
