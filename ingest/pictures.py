"""Pages of PDFs as pictures, from the parent's side: drawn in a worker process within its limits; the latest kept."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from data.errors import Rejected
from ingest.page_picture import PagePicture, request_of
from ingest.pool import Worker
from ingest.quote_places import Mark

KEPT = 16  # pictures: some 0.3 MB each


class Pictures:
    """Draws pages, one at a time; any thread may ask. Close it."""

    def __init__(self) -> None:
        self._worker = Worker()
        self._lock = threading.Lock()
        self._kept: OrderedDict[object, PagePicture] = OrderedDict()

    def picture(self, path: Path, digest: str, page: int, marks: Sequence[Mark] = ()) -> PagePicture:
        """Physical page `page` (1-based) of the PDF file `path` with `marks` on it.

        Raises Rejected, with the reason, where the file's SHA-256 isn't `digest`, it is gone, or it can't be drawn in
        30 s and 1 GiB.
        """
        key = (path, digest, page, tuple(marks), _stamp(path))
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            drawn = self._worker.draw(request_of(path, digest, page, marks))
            if isinstance(drawn, Rejected):
                raise drawn
            self._kept[key] = drawn
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
            return drawn

    def close(self) -> None:
        """End the worker process."""
        self._worker.kill()


def _stamp(path: Path) -> tuple[int, int]:
    """What tells a changed file at a glance. Raises Rejected where there is none."""
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        raise Rejected(f"is gone: there is no {path.name} where it was read any more") from error
    return status.st_mtime_ns, status.st_size
