"""A SQLite file read where it can do no harm: by a child process with limits (`bot.sql.worker`)."""

import json
import os
import subprocess
import sys
import threading
import weakref
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

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
        self._process: subprocess.Popen[bytes] | None = None

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
                self._process = _start()
                weakref.finalize(self, _end, self._process)
                self._exchange({"path": os.devnull}, _STARTING)  # the wait for it is not the statement's
            answer = self._exchange(request, seconds + _GRACE)
        if "error" in answer:
            kind: Kind = answer["kind"]
            raise QueryFailed(kind, str(answer["error"]))
        return answer

    def _exchange(self, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        """The child's answer. Without one it is ended, and QueryFailed raised."""
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        late = threading.Event()

        def stop() -> None:
            late.set()
            process.kill()

        clock = threading.Timer(seconds, stop)
        clock.daemon = True
        clock.start()
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline(_MOST))
            if isinstance(answer, dict):
                return answer
        except (OSError, ValueError):  # it died, or was killed
            pass
        finally:
            clock.cancel()
        self._end()
        if late.is_set():
            raise QueryFailed("time-out", "it takes too long, and was ended")
        raise QueryFailed("too large", "it ended the process that runs it: it needs too much, or the file is damaged")

    def _end(self) -> None:
        if self._process is not None:
            _end(self._process)
            self._process = None


def _start() -> "subprocess.Popen[bytes]":
    paths = [str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
    # -P keeps the user's current folder, where a data/ of their own may lie, out of the child's imports. A session of
    # its own keeps Ctrl-C from it: the parent ends it.
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "bot.sql.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        start_new_session=True,
    )


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except OSError:  # what was not written yet goes with it
                continue
