"""A SQLite file read where it can do no harm: by a child process with limits (`bot.sql.worker`)."""

import os
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from bot.limited_process import Ended, LimitedProcess
from bot.sql.safe import Checked, Kind, QueryFailed, check
from bot.sql.worker import ROWS, SECONDS
from data.errors import BadInput

_GRACE = 2.0  # seconds beyond its own clock that the child gets before it is ended
_STARTING = 60.0  # seconds; on a busy computer from a cold disk
_MOST = 64 << 20  # bytes of an answer

Cell = str | int | float | None


@dataclass(frozen=True)
class Result:
    """What a query gave."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    truncated: bool = False  # there is more than these rows


class Reader:
    """The process that reads databases, started when first asked, replaced when it was ended. Any thread may ask.

    Nothing asked of it can change a file: see `bot.sql.safe` and `bot.sql.worker`.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: LimitedProcess | None = None

    def __enter__(self) -> "Reader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def run(self, path: Path, sql: str | Checked, seconds: float = SECONDS, rows: int = ROWS) -> Result:
        """What `sql`, one SELECT, gives on the SQLite file `path`: `rows` rows at most, within `seconds`.

        Raises QueryFailed.
        """
        checked = sql if isinstance(sql, Checked) else check(sql)
        request = {"path": str(path.absolute()), "sql": checked.sql, "ctes": sorted(checked.ctes), "rows": rows}
        answer = self._ask({**request, "seconds": seconds}, seconds)
        return Result(tuple(answer["columns"]), tuple(tuple(row) for row in answer["rows"]), answer["truncated"])

    def tables(self, path: Path) -> list[dict[str, Any]]:
        """The tables of a SQLite file as `bot.sql.worker` has them. Raises BadInput for a file that is none."""
        try:
            tables: list[dict[str, Any]] = self._ask({"path": str(path.absolute())}, SECONDS)["tables"]
        except QueryFailed as error:
            raise BadInput(f"{path.name}: {error}") from error
        return tables

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _ask(self, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        with self._lock:
            if self._process is None:
                self._process = LimitedProcess("bot.sql.worker")
                # The wait for it is not the statement's.
                self._exchange(self._process, {"path": os.devnull}, _STARTING)
            answer = self._exchange(self._process, request, seconds + _GRACE)
        if "error" in answer:
            kind: Kind = answer["kind"]
            raise QueryFailed(kind, str(answer["error"]))
        return answer

    def _exchange(self, process: LimitedProcess, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        try:
            return process.ask(request, seconds, _MOST)
        except Ended as error:
            self._process = None
            if error.late:
                raise QueryFailed("time-out", "it takes too long, and was ended") from error
            raise QueryFailed(
                "too large", "it ended the process that runs it: it needs too much, or the file is damaged"
            ) from error

    def _end(self) -> None:
        if self._process is not None:
            self._process.end()
            self._process = None
