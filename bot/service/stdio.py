"""The MCP server for a client that starts it: over stdin and stdout, until the client hangs up or a signal comes."""

import os
import select
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from bot.assistant import Assistant
from bot.page.desk import Desk
from bot.service.answering import Answering
from bot.service.metrics import Metrics
from bot.service.tools import make_tools

PIECE = 65_536  # bytes


def serve_stdio(assistant: Assistant) -> None:
    """Answer an MCP client over stdin and stdout until it hangs up, or until Ctrl-C or SIGTERM."""
    desk = Desk(assistant, assistant.persona_slug)
    desk.warm_up()
    try:
        with _ending_at_a_signal():
            make_tools(Answering(desk, Metrics(assistant.store))).run("stdio")
    finally:
        desk.close()


@contextmanager
def _ending_at_a_signal() -> Iterator[None]:
    """Let stdin end at Ctrl-C and SIGTERM.

    Whoever reads stdin waits in a thread, which nothing wakes but its end. So it is given a pipe, and what comes is
    handed on.
    """
    if sys.platform == "win32" or threading.current_thread() is not threading.main_thread():
        yield
        return
    given, (reads, writes), (woken, wakes) = os.dup(0), os.pipe(), os.pipe()
    os.dup2(reads, 0)
    os.close(reads)

    def hand_on() -> None:
        with suppress(OSError):  # nobody reads on
            while woken not in (ready := select.select([given, woken], [], [])[0]):
                piece = os.read(given, PIECE) if ready else b""
                if not piece:
                    break
                while piece:
                    piece = piece[os.write(writes, piece) :]
        os.close(writes)

    def stop(number: int, frame: FrameType | None) -> None:
        os.write(wakes, b".")

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    threading.Thread(target=hand_on, daemon=True).start()
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        os.dup2(given, 0)
