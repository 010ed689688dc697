"""How a training went, step by step: kept in history.jsonl, shown in TensorBoard, drawn as loss.png."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

HISTORY = "history.jsonl"


@dataclass(frozen=True)
class Point:
    """One step of training, or one measure of the held-out replies."""

    step: int
    epoch: float
    loss: float | None = None  # of this step: nats a token, over the replies alone
    held_out: float | None = None  # the same over all held-out replies
    learning_rate: float | None = None
    gradient: float | None = None  # norm before clipping
    tokens_per_second: float | None = None  # read, since training began or went on
    memory: int | None = None  # bytes in use at the most: of the GPU, or of the process where there is none


Progress = Callable[[Point, int], None]  # a step or a measure as it is made, and the number of steps there will be


def points(log: Sequence[dict[str, Any]]) -> tuple[Point, ...]:
    """The steps and measures in the log of Trainer's state."""
    return tuple(
        Point(
            step=entry["step"],
            epoch=entry["epoch"],
            loss=entry.get("loss"),
            held_out=entry.get("eval_loss"),
            learning_rate=entry.get("learning_rate"),
            gradient=entry.get("grad_norm"),
            tokens_per_second=entry.get("train_tokens_per_second"),
            memory=entry.get("memory"),
        )
        for entry in log
        if "loss" in entry or "eval_loss" in entry
    )


def read_state(checkpoint: Path) -> dict[str, Any]:
    """Trainer's state in a checkpoint. Raises OSError or ValueError where the checkpoint was cut short."""
    state: dict[str, Any] = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    return state


def is_over(state: dict[str, Any], early: int) -> bool:
    """Whether all steps are done, or the last `early` measures (0: never) have not been better than one before."""
    measures = [point.held_out for point in points(state["log_history"]) if point.held_out is not None]
    stale = len(measures) - 1 - measures.index(min(measures)) if measures else 0
    return state["global_step"] >= state["max_steps"] or 0 < early <= stale


class HistoryWriter:
    """Writes points to history.jsonl and TensorBoard as they are made; `past` are those before a training went on."""

    def __init__(self, folder: Path, past: Sequence[Point]) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._file = (folder / HISTORY).open("w", encoding="utf-8", buffering=1)
        after = past[-1].step + 1 if past else 0
        self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=after)
        for point in past:
            self._write(point)

    def add(self, point: Point) -> None:
        """Write one more."""
        self._write(point)
        for name in ("loss", "held_out", "learning_rate", "gradient", "tokens_per_second", "memory"):
            if (value := getattr(point, name)) is not None:
                self._board.add_scalar(name, value, point.step)

    def close(self) -> None:
        """Flush and close both."""
        self._file.close()
        self._board.close()

    def _write(self, point: Point) -> None:
        self._file.write(json.dumps({name: value for name, value in asdict(point).items() if value is not None}) + "\n")


def draw(history: Sequence[Point], best: int, path: Path) -> None:
    """A picture (PNG) of the loss of every step and of the held-out replies, with the step whose weights are kept."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    steps = [(point.step, point.loss) for point in history if point.loss is not None]
    measures = [(point.step, point.held_out) for point in history if point.held_out is not None]
    axes.plot(*zip(*steps, strict=True), color="#9aa5b1", linewidth=1, label="training")
    if measures:
        axes.plot(*zip(*measures, strict=True), color="#0b6e99", marker="o", markersize=4, label="held out")
    axes.axvline(best, color="#c2410c", linestyle=":", label=f"kept: step {best}")
    axes.set(xlabel="step", ylabel="loss (nats a token of the replies)", ylim=(0, 1.05 * axes.dataLim.ymax))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(path)
