"""QLoRA of Mistral-7B's architecture on a GPU, with random weights: memory, speed, and how fast the result writes.

python -m benchmarks.gpu_qlora [--quick] [--data REPLIES.csv] [--out FILE]

Ends within ten minutes: each part is a process of its own that is stopped when its time is up, and what that left out
is named. Without a GPU the same runs on a small model, in under two minutes: it shows that the script works, no more.
"""

import argparse
import contextlib
import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.machine import described

SAMPLE = Path(__file__).parents[1] / "data" / "sample" / "past_replies.csv"
ENDS = {"training": 270, "whole": 345, "writing": 440, "compiled": 580}  # seconds since the start, on a GPU
TO_BE_MEASURED = (
    "**The GPU figures are still to be measured**, by `python -m benchmarks.gpu_qlora --data REPLIES.csv --out "
    "benchmarks/results/gpu_qlora.md` on a machine with an H200. No GPU could be had: below is the same script on a "
    "model of 4.2 million parameters on a processor, which shows that it runs. None of its figures says anything of "
    "Mistral-7B; the limits are what a GPU's will be held against."
)
COLUMNS = ("what", "peak GB", "estimated GB", "tokens/s", "seconds", "limit")
# Where a row is held against something: by the beginning of its name. Peaks in GB, rates in tokens a second.
LIMITS = {
    "r=8 q_proj, 4 × 512 tokens": "peak ≤ 5.5 GB (floor 5.2 with logits for all tokens); Unsloth 12.4, LitGPT 14.29",
    "r=16 all-linear, 4 × 512 tokens": "peak ≤ 6.2 GB (floor 5.7 likewise); Unsloth 12.4, LitGPT 14.29",
    "r=16 all-linear, batch 16, checkpointing, packed": "≥ 14,000 tokens/s",
    "r=16 all-linear, batch 32, checkpointing, packed": "≥ 14,000 tokens/s",
    "r=16 all-linear, batch 4, checkpointing, packed": "≥ 14,000 tokens/s",
    "r=16 all-linear, 59 pairs": "≤ 15 s of steps",
    "r=8 q_proj, 59 pairs": "≤ 15 s of steps",
    "bf16, batch 1": "≥ 230 tokens/s (338 is what memory allows)",
    "bf16, compiled, batch 1": "≥ 230 tokens/s (338 is what memory allows)",
}
NOTES = """\
Peak: `torch.cuda.max_memory_allocated` since the base lay on the GPU. The moments of a paged optimiser are not in it
(they are in the estimate), nor is what CUDA takes. Tokens/s: real ones, padding left out, the median of the steps.
Seconds: of the steps; in brackets of all of `finetune.training.train`, checkpoints and card included. Packed: also
where training would rather fill up (finetune/packing.py). Writing: greedy, behind 300 tokens, reading these taken off,
through `bot.local_model`; "compiled" as `shawgpt serve --compile` does it, the compiling taken off too. Unsloth's and
LitGPT's peaks are those they publish for QLoRA of Mistral-7B."""


def main() -> None:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the rows that have a limit, and few others")
    parser.add_argument("--data", type=Path, default=SAMPLE, help="comments and replies, for their lengths (CSV)")
    parser.add_argument("--out", type=Path, help="write the results there, as Markdown")
    parser.add_argument("--part", help=argparse.SUPPRESS)  # this process measures that part, and writes --rows
    parser.add_argument("--rows", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        measure(options)
        return
    import torch

    gpu, begun = torch.cuda.get_device_name() if torch.cuda.is_available() else "", time.monotonic()
    found = {}
    with TemporaryDirectory() as folder:
        for part, end in ENDS.items():
            found[part] = run(part, options, Path(folder), begun + end - time.monotonic())
    text = report(found, gpu)
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    show(found)
    print(f"\n{gpu or 'no GPU: a small model on the processor'}; {time.monotonic() - begun:.0f} s in all")


def run(part: str, options: argparse.Namespace, folder: Path, seconds: float) -> list[dict[str, Any]]:
    """The rows that a process measures in that time, and a last one that says what it left out."""
    rows = folder / f"{part}.jsonl"
    command = [sys.executable, "-m", "benchmarks.gpu_qlora", "--part", part, "--rows", str(rows)]
    command += ["--data", str(options.data), *(["--quick"] if options.quick else [])]
    trouble = ""
    try:
        if subprocess.run(command, timeout=max(seconds, 1), check=False).returncode:
            trouble = "failed: see its error above"
    except subprocess.TimeoutExpired:
        trouble = "skipped: the time was up"
    lines = rows.read_text(encoding="utf-8").splitlines() if rows.exists() else []
    with contextlib.suppress(ValueError):  # one that was being written
        return [*map(json.loads, lines), *([{"what": f"all else of “{part}”", "trouble": trouble}] if trouble else [])]
    return [*map(json.loads, lines[:-1]), {"what": f"all else of “{part}”", "trouble": trouble}]


def measure(options: argparse.Namespace) -> None:
    """Measure one part, a line of JSON for each row as it is found."""
    import warnings
    from logging import getLogger

    import torch

    getLogger("bitsandbytes").setLevel("ERROR")  # on some processors it misses an optional kernel from the hub, aloud
    from benchmarks.gpu_model import Setting, pairs
    from benchmarks.gpu_parts import PARTS

    warnings.simplefilter("ignore")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu":
        torch.set_num_threads(1)  # more would wait for each other where cores are busy
    setting = Setting(
        pairs(options.data)[: None if device == "cuda" else 32],
        device,
        options.quick or device == "cpu",
        options.rows.parent,
    )
    with options.rows.open("w", encoding="utf-8") as file:
        for row in PARTS[options.part](setting):
            file.write(json.dumps(row) + "\n")
            file.flush()
            print(f"{options.part}: {row['what']}", file=sys.stderr)


def cells(row: dict[str, Any]) -> list[str]:
    """A row as the columns show it."""
    if trouble := row.get("trouble"):
        return [row["what"], "", "", "", trouble, limit(row)]
    seconds = f"{row['steps_seconds']:.1f} ({row['seconds']:.1f})" if "seconds" in row else ""
    sizes = [f"{row[name] / 1e9:.2f}" if row.get(name) else "" for name in ("peak", "estimate")]
    return [row["what"], *sizes, f"{row['tokens_per_second']:,.0f}", seconds, limit(row)]


def limit(row: dict[str, Any]) -> str:
    """What the row is held against, or nothing."""
    return next((text for start, text in LIMITS.items() if row["what"].startswith(start)), "")


def show(found: dict[str, list[dict[str, Any]]]) -> None:
    """The rows as a table in the terminal."""
    table = Table(*COLUMNS)
    for part, rows in found.items():
        table.add_section()
        table.add_row(f"[bold]{part}[/]")
        for row in rows:
            table.add_row(*cells(row))
    Console().print(table)


def report(found: dict[str, list[dict[str, Any]]], gpu: str) -> str:
    """The results file."""
    head = described("torch", "transformers", "peft", "bitsandbytes", "accelerate")
    lines = ["# QLoRA on a GPU", ""]
    if not gpu:
        lines += [TO_BE_MEASURED, ""]
    lines += [f"{gpu or 'No GPU'}; {head}.", "", NOTES, ""]
    lines += ["| " + " | ".join(COLUMNS) + " |", "|" + " --- |" * len(COLUMNS)]
    for part, rows in found.items():
        lines.append(f"| **{part}** |" + " |" * (len(COLUMNS) - 1))
        lines += ["| " + " | ".join(cells(row)) + " |" for row in rows]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
