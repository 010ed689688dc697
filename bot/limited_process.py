"""A child process that does what may hang or blow up: a line of JSON to it, a line of JSON back, within seconds."""

import json
import os
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from typing import Any


class Ended(Exception):
    """The process gave no answer, and is gone."""

    def __init__(self, late: bool) -> None:
        super().__init__("it took too long" if late else "it ended")
        self.late = late  # it was ended at its time; else it ended by itself


class LimitedProcess:
    """The process that runs the module `name`, from its start until `end`. One request at a time: callers take turns.

    The module answers each line on its stdin with one on its stdout, sets its own limits of memory (`data.limits`), and
    ends with its stdin. `environment` is added to ours.
    """

    def __init__(self, name: str, environment: dict[str, str] | None = None) -> None:
        paths = [str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
        # -P keeps the user's current folder, where a data/ of their own may lie, out of the child's imports. A session
        # of its own keeps Ctrl-C from it: the parent ends it.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **(environment or {}), "PYTHONPATH": os.pathsep.join(paths)},
            start_new_session=True,
        )
        weakref.finalize(self, _end, self._process)

    def ask(self, request: object, seconds: float, most: int) -> dict[str, Any]:
        """The answer, an object of `most` bytes at most; `request` None only waits for one. Raises Ended."""
        process = self._process
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
            if request is not None:
                process.stdin.write(json.dumps(request).encode() + b"\n")
                process.stdin.flush()
            answer = json.loads(process.stdout.readline(most))
            if isinstance(answer, dict):
                return answer
        except (OSError, ValueError):  # it died, or was killed
            pass
        finally:
            clock.cancel()
        self.end()
        raise Ended(late.is_set())

    def end(self) -> None:
        """End the process."""
        _end(self._process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except OSError:  # what was not written yet goes with it
                continue
