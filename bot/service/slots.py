"""How many answers are made at once, how many wait, and how long: work in threads, with limits."""

import asyncio
import threading
from collections.abc import Callable, Generator
from contextlib import closing, suppress
from typing import TypeVar

from bot.service.refusal import Refusal

T = TypeVar("T")

AT_ONCE = 4  # answers in the making
WAITING = 32  # more that wait; the next are told to come back
PATIENCE = 300.0  # seconds that an answer may take, waiting included


class Slots:
    """Runs generators in threads of `start`; of one event loop.

    What nobody waits for any more ends at the generator's next piece, which closes it.
    """

    def __init__(
        self,
        start: Callable[[Callable[[], None]], None],
        at_once: int = AT_ONCE,
        waiting: int = WAITING,
        patience: float = PATIENCE,
    ) -> None:
        """`start` runs a function in a thread."""
        self._start = start
        self._most, self._patience = at_once + waiting, patience
        self._free = asyncio.Semaphore(at_once)
        self._running: set[threading.Event] = set()
        self._closed = False
        self.inside = 0  # answers in the making, and those that wait

    async def last(self, pieces: Callable[[], Generator[T]]) -> T:
        """The last of `pieces`, of which there is at least one.

        Raises Refusal where too many wait already, where it takes too long, or where the server stops; and what the
        generator raises.
        """
        if self._closed:
            raise _stopping()
        if self.inside >= self._most:
            raise Refusal(503, "too many questions at once: ask again in a moment", "overloaded", retry_after=1)
        self.inside += 1
        try:
            async with asyncio.timeout(self._patience):
                return await self._in_thread(pieces)
        except TimeoutError as error:
            raise Refusal(504, f"no answer within {self._patience:.0f} seconds", "timeout") from error
        finally:
            self.inside -= 1

    def close(self) -> None:
        """End what is running and refuse what comes. Called in the loop's thread."""
        self._closed = True
        for stop in self._running:
            stop.set()

    async def _in_thread(self, pieces: Callable[[], Generator[T]]) -> T:
        await self._free.acquire()
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        stop = threading.Event()

        def finish(outcome: T | BaseException) -> None:
            self._free.release()  # only now: a thread that nobody waits for is still at work
            self._running.discard(stop)
            if done.done():
                return
            if isinstance(outcome, BaseException):
                done.set_exception(outcome)
            elif stop.is_set():
                done.set_exception(_stopping())
            else:
                done.set_result(outcome)

        def work() -> None:
            outcome: T | BaseException = RuntimeError("no answer was made")
            try:
                with closing(pieces()) as growing:
                    for piece in growing:
                        outcome = piece
                        if stop.is_set():
                            break
            except BaseException as error:  # it belongs to whoever waits
                outcome = error
            with suppress(RuntimeError):  # the loop is gone: the server has stopped
                loop.call_soon_threadsafe(finish, outcome)

        self._running.add(stop)
        try:
            self._start(work)
        except BaseException:  # no thread is to be had
            finish(RuntimeError("no thread"))
            raise
        try:
            return await done
        finally:
            stop.set()


def _stopping() -> Refusal:
    return Refusal(503, "the server is stopping", "stopping", retry_after=5)
