"""What `shawgpt train`, `adapters` and `export` print for people."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.text import Text

from bot.show import out, some, table_of
from data.hidden import show_hidden

if TYPE_CHECKING:
    from bot.adapters import Listed
    from finetune.dry_run import DryRun, Shown
    from finetune.estimate import Estimate
    from finetune.export import Exported
    from finetune.training import Trained

LEARNED, UNLEARNED = "bold green", "dim"
WIDEST = 40  # characters of the longest bar
NEAR = 24  # tokens of the prompt that are shown before a reply, of all examples but the first
NAMED = 10  # reasons of refused examples that are told; the rest is a number
FIRST = 3  # examples that are named of those refused for the same reason


def show_dry_run(run: "DryRun", note: str, processes: int = 1) -> None:
    """What a training would be. `note`: what to know about the tokenizer, or empty."""
    recipe = run.recipe
    out.print(f"[bold]{recipe.name}[/] on {recipe.base}: a dry run, nothing is trained\n", highlight=False)
    if note:
        _line(f"note: {note}\n", "yellow")
    out.print(Text.assemble("What the model sees, ", ("«and what it learns»", LEARNED), ", token by token"))
    for i, shown in enumerate(run.shown):
        _line(f"\n{shown.origin}", "bold")
        out.print(Padding(_tokens(shown, whole=i == 0), (0, 0, 0, 2), expand=False), highlight=False)
    _line("\nTokens of an example", "bold")
    most = max(bar.count for bar in run.histogram)
    width = len(str(run.histogram[-1].high))
    for bar in run.histogram:
        drawn = "█" * round(WIDEST * bar.count / most) or ("▏" if bar.count else "")
        _line(f"  {bar.low:>{width}}–{bar.high:<{width}} {drawn} {bar.count or ''}")
    _line(f"  shortest {run.shortest}, median {run.middle}, longest {run.longest}; the window is {recipe.max_tokens}")
    _line("")
    _facts(run, processes)
    if run.stops:
        _line(f"\nTraining would stop before its first step: {run.stops}", "bold red")


def tell_refused(refused: Sequence[tuple[str, str]]) -> None:
    """What isn't learned from, in the order of the file, a line each reason."""
    reasons: dict[str, list[str]] = {}
    for origin, reason in sorted(refused, key=lambda each: _place(each[0])):
        reasons.setdefault(reason, []).append(origin)
    for reason, origins in list(reasons.items())[:NAMED]:
        more = f" and {len(origins) - FIRST} more" if len(origins) > FIRST else ""
        _line(f"  refused, {', '.join(origins[:FIRST])}{more}: {reason}", "yellow")
    if left := sum(map(len, list(reasons.values())[NAMED:])):
        _line(f"  and {left} more refused (--json names all)", "yellow")


def show_trained(trained: "Trained") -> None:
    """Where the adapter is, and how it went."""
    card = trained.card
    if card.held_out_before is not None and card.held_out_after is not None:
        went = f"held-out loss {card.held_out_before:.3f} → {card.held_out_after:.3f}, "
    else:
        went = ""
    _line(f"{trained.folder}: {went}step {card.best_step} of {card.steps} kept")
    if not card.rows_held_out:
        _line(_unmeasured(card.recipe["held_out"]), "yellow")
    _line("  loss.png and history.jsonl show how it went; tensorboard/ too", UNLEARNED)


def show_adapters(listed: "Sequence[Listed]") -> None:
    """The adapters of a work folder."""
    if not listed:
        _line("No adapters yet: `shawgpt train RECIPE --data FILE` makes one.")
        return
    table = table_of("adapter", "base", "trained on", "held-out loss", "state")
    for each in listed:
        cells = [each.name, "", "", "", each.trouble or "ready"]
        if card := each.card:
            losses = [f"{loss:.3f}" for loss in (card.held_out_before, card.held_out_after) if loss is not None]
            cells[1:4] = [
                card.base,
                f"{some(card.rows, 'example')}, step {card.best_step} of {card.steps}",
                " → ".join(losses),
            ]
        table.add_row(*(Text(show_hidden(cell)) for cell in cells))
    out.print(table)


def _place(origin: str) -> list[int | str]:
    """What an origin is sorted by: row 4 before row 12."""
    return [int(part) if at % 2 else part for at, part in enumerate(re.split(r"(\d+)", origin))]


def _unmeasured(share: float) -> str:
    """What to know where nothing is held out, and what to do, by the recipe's share."""
    why = "give more examples that open differently" if share else "give `held_out` a share in the recipe"
    return f"  nothing is held out: the last step is kept, and no figure tells learning from learning by heart; {why}"


