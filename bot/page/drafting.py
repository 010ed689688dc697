"""Drafting in the background: it goes on when the page is closed or loaded anew, and every browser can follow it."""

import threading

from bot.page.desk import Desk
from bot.reply import in_order
from data.errors import ShawGPTError


class Drafting:
    """The batches that are being drafted; what is drafted lies in the database."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._running: set[str] = set()
        self._stopping: set[str] = set()
        self._trouble: dict[str, str] = {}
        self._lock = threading.Lock()

    def start(self, batch: str) -> None:
        """Draft what waits in `batch`; nothing where that is being done."""
        with self._lock:
            self._stopping.discard(batch)
            if batch in self._running:
                return
            self._running.add(batch)
            self._trouble.pop(batch, None)
        self.desk.work(lambda: self._work(batch))

    def stop(self, batch: str) -> None:
        """End the drafting of `batch` behind the row at work; the rest waits."""
        with self._lock:
            self._stopping.add(batch)

    def running(self, batch: str) -> bool:
        """Whether `batch` is being drafted."""
        with self._lock:
            return batch in self._running

    def trouble(self, batch: str) -> str:
        """What ended the drafting of `batch` before its time, or ""."""
        return self._trouble.get(batch, "")

    def _work(self, batch: str) -> None:
        try:
            self._draft(batch)
        except ShawGPTError as error:  # a full disk, say: what was drafted before is kept, and the rest can go on
            self._trouble[batch] = str(error)
        except Exception as error:  # shown on the page: the thread has nobody else to tell
            self._trouble[batch] = f"{type(error).__name__}: {error}"
        finally:
            with self._lock:
                self._running.discard(batch)

    def _draft(self, batch: str) -> None:
        """Each saved as it is written, until all are done or it is to stop."""
        info = self.desk.log.info(batch)
        if info is None:
            return
        rows = self.desk.log.rows(batch)
        waiting = [row for row in rows if not row.draft]
        replies = [row.reply for row in rows if row.draft]
        view = self.desk.view(info.persona, info.kb)
        responder = view.responder
        comments = [row.comment for row in waiting]
        for row, draft in zip(waiting, in_order(view.drafts, comments, replies, responder.together), strict=True):
            self.desk.log.save(batch, row.row, draft, responder.written_by)
            if batch in self._stopping or self.desk.closing.is_set():
                return
