"""Drafting in the background: it goes on when the page is closed or loaded anew, and every browser can follow it."""

import threading
from contextlib import closing

from bot.page.desk import Desk
from bot.reply import as_done
from data.errors import ShawGPTError


class Drafting:
    """The batches that are being drafted; what is drafted lies in the database."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._running: set[str] = set()
        self._stopping: set[str] = set()
        self._at_work: dict[str, int] = {}  # how many of a batch are being written
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
        """End the drafting of `batch` with the next reply that is written; the rest waits."""
        with self._lock:
            if batch in self._running:
                self._stopping.add(batch)

    def running(self, batch: str) -> bool:
        """Whether `batch` is being drafted."""
        with self._lock:
            return batch in self._running

    def stopping(self, batch: str) -> bool:
        """Whether `batch` is being drafted and is to stop."""
        with self._lock:
            return batch in self._stopping

    def at_work(self, batch: str) -> int:
        """How many replies of `batch` are being written now; 0 while the model is loaded."""
        return self._at_work.get(batch, 0)

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
                self._stopping.discard(batch)
                self._at_work.pop(batch, None)

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
        together, left = responder.together, len(waiting)
        comments = [row.comment for row in waiting]
        with closing(as_done(view.drafts, comments, replies, together)) as drafts:
            while left and not (self.stopping(batch) or self.desk.closing.is_set()):
                written = (len(waiting) - left) % together  # of those that were begun with them
                self._at_work[batch] = min(together - written, left)
                number, draft = next(drafts)
                self.desk.log.save(batch, waiting[number].row, draft, responder.written_by)
                left -= 1