def _facts(run: "DryRun", processes: int) -> None:
    recipe = run.recipe
    _fact("examples", f"{run.trained_on} to train on, {run.held_out} held out")
    if not run.held_out:
        _line(_unmeasured(recipe.held_out), "yellow")
    _fact(
        "learned", f"{run.learned:,} of {run.tokens:,} tokens ({run.learned / run.tokens:.1%}): replies and their ends"
    )
    cut = f"{len(run.cut)}: earliest turns left out to fit ({', '.join(run.cut[:5])})" if run.cut else "none"
    _fact("shortened", cut)
    _fact("refused", str(len(run.refused)) if run.refused else "none")
    tell_refused(run.refused)
    at_once = recipe.batch_size * recipe.accumulation
    _fact("steps", f"{run.steps}: {recipe.epochs:g} × {run.steps_an_epoch}, of {at_once} examples each")
    _fact("rate", f"{recipe.learning_rate:g}, {recipe.schedule}, {recipe.warmup:.0%} warm-up")
    if run.estimate:
        _costs(run, run.estimate, processes)
    else:
        _fact("memory", f"not estimated: {run.no_estimate}")


def show_exported(exported: "Exported") -> None:
    """What an export wrote, how well a merged model agrees, and how it is served."""
    size = sum(size for _, size in exported.files)
    _line(f"{exported.folder}: {_size(size)} in {len(exported.files)} files")
    if found := exported.agreement:
        _fact("agreement", f"it says the same token as base and adapter at {found.unmerged:.1%} of {found.positions}")
        if found.trained is not None:
            _fact("", f"the same as the adapter over NF4, as it was trained, at {found.trained:.1%}")
        _fact("", f"without the adapter the base says the same at {found.base:.1%} ({found.texts})")
    for program, command in exported.commands:
        _fact(program, command)


def _costs(run: "DryRun", found: "Estimate", processes: int) -> None:
    what = f"a LoRA of rank {run.recipe.lora.rank} beside" if run.recipe.lora else "all of"
    _fact("trained", f"{found.trained:,} weights, {what} {found.parameters:,} ({found.trained / found.parameters:.2%})")
    at_once = f"with {run.recipe.batch_size} of the longest in a batch"
    each = f"; at the most so much in each of the {processes} processes" if processes > 1 else ""
    _fact("memory", f"about {_size(found.peak)} at the peak, {at_once}{each}")
    kinds = {"base: matrices": "base: matrices, in NF4"} if run.recipe.quantisation == "nf4" else {}
    for use, size in found.memory.items():
        drawn = "█" * round(WIDEST / 2 * size / max(found.memory.values())) or "▏"
        _line(f"            {_size(size):>9} {drawn:<{WIDEST // 2}} {kinds.get(use, use)}", UNLEARNED)
    spans = {gpu: _span(*found.seconds[gpu]) for gpu, fits in found.fits.items() if fits}
    if not spans:
        _fact("time", "it fits none of the GPUs known here")
    elif len(set(spans.values())) == 1:
        _fact("time", f"{next(iter(spans.values()))} on any of {', '.join(spans)}")
    else:
        _fact("time", ", ".join(f"{gpu} {span}" for gpu, span in spans.items()))
    if small := [gpu for gpu, fits in found.fits.items() if not fits]:
        _fact("", f"too small: {', '.join(small)}")


def _tokens(shown: "Shown", whole: bool) -> Text:
    """The pieces with a space between; the learned ones in colour, and between « and » for where there is none."""
    pieces = list(shown.tokens)
    learned = [i for i, (_, is_learned) in enumerate(pieces) if is_learned]
    text = Text()
    hidden = range(4, learned[0] - NEAR) if learned and not whole else range(0)
    for i, (piece, is_learned) in enumerate(pieces):
        if i in hidden:
            if i == hidden[0]:
                text.append(f"… {len(hidden)} more tokens … ", "dim italic")
            continue
        opens, closes = ("«" if i == learned[0] else ""), ("»" if i == learned[-1] else "")
        text.append(f"{opens}{show_hidden(piece)}{closes} ", LEARNED if is_learned else UNLEARNED)
        if piece == "<0x0A>":
            text.append("\n")
    return text


def _fact(name: str, text: str) -> None:
    out.print(Text.assemble((f"{name:<10}", "bold"), "  ", show_hidden(text)), highlight=False)


def _line(text: str, style: str = "") -> None:
    out.print(Text(show_hidden(text) if "\n" not in text else text, style=style), highlight=False)


def _size(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


def _span(least: float, most: float) -> str:
    for unit, name in ((3600, "h"), (60, "min"), (1, "s")):
        if most >= 2 * unit:
            return (
                f"{least / unit:.0f}–{most / unit:.0f} {name}" if least >= unit else f"under {most / unit:.0f} {name}"
            )
    return "seconds"
