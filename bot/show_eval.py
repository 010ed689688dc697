"""What `shawgpt eval replies` shows: the table for people, and the picture."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from bot.show import out, some
from data.hidden import show_hidden
from finetune.comparison import ADAPTER, BASE, CREATOR, NAMES, STYLE
from finetune.intervals import FEWEST

if TYPE_CHECKING:
    from bot.eval_replies import Evaluation
    from finetune.comparison import Compared
    from finetune.intervals import Figure

BETTER = {"lower": " ↓", "higher": " ↑", "": ""}
SIDES = {"better": "bold green", "worse": "bold red", "different": "bold", "unclear": "", "": ""}
COLOURS = {BASE: "#9aa5b1", ADAPTER: "#0b6e99", STYLE: "#c2410c", CREATOR: "#1f2933"}  # as in loss.png


def show_evaluation(evaluation: "Evaluation") -> None:
    """The table of an evaluation, what to know about it, and the verdict."""
    pairs = evaluation.pairs
    what = f"{some(len(pairs.pairs), 'pair')} of {pairs.name}" if pairs.name else f"{len(pairs.pairs)} held-out pairs"
    _line(f"{evaluation.adapter} over {evaluation.base}, on {what}", "bold")
    for why, count in pairs.left_out.items():
        _line(f"  {some(count, 'pair')} left out: {why}", "yellow")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("", NAMES[BASE], NAMES[ADAPTER], NAMES[STYLE], f"− {NAMES[BASE]}", f"− {NAMES[STYLE]}"):
        table.add_column(name, no_wrap=bool(name))
    for each in evaluation.compared:
        table.add_row(
            _title(each),
            *(_cell(each.figures[name], each.measure.share) for name in (BASE, ADAPTER, STYLE)),
            *(_difference(each, name) for name in (BASE, STYLE)),
        )
    out.print(table)
    for note in _notes(evaluation):
        _line(note, "dim")
    _line(f"\n{evaluation.verdict}", "bold")
    if evaluation.folder:
        _line(f"  replies.csv, eval.json and eval.png are in {evaluation.folder}", "dim")


def draw(evaluation: "Evaluation", path: Path) -> None:
    """A picture (PNG), readable on a phone: a small one for each measure, a dot with its interval for each contestant.

    A dotted line is the creator's own replies.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    shown = [each for each in evaluation.compared if any(each.figures[name] for name in (BASE, ADAPTER, STYLE))]
    rows = -(-len(shown) // 2)
    figure = Figure(figsize=(5.2, 1.0 + 1.0 * rows), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    panels: Any = figure.subplots(rows, 2, squeeze=False).flat
    for axes, each in zip(panels, shown, strict=False):
        _panel(axes, each)
    for axes in list(panels)[len(shown) :]:
        axes.set_visible(False)
    marks: list[Any] = [
        Line2D([], [], color=COLOURS[name], marker="o", linewidth=2.5, label=NAMES[name])
        for name in (BASE, ADAPTER, STYLE)
    ]
    marks.append(Line2D([], [], color=COLOURS[CREATOR], linestyle=":", label=NAMES[CREATOR]))
    figure.legend(handles=marks, loc="outside lower center", ncols=4, frameon=False, fontsize=8, columnspacing=1.2)
    count = some(len(evaluation.pairs.pairs), "pair")
    figure.suptitle(
        f"{_short(evaluation.adapter, 40)}, {count}: dots with 95 % intervals\n↓ less is better, ↑ more is better",
        fontsize=8.5,
    )
    figure.savefig(path)


def _panel(axes: Any, each: "Compared") -> None:
    """One measure: a line for each contestant, the base's at the top."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    percent = 100 if each.measure.share else 1
    for place, name in enumerate((BASE, ADAPTER, STYLE)):
        if found := each.figures[name]:
            if found.low is not None and found.high is not None:
                axes.plot([found.low * percent, found.high * percent], [-place] * 2, color=COLOURS[name], linewidth=2.5)
            axes.plot(found.value * percent, -place, color=COLOURS[name], marker="o", markersize=6)
        else:
            where = axes.get_yaxis_transform()
            axes.text(0.03, -place, "does not apply", color=COLOURS[name], transform=where, va="center", fontsize=7)
    creators = each.figures[CREATOR]
    if creators or each.measure.name == "length":
        at = creators.value * percent if creators else 1
        axes.axvline(at, color=COLOURS[CREATOR], linestyle=":", linewidth=1)
    axes.set_title(f"{each.measure.title}{BETTER[each.measure.better]}", fontsize=8, loc="left")
    axes.set(ylim=(-2.6, 0.6), yticks=[])
    if each.measure.share:
        axes.set(xlim=(-4, 104), xticks=[0, 50, 100], xticklabels=["0 %", "50 %", "100 %"])
    elif each.measure.exp:  # factors: twice is as far as half
        low, high = axes.dataLim.intervalx
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 30 * low else (1,)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
        axes.xaxis.set_minor_locator(NullLocator())
    axes.tick_params(labelsize=7.5, length=2)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _title(each: "Compared") -> Text:
    title = Text(each.measure.title + BETTER[each.measure.better])
    if creators := each.figures[CREATOR]:
        title.append(f"\n  creator {_number(creators.value, each.measure.share)}", "dim")
    return title


def _cell(found: "Figure | None", share: bool, style: str = "", signed: bool = False) -> Text:
    """A figure, with its interval below."""
    if found is None:
        return Text("–", "dim")
    text = Text(_number(found.value, share, signed), style)
    if found.low is not None and found.high is not None:
        text.append(f"\n{_number(found.low, share, signed)} … {_number(found.high, share, signed)}", "dim")
    return text


def _difference(each: "Compared", other: str) -> Text:
    """How far the adapter is from `other`; a star where the difference is clear."""
    side, found = each.side(other), each.differences[other]
    text = _cell(found, each.measure.share, SIDES[side], signed=True)
    if found and found.clear:
        return Text.assemble(text[: text.plain.index("\n")], (" *", SIDES[side]), text[text.plain.index("\n") :])
    return text


def _number(value: float, share: bool, signed: bool = False) -> str:
    """As a person reads it: a share as per cent, three digits of others; a sign before what isn't 0 of a difference."""
    text = f"{100 * value:+.0f}" if share else f"{value:+,.{0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2}f}"
    if not signed or not float(text.replace(",", "")):
        text = text[1:]
    return f"{text} %" if share else text


def _notes(evaluation: "Evaluation") -> list[str]:
    """What to know before the table is believed."""
    pairs = evaluation.pairs
    notes = [
        "Below each figure: its 95 % interval. Last columns: the adapter's less the other's, * where clearly not 0."
    ]
    if len(pairs.pairs) < 30:
        notes.append(f"{some(len(pairs.pairs), 'pair')}: the intervals are wide, and what isn't clear may still be so.")
    if len(pairs.pairs) < FEWEST:
        notes.append(f"With fewer than {FEWEST} pairs no difference is called clear.")
    if pairs.chose:
        notes.append(
            f"By the loss of {pairs.chose} of these pairs training chose the weights it kept, which flatters the "
            "adapter a little: a FILE of new pairs doesn't."
        )
    notes.append("Style memory repeats training replies by design, and leaves some comments to the creator.")
    return notes


def _line(text: str, style: str = "") -> None:
    out.print(Text("\n".join(show_hidden(line) for line in text.split("\n")), style=style), highlight=False)


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
