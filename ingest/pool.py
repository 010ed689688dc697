"""Worker processes from the parent's side: started when needed, killed on a time-out, replaced after a crash."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from data.errors import Empty, Rejected
from data.models import Document
from data.places import listed
from ingest.ocr import DOCUMENT_SECONDS, PAGE_SECONDS
from ingest.page_picture import PagePicture, picture_from
from ingest.worker import MEMORY, SECONDS, document_from, read_frame, write_frame

_SWOLLEN = MEMORY // 3


class Worker:
    """One reusable child process that parses documents and draws pages. Used by one thread at a time; `kill` by any."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False

    def parse(
        self,
        request: dict[str, Any],
        body: bytes,
        seconds: float = SECONDS,
        scanning: Callable[[int, int], None] | None = None,
    ) -> Document | Rejected:
        """The document asked for, or why it can't be taken. A PDF that ends pdfium gets a second try with pypdf.

        Pages for OCR are read one by one, each within its own clock; `scanning` is told how many are done, and of how
        many.
        """
        deadline = time.monotonic() + seconds
        answer = self._ask({**request, "first": "pdfium"}, body, deadline)
        if answer is None and request["kind"] == "pdf" and not self._closed and time.monotonic() < deadline:
            answer = self._ask({**request, "first": "pypdf"}, body, deadline)
            if answer is not None and answer.get("empty"):  # not a scan: pdfium may well have met text before it died
                answer = None
        if answer is None:
            if time.monotonic() >= deadline:
                return Rejected(f"takes longer than {seconds:g} s to read")
            return Rejected(f"ends its reader: damaged, or needs more than {MEMORY >> 30} GiB of memory")
        if "ocr" in answer:
            otherwise = answer["otherwise"]
            answer = self._by_ocr(request, body, answer["ocr"], scanning)
            if otherwise and answer.get("empty"):
                answer = {"rejected": f"{otherwise}; OCR finds none either"}
        if "document" in answer:
            return document_from(answer["document"])
        return (Empty if answer.get("empty") else Rejected)(answer["rejected"])

    def _by_ocr(
        self, request: dict[str, Any], body: bytes, pages: list[int], scanning: Callable[[int, int], None] | None
    ) -> dict[str, Any]:
        """The worker's answer for a document of which `pages` (from 0) are read by OCR first."""
        end = time.monotonic() + DOCUMENT_SECONDS
        read: dict[int, str] = {}
        failed: list[int] = []
        for done, page in enumerate(pages):
            if scanning:
                scanning(done, len(pages))
            if self._closed or time.monotonic() >= end:
                told = f"OCR had read {done} of {len(pages)} pages after {DOCUMENT_SECONDS // 60} min: split it"
                return {"rejected": told}
            answer = self._ask({**request, "do": "ocr", "page": page}, body, time.monotonic() + PAGE_SECONDS) or {}
            if "text" in answer:
                read[page] = answer["text"]
            elif "rejected" in answer and not answer.get("empty"):
                return answer
            else:
                failed.append(page + 1)
        told = f"OCR can't read page{'s' * (len(failed) > 1)} {listed(failed)}" if failed else ""
        again = {**request, "first": "pdfium", "read": read, "failed": told}
        return self._ask(again, body, time.monotonic() + SECONDS) or {"rejected": "ends its reader: damaged"}

    def draw(self, request: dict[str, Any], seconds: float = SECONDS) -> PagePicture | Rejected:
        """The picture that a request of `ingest.page_picture` asks for, or why it can't be had."""
        deadline = time.monotonic() + seconds
        answer = self._ask(request, b"", deadline)
        if answer is None:
            if time.monotonic() >= deadline:
                return Rejected(f"takes longer than {seconds:g} s to draw")
            return Rejected(f"can't be drawn: damaged, or needs more than {MEMORY >> 30} GiB of memory")
        return picture_from(answer["picture"]) if "picture" in answer else Rejected(answer["rejected"])

    def kill(self) -> None:
        """End the process for good, whatever it is doing."""
        self._closed = True
        self._end()

    def _ask(self, request: dict[str, Any], body: bytes, deadline: float) -> dict[str, Any] | None:
        """The worker's answer; None where it hung (it is killed) or died."""
        process = self._started()
        clock = threading.Timer(max(0.0, deadline - time.monotonic()), process.kill)
        clock.daemon = True
        clock.start()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            write_frame(process.stdin, json.dumps(request).encode())
            write_frame(process.stdin, body)
            process.stdin.flush()
            frame = read_frame(process.stdout)
        except (OSError, ValueError):  # a broken pipe; or pipes closed under us by `kill`
            frame = None
        finally:
            clock.cancel()
        if frame is None:
            self._end()
            return None
        answer: dict[str, Any] = json.loads(frame)
        if answer["peak"] > _SWOLLEN:  # the next document is to have all of the memory it may have
            self._end()
        return answer

    def _started(self) -> "subprocess.Popen[bytes]":
        if self._process is None or self._process.poll() is not None:
            root = str(Path(__file__).parents[1])
            paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
            # -P keeps the user's current folder, where a data/ of their own may lie, out of the child's imports. A
            # session of its own keeps Ctrl-C from it: the parent ends it.
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "ingest.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
                start_new_session=True,
            )
            if self._closed:
                self._process.kill()
        return self._process

    def _end(self) -> None:
        if (process := self._process) is not None:
            with suppress(OSError, AttributeError):  # gone already; or no such groups, as on Windows
                os.killpg(process.pid, signal.SIGKILL)  # it leads its group: an OCR of its may be running
            process.kill()
            process.wait()
            self._process = None
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    try:
                        pipe.close()
                    except (OSError, ValueError):
                        continue
