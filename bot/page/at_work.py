"""The answer that each open page is being given: one at a time, and nothing more of one that was stopped."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

SENT = 2.0  # seconds within which a piece is sent to the page, or the page is gone


class Work:
    """An answer in the making."""

    def __init__(self) -> None:
        self._sending = Lock()
        self.stopped = False

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Around the yield of each piece: Gradio takes the next step of a generator when the last has been sent."""
        self._sending.acquire()
        try:
            yield
        finally:
            self._sending.release()

    def stop(self) -> None:
        """Let nothing more be sent; what is under way comes to the page before this returns."""
        self.stopped = True
        if self._sending.acquire(timeout=SENT):
            self._sending.release()


class AtWork:
    """What is in the making, by page.

    Gradio's own way to cancel isn't used: it reaches whatever is asked meanwhile, and what was cleared could come back
    with a piece that was under way.
    """

    def __init__(self) -> None:
        self._pages: dict[str | None, Work] = {}

    def begin(self, page: str | None) -> Work | None:
        """The work of a page, begun; None where there is some already."""
        work = Work()
        return work if self._pages.setdefault(page, work) is work else None

    def busy(self, page: str | None) -> bool:
        """Whether something is in the making on a page."""
        return page in self._pages

    def end(self, page: str | None, work: Work) -> None:
        """It is done, or was given up."""
        if self._pages.get(page) is work:
            del self._pages[page]

    def stop(self, page: str | None) -> None:
        """Stop what is in the making on a page, if anything is."""
        if work := self._pages.pop(page, None):
            work.stop()
