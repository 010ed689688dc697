"""What `shawgpt export-dataset` and `check-dataset` print for people."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from bot.show import out, some
from bot.show_training import tell_refused
from data.hidden import show_hidden

if TYPE_CHECKING:
    from bot.datasets import CheckedDataset, ExportedDataset
    from finetune.openai_rules import CheckedFile
    from finetune.openai_tokens import Cost

NAMED = 20  # problems of a file that are told; the rest is a number


def show_exported_dataset(exported: "ExportedDataset") -> None:
    """Where it is, how much of it, what was left out, what OpenAI says to it, and what it would cost."""
    who = f" of {exported.persona}" if exported.persona else ""
    _line(f"{exported.folder}: {exported.format}{who}, as {exported.form}", "bold")
    for side in exported.sides:
        tokens = f"{side.tokens:,} of Mistral's tokens, of which {side.learned:,} are learned"
        _line(f"  {side.file}: {some(side.examples, 'example')}, {tokens}")
    tell_refused([*exported.refused, *exported.repeats])
    _checked(exported.checked)
    _cost(exported.cost, exported.counted, exported.form == "openai")


def show_checked_dataset(checked: "CheckedDataset") -> None:
    """What is wrong with the files, and what training on them would cost."""
    for file in checked.files:
        about = f" with about {sum(file.tokens):,} tokens, the longest {max(file.tokens):,}" if file.tokens else ""
        _line(f"{file.path}: {some(file.examples, 'example')}{about}", "bold")
    _checked(checked.files)
    if checked.cost:
        _cost(checked.cost, checked.counted, True)


def _checked(files: "Sequence[CheckedFile]") -> None:
    for file in files:
        _line(
            f"  {file.path.name}: {'OpenAI would refuse it' if file.refused else 'it is as OpenAI asks for it'}",
            "bold red" if file.refused else "green",
        )
        for problem in file.problems[:NAMED]:
            where = f"line {problem.line}: " if problem.line else ""
            _line(f"    {where}{problem.what} ({problem.rule})", "red" if problem.refused else "yellow")
        if len(file.problems) > NAMED:
            _line(f"    and {len(file.problems) - NAMED} more (--json names all)", "yellow")


def _cost(cost: "Cost", counted: str, openai: bool) -> None:
    whose = " (OpenAI's default)" if cost.usual and openai else ""
    dollars = "" if cost.dollars is None else f": ${cost.dollars:,.2f} at ${cost.price:g} a million"
    times = f"{cost.tokens:,} tokens × {some(cost.epochs, 'epoch')}{whose}"
    _line(f"  to train on: {times} = {cost.trained:,} tokens{dollars}")
    more = "; --price DOLLARS of a million tokens gives the cost" if cost.price is None else ""
    _line(f"  {counted}{more}", "dim")


def _line(text: str, style: str = "") -> None:
    out.print(Text(show_hidden(text), style=style), highlight=False)
