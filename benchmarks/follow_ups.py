"""How well a follow-up is understood: what search finds for it as it is, rewritten, and as a person says it alone.

    python -m benchmarks.follow_ups [--out benchmarks/results/follow_ups.md]

`follow_ups.csv` has a question, a follow-up to it (or a change of topic), the same said alone, and the document and
heading of data/sample/vito that answer it. The rewriting was made on its `dev` part; the `blind` part was written
before, and looked at only as a whole.
"""

import argparse
import csv
import tempfile
import time
from pathlib import Path

from benchmarks.machine import described
from bot.assistant import Assistant
from bot.follow_up import standalone

HERE = Path(__file__).parent
SAMPLE = HERE.parent / "data" / "sample" / "vito"


def place(assistant: Assistant, query: str, row: dict[str, str], k: int = 5) -> int:
    """The rank at which search has the passage that answers, 0 where it isn't among the first `k`."""
    for rank, passage in enumerate(assistant.search(query, k).passages, 1):
        if (
            Path(passage.source).stem == row["document"]
            and row["heading"].lower() in f"{passage.heading} {passage.text}".lower()
        ):
            return rank
    return 0


def main() -> None:
    """Measure, print and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="write the report here (Markdown)")
    parser.add_argument("--show", choices=["dev", "blind"], help="print what is rewritten and where it is found")
    given = parser.parse_args()
    with (HERE / "follow_ups.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    lines = ["# Follow-ups", "", "Made by `benchmarks/follow_ups.py`.", "", described("onnxruntime"), ""]
    with tempfile.TemporaryDirectory() as home, Assistant(Path(home), "benchmark", writing=True) as assistant:
        assistant.ingest([str(SAMPLE)], "cycling")
        assistant.use("vito")
        for name in ("dev", "blind"):
            for kind in ("follow-up", "change"):
                of = [row for row in rows if (row["set"], row["kind"]) == (name, kind)]
                start = time.perf_counter()
                made = [standalone(row["question"], row["before"]) for row in of]
                each = (time.perf_counter() - start) / len(of)
                ways = {
                    "as it is": [r["question"] for r in of],
                    "rewritten": made,
                    "said alone": [r["alone"] for r in of],
                }
                lines += [
                    f"## {name}, {len(of)} {kind}s",
                    "",
                    "| searched with | hit@1 | hit@3 |",
                    "| --- | ---: | ---: |",
                ]
                for way, queries in ways.items():
                    places = [place(assistant, query, row) for query, row in zip(queries, of, strict=True)]
                    first, third = (sum(0 < at <= n for at in places) / len(of) for n in (1, 3))
                    lines.append(f"| {way} | {first:.2f} | {third:.2f} |")
                    if way == "rewritten" and given.show == name:
                        print(
                            *(f"{at} {r['question']} → {q}" for at, q, r in zip(places, queries, of, strict=True)),
                            sep="\n",
                        )
                kept = sum(
                    _bare(query) in (_bare(row["alone"]), _bare(row["question"]))
                    for query, row in zip(made, of, strict=True)
                )
                if kind == "change":
                    lines += ["", f"{kept} of {len(of)} changes of topic are left alone."]
                lines += ["", f"Rewriting takes {each * 1e3:.2f} ms.", ""]
    report = "\n".join(lines).rstrip() + "\n"
    print(report)
    if given.out:
        given.out.write_text(report, encoding="utf-8")


def _bare(text: str) -> str:
    return "".join(c for c in text.lower() if c.isalnum())


if __name__ == "__main__":
    main()
