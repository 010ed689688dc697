"""A chat template rendered where it can do no harm: by a child process with limits (`bot.template_worker`)."""

import threading
from collections.abc import Sequence
from typing import Any

from bot.limited_process import Ended, LimitedProcess
from bot.template_worker import SECONDS
from finetune.prompt import Message

_STARTING = 120  # seconds; the child imports transformers, on a busy computer from a cold disk
# Each thread of these libraries takes memory.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
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
        self._process: LimitedProcess | None = None

    def render(self, turns: Sequence[Message]) -> str:
        """The conversation up to where the assistant's reply begins.

        Raises ValueError with the template's reason where it raises, or writes too much; TemplateStopped where it takes
        longer than 5 seconds.
        """
        most = _OWN + 2 * sum(len(turn["content"]) for turn in turns)
        request = {"template": self._template, "names": self._names, "turns": list(turns), "most": most}
        with self._lock:
            if self._process is None:
                self._process = LimitedProcess("bot.template_worker", _ONE_THREAD)
                self._ask(self._process, None, _STARTING, 1 << 10)
            answer = self._ask(self._process, request, SECONDS, 12 * most + 1000)
        if "text" in answer:
            return str(answer["text"])
        raise ValueError(answer.get("error", "it gives no text"))

    def _ask(self, process: LimitedProcess, request: object, seconds: int, most: int) -> dict[str, Any]:
        try:
            return process.ask(request, seconds, most)
        except Ended as error:
            self._process = None
            said = f"it takes longer than {seconds} s" if error.late else "it ends the process it runs in"
            raise TemplateStopped(said) from error
