"""Pages of PDFs on the page: the button in a source's panel, and the function by which its script gets the picture."""

import json
from base64 import b64encode
from collections.abc import Callable, Sequence
from html import escape
from typing import Any

from bot.cited_pages import can_be_drawn, marks_of, picture
from bot.page.desk import Desk
from bot.page.markup import attribute, valid
from data.errors import ShawGPTError
from data.models import Passage
from ingest.quote_places import Mark

MOST_MARKS = 40  # of a page, that a browser may ask for
LONGEST = 6_000  # characters of one

Answered = dict[str, Any]  # as JSON


def page_button(passage: Passage, title: str, quotes: Sequence[str]) -> str:
    """The button that shows the page of what is quoted; nothing where the passage is of no PDF file.

    It names the passage by the id of its chunk: where files lie on the server is nobody's business.
    """
    if not can_be_drawn(passage):
        return ""
    marks = marks_of(passage, quotes)
    asked = {page: [[mark.quote, mark.before, mark.after] for mark in of] for page, of in marks.items()}
    first = min(marks, default=passage.page_start)
    return (
        f'<button type="button" class="sg-button sg-show-page" data-chunk="{attribute(passage.chunk_id)}"'
        f' data-page="{first}" data-title="{attribute(title)}"'
        f' data-marks="{escape(valid(json.dumps(asked, ensure_ascii=False)), quote=True)}">Show the page</button>'
    )


def page_pictures(desk: Desk) -> Callable[[Answered], Answered]:
    """What the script of the panels calls."""

    def page_picture(data: Answered) -> Answered:
        """Page `data["page"]` of the document of `data["chunk"]` as a data: address, with `data["marks"]` on it."""
        try:
            asked = [[str(part)[:LONGEST] for part in mark] for mark in data["marks"][:MOST_MARKS]]
            marks = [Mark(quote, before, after) for quote, before, after in asked]
            drawn = picture(desk.assistant, str(data["chunk"]), int(data["page"]), marks)
        except ShawGPTError as error:
            return {"error": valid(str(error))}
        except (KeyError, TypeError, ValueError):
            return {"error": "this page can't be asked for"}
        source = f"data:image/png;base64,{b64encode(drawn.png).decode()}"
        return {
            "src": source, "page": drawn.page, "pages": drawn.pages, "found": list(drawn.found), "top": drawn.top,
        }  # fmt: skip

    return page_picture
