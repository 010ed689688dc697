"""How often a writer's queries answer: execution accuracy and exact-set match, with intervals, by hardness and kind."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from bot.sql.ask import values_of
from bot.sql.compare import hardness, is_ordered, same_parts, same_table
from bot.sql.made_up import make
from bot.sql.questions import Asked
from bot.sql.reader import Reader, Result
from bot.sql.reading import read
from bot.sql.safe import QueryFailed
from bot.sql.schema import Schema, from_file
from bot.sql.write import Writer, fault
from data.csvio import encode
from data.errors import BadInput
from finetune.intervals import figure, means

if TYPE_CHECKING:
    from finetune.intervals import Figure

DATABASES = 4  # made for each schema
LEVELS = ("easy", "medium", "hard", "extra")
_ROWS = 5000  # of a result that are compared

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Judged:
    """A question with the query that was written for it, and what that is worth."""

    asked: Asked
    sql: str
    hardness: str
    runs: bool  # whether the gold query itself does; what doesn't is in no figure
    finds: bool = True  # whether the gold query finds anything on any of the databases
    right: bool = False  # the same table, on each database
    exact: bool = False  # the same parts
    problem: str = ""  # why there is no table to compare: "abstained", or a kind of QueryFailed
    reason: str = ""

    def as_json(self) -> dict[str, Any]:
        """The row as JSON can hold it."""
        return {
            "origin": self.asked.origin, "database": self.asked.database, "question": self.asked.question,
            "gold": self.asked.gold, "sql": self.sql, "hardness": self.hardness, "gold_runs": self.runs,
            "right": self.right, "exact": self.exact, "problem": self.problem, "reason": self.reason,
        }  # fmt: skip


@dataclass(frozen=True)
class Evaluation:
    """What came of all of them."""

    file: str
    responder: str
    databases: int  # on which each query was run
    judged: tuple[Judged, ...]
    refused: tuple[str, ...]  # rows of the file that can't be asked
    folder: Path | None = None

    @property
    def counted(self) -> list[Judged]:
        """Those whose gold query runs: the figures are of these."""
        return [each for each in self.judged if each.runs]

    def share(self, of: Callable[[Judged], bool], among: Callable[[Judged], bool] = lambda _: True) -> "Figure | None":
        """How many of them, with its 95 % interval."""
        return figure(means([float(of(each)) for each in self.counted if among(each)]), share=True)

    @property
    def problems(self) -> dict[str, int]:
        """How many gave no table to compare, by why; the commonest first."""
        return dict(Counter(each.problem for each in self.counted if each.problem).most_common())

    def as_json(self) -> dict[str, Any]:
        """The figures, and each question."""
        return {
            "file": self.file,
            "responder": self.responder,
            "databases": self.databases,
            "questions": len(self.judged),
            "refused_rows": list(self.refused),
            "gold_that_does_not_run": [each.as_json() for each in self.judged if not each.runs],
            "gold_that_finds_nothing": sum(not each.finds for each in self.counted),
            "execution_accuracy": _json(self.share(lambda each: each.right)),
            "exact_set_match": _json(self.share(lambda each: each.exact)),
            "answered": sum(each.problem != "abstained" for each in self.counted),
            "execution_accuracy_of_answered": _json(
                self.share(lambda each: each.right, lambda each: each.problem != "abstained")
            ),
            "by_hardness": {
                level: {
                    "execution_accuracy": _json(self.share(lambda each: each.right, _of(level))),
                    "exact_set_match": _json(self.share(lambda each: each.exact, _of(level))),
                }
                for level in LEVELS
                if any(each.hardness == level for each in self.counted)
            },
            "problems": self.problems,
            "rows": [each.as_json() for each in self.judged],
        }


def _of(level: str) -> Callable[[Judged], bool]:
    return lambda each: each.hardness == level


def _json(figure: "Figure | None") -> dict[str, float | int | None] | None:
    if figure is None:
        return None
    low, high = figure.low, figure.high
    return {
        "value": round(figure.value, 4),
        "low": None if low is None else round(low, 4),
        "high": None if high is None else round(high, 4),
        "of": figure.pairs,
    }


def evaluate(
    asked: Sequence[Asked],
    writer: Writer,
    database: Path | None = None,
    look: bool = False,
    progress: Progress = lambda what, done, of: None,
) -> tuple[Judged, ...]:
    """Let `writer` answer each question, and judge it: on the file `database`, or on made-up ones. Raises BadInput.

    The writer may see what the columns of `database` hold; of made-up ones only if it is to `look`.
    """
    by_database: dict[str, list[tuple[int, Asked]]] = {}
    for at, each in enumerate(asked):
        by_database.setdefault("" if database else each.database, []).append((at, each))
    judged: dict[int, Judged] = {}
    if database and not database.is_file():
        raise BadInput(f"there is no file {database}: give a SQLite file with --database")
    with TemporaryDirectory(prefix="shawgpt-sql-") as scratch, Reader() as reader:
        for number, group in enumerate(by_database.values()):
            schema = from_file(reader, database) if database else group[0][1].schema
            assert schema is not None
            files = [database] if database else _made(Path(scratch) / str(number), schema, [each for _, each in group])
            values = values_of(reader, files[0]) if database or look else None
            for at, each in group:
                query = writer.write(each.question, each.shown or schema, values)
                made = _judge(replace(each, schema=schema), query.sql, reader, files)
                if query.status == "abstained" and made.runs:
                    made = replace(made, problem="abstained", reason=query.reason)
                elif not query.sql and not made.problem:
                    made = replace(made, problem="failed", reason=query.reason)
                judged[at] = made
                progress("asking", len(judged), len(asked))
            if not database:
                for file in files:
                    file.unlink()
    return tuple(judged[at] for at in range(len(asked)))


def _made(folder: Path, schema: Schema, group: Sequence[Asked]) -> list[Path]:
    folder.mkdir()
    return make(folder, schema, [each.gold for each in group], DATABASES, group[0].nocase)


def _judge(asked: Asked, sql: str, reader: Reader, files: Sequence[Path]) -> Judged:
    """What `sql` is worth beside the gold query. The same text gives the same tables by definition."""
    schema = asked.schema
    assert schema is not None
    try:
        golds = [reader.run(file, asked.gold, rows=_ROWS) for file in files]
        level = hardness(read(asked.gold, schema))
    except QueryFailed as error:
        return Judged(asked, sql, "", runs=False, reason=str(error))
    finds = any(any(cell not in (None, 0) for row in gold.rows for cell in row) for gold in golds)
    judged = Judged(asked, sql, level, runs=True, finds=finds)
    if not sql:
        return judged
    try:
        exact = same_parts(asked.gold, sql, schema)
        right = _all_same(asked, sql, reader, files, golds)
    except QueryFailed as error:
        reason = fault(sql, schema) if error.kind == "unknown" else ""
        return replace(judged, problem=error.kind, reason=reason or str(error))
    return replace(judged, right=right, exact=exact)


def _all_same(asked: Asked, sql: str, reader: Reader, files: Sequence[Path], golds: Sequence[Result]) -> bool:
    ordered = is_ordered(asked.gold, asked.schema)
    for file, gold in zip(files, golds, strict=True):
        if not same_table(gold, reader.run(file, sql, rows=_ROWS), ordered):
            return False
    return True


def write_evaluation(evaluation: Evaluation, folder: Path) -> None:
    """Write eval.json and queries.csv (cells that no spreadsheet runs) into `folder`. Raises BadInput."""
    columns = ("question", "gold", "sql", "right", "exact", "hardness", "problem", "reason")
    lines = [encode(columns)]
    for each in evaluation.judged:
        row = each.as_json()
        lines.append(encode([str(row[name]) for name in columns]))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "queries.csv").write_bytes(b"".join(lines))
        shown = json.dumps(evaluation.as_json(), indent=1, ensure_ascii=False)
        (folder / "eval.json").write_text(shown + "\n", encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{folder} can't be written ({error.strerror}): give another folder with -o") from error
