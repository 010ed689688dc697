"""The child process that parses documents and draws pages: one at a time, within limits, with frames over its pipes.

A frame is a length (4 bytes, big endian) and that many bytes. Request: a JSON frame, then a frame with the body (empty
where the document is a file to open). Answer: a JSON frame with "document", "picture", "ocr" (the pages that have to be
asked for one by one, and handed over when the document is asked for again), "text" (of such a page) or "rejected".
"""

import dataclasses
import json
import os
import struct
import sys
from pathlib import Path
from typing import IO, Any

from data.errors import Empty, Rejected
from data.limits import arm, limit_memory
from data.models import Document, Heading
from ingest.ocr import PAGE_SECONDS, NeedsOcr, page_text

SECONDS = 30  # a document takes at most this long …
MEMORY = 1 << 30  # … and this many bytes of address space


def main() -> None:
    """Answer requests until stdin closes, as it does when the parent ends in whatever way."""
    requests, answers = _own_pipes()
    limit_memory(MEMORY)
    while (header := read_frame(requests)) is not None:
        body = read_frame(requests)
        request = json.loads(header)
        arm((PAGE_SECONDS if request.get("do") == "ocr" else SECONDS) + 5)
        try:
            answer = _answer(request, body or b"")
        except MemoryError:
            answer = {"rejected": f"needs more than {MEMORY >> 30} GiB of memory"}
        arm(0)
        answer["peak"] = _peak()
        write_frame(answers, json.dumps(answer).encode())
        answers.flush()


def _answer(request: dict[str, Any], body: bytes) -> dict[str, Any]:
    content = Path(request["path"]) if request["path"] else body
    try:
        if request.get("do") == "draw":
            from ingest.page_picture import answer_to

            return {"picture": answer_to(request)}
        if request.get("do") == "ocr":
            return {"text": page_text(request, content)}
        return {"document": dataclasses.asdict(_parse(request, content))}
    except NeedsOcr as need:
        return {"ocr": need.pages, "otherwise": need.otherwise}
    except Empty as error:
        return {"rejected": str(error), "empty": True}
    except Rejected as error:
        return {"rejected": str(error)}
    except OSError as error:
        return {"rejected": f"can't be read: {error.strerror or error}"}
    except RecursionError:
        return {"rejected": "nested too deeply to read"}
    except MemoryError:
        raise
    except Exception as error:  # a library's bug on one document must not end the others
        kind = request.get("kind", "a page to draw")
        return {"rejected": f"can't be read as {kind} ({type(error).__name__}: {error})"[:200]}


def _parse(request: dict[str, Any], content: Path | bytes) -> Document:
    source, kind = request["source"], request["kind"]
    read = {int(page): text for page, text in request["read"].items()} if "read" in request else None
    if kind == "pdf":
        from ingest.pdf import read_pdf

        return read_pdf(source, content, request["password"], request["first"], read, request.get("failed", ""))
    if kind == "image":
        from ingest.image import read_image

        return read_image(source, content, read, request.get("failed", ""))
    if kind == "docx":
        from ingest.docx import read_docx

        return read_docx(source, content)
    if kind == "pptx":
        from ingest.pptx import read_pptx

        return read_pptx(source, content)
    if kind == "xlsx":
        from ingest.xlsx import read_xlsx

        return read_xlsx(source, content)
    if kind == "csv":
        from ingest.csv import read_csv

        return read_csv(source, content, request["charset"])
    if kind == "epub":
        from ingest.epub import read_epub

        return read_epub(source, content)
    if kind == "subtitles":
        from ingest.subtitles import read_subtitles

        return read_subtitles(source, content, request["charset"])
    if kind == "html":
        from ingest.html import read_html

        return read_html(source, content, request["charset"])
    if kind == "markdown":
        from ingest.markdown import read_markdown

        return read_markdown(source, content, request["charset"])
    from ingest.text import read_text

    return read_text(source, content, request["charset"])


def document_from(fields: dict[str, Any]) -> Document:
    """The document that an answer's JSON holds."""
    headings = tuple(Heading(**heading) for heading in fields["headings"])
    pages = {name: tuple(fields[name]) for name in ("page_starts", "page_labels")}
    return Document(**{**fields, **pages, "headings": headings})


def read_frame(stream: IO[bytes]) -> bytes | None:
    """The next frame, or None where the stream has ended."""
    head = stream.read(4)
    if len(head) < 4:
        return None
    size = struct.unpack(">I", head)[0]
    body = stream.read(size)
    return body if len(body) == size else None


def write_frame(stream: IO[bytes], body: bytes) -> None:
    """Write one frame; the caller flushes."""
    stream.write(struct.pack(">I", len(body)))
    stream.write(body)


def _own_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """stdin and stdout for frames alone: what a library prints must not end up between them."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    return requests, answers


def _peak() -> int:
    """The most memory this process has had, in bytes."""
    if sys.platform == "win32":
        return 0
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main()
