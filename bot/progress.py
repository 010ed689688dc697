"""Progress of the long commands: a bar on stderr, where that is a terminal; of the longest, plain lines elsewhere."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from data.hidden import show_hidden
from ingest.pipeline import Progress

if TYPE_CHECKING:
    from bot.drafts import Draft
    from bot.reply import Progress as Batch
    from finetune.history import Point
    from ingest.pipeline import Entry


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Say on stderr, where that is a terminal, that something takes a while."""
    console = Console(stderr=True)
    with console.status(f"{what}…") if console.is_terminal else nullcontext():
        yield


class _Bar:
    """A progress bar on stderr, where that is a terminal."""

    def __init__(self, unit: str) -> None:
        self._progress = RichProgress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn(unit),
            TimeRemainingColumn(),
            console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty(),
        )  # fmt: skip
        self._task = self._progress.add_task("starting", total=None)

    def __enter__(self) -> Any:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def tell(self, what: str) -> None:
        """What is being done before the first of them."""
        self._show(what, 0)

    def _line(self, text: str) -> None:
        """Say something where there is no bar: in a log."""
        if self._progress.disable:
            print(show_hidden(text), file=sys.stderr, flush=True)

    def _show(self, text: str, done: int, total: int | None = None, longest: int = 40) -> None:
        text = text if len(text) <= longest else f"…{text[1 - longest :]}"
        self._progress.update(self._task, description=escape(show_hidden(text)), completed=done, total=total)


class IngestProgress(_Bar, Progress):
    """Follows an ingest document by document."""

    def __init__(self) -> None:
        super().__init__("documents")
        self._done = 0
        self._total: int | None = None

    def found(self, documents: int) -> None:
        """The number of documents to look at is known."""
        self._total = documents
        self._show("reading", 0, documents)

    def scanning(self, source: str, done: int, pages: int) -> None:
        """Within a scan, which takes longer."""
        self._show(f"OCR, {done} of {pages} pages: {Path(source).name}", self._done, self._total)

    def embedding(self, source: str, share: float) -> None:
        """Within a long document, which takes a while."""
        self._show(f"embedding, {share:.0%}: {Path(source).name}", self._done, self._total)

    def finished(self, entry: "Entry") -> None:
        """One more is done."""
        self._done += 1
        self._show(Path(entry.source).name, self._done, self._total)


class ReplyProgress(_Bar):
    """Follows a batch row by row."""

    def __init__(self) -> None:
        super().__init__("comments")

    def __call__(self, batch: "Batch", draft: "Draft | None") -> None:
        counts = ", ".join(f"{n} {status}" for status, n in sorted(batch.counts.items()))
        self._show(counts or "drafting", batch.done, batch.total)


class StageProgress(_Bar):
    """Follows work that goes through stages, each with its own count."""

    def __init__(self) -> None:
        super().__init__("")
        self._doing = ""

    def __call__(self, doing: str, done: int, total: int) -> None:
        self._show(doing, done, total)
        if doing != self._doing:
            self._doing = doing
            self._line(doing)


class TrainProgress(_Bar):
    """Follows a training step by step: its loss, the latest held-out loss, its speed, its memory."""

    def __init__(self) -> None:
        super().__init__("steps")
        self._said: dict[str, str] = {}
        self._measures = False  # whether there are any held-out examples
        self._epoch: int | None = None  # of the step before

    def __call__(self, point: "Point", steps: int) -> None:
        if point.loss is not None:
            self._said["loss"] = f"loss {point.loss:.2f}"
        if point.held_out is not None:
            self._said["held out"] = f"held out {point.held_out:.2f}"
        if point.tokens_per_second:
            self._said["speed"] = f"{point.tokens_per_second:,.0f} tokens/s"
        if point.memory:
            self._said["memory"] = f"{point.memory / 1e9:.1f} GB"
        order = ("loss", "held out", "speed", "memory")
        said = ", ".join(self._said[part] for part in order if part in self._said)
        self._show(said, point.step, steps, 80)
        self._measures |= point.held_out is not None
        epoch = int(point.epoch)
        if point.held_out is not None or (not self._measures and self._epoch is not None and epoch > self._epoch):
            self._line(f"step {point.step} of {steps}: {said}")
        self._epoch = epoch
