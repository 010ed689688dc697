"""A chat template rendered where it can do no harm: by a child process with limits (`bot.template_worker`)."""

import json
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bot.template_worker import SECONDS
from finetune.prompt import Message

_STARTING = 120  # seconds; the child imports transformers, on a busy computer from a cold disk
_OWN = 100_000  # characters that a template may write beside what the turns say, each twice


class TemplateStopped(Exception):
    """The template hung, or took its process with it; the message says which."""


class TemplateRenderer:
    """One template and the process that renders it, which is replaced when it was ended. Any thread may ask.

    `names`: what the template may use beside the messages, such as bos_token.
    """

    def __init__(self, template: str, names: dict[str, str]) -> None:
        self._template, self._names = template, names
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def render(self, turns: Sequence[Message]) -> str:
        """The conversation up to where the assistant's reply begins.

        Raises ValueError with the template's reason where it raises, or writes too much; TemplateStopped where it takes
        longer than 5 seconds.
        """
        most = _OWN + 2 * sum(len(turn["content"]) for turn in turns)
        request = {"template": self._template, "names": self._names, "turns": list(turns), "most": most}
        with self._lock:
            if self._process is None:
                self._process = _start()
                weakref.finalize(self, _end, self._process)
                self._answer(_STARTING, b"", 1 << 10)
            answer = self._answer(SECONDS, json.dumps(request).encode() + b"\n", 12 * most + 1000)
        if "text" in answer:
            return str(answer["text"])
        raise ValueError(answer.get("error", "it gives no text"))

    def _answer(self, seconds: int, request: bytes, most: int) -> dict[str, Any]:
        """The process's answer, of so many bytes at most. Without one it is ended, and TemplateStopped raised."""
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
            process.stdin.write(request)
            process.stdin.flush()
            answer = json.loads(process.stdout.readline(most))
            if isinstance(answer, dict):
                return answer
        except (OSError, ValueError):  # it died, or was killed
            pass
        finally:
            clock.cancel()
        _end(process)
        self._process = None
        raise TemplateStopped(
            f"it takes longer than {seconds} s" if late.is_set() else "it ends the process it runs in"
        )


def _start() -> "subprocess.Popen[bytes]":
    paths = [str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")  # each takes memory
    # -P keeps the user's current folder, where a data/ of their own may lie, out of the child's imports. A session of
    # its own keeps Ctrl-C from it: the parent ends it.
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "bot.template_worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **threads, "PYTHONPATH": os.pathsep.join(paths)},
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
