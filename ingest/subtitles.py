"""Subtitles (SRT, WebVTT): what is said in a video as running text; a page is a minute."""

import re
from html import unescape
from pathlib import Path

from data.errors import Empty, Rejected
from data.models import Document
from ingest.quality import sanitise
from ingest.text import checked, decode
from ingest.titles import stem_title

_MOST_MINUTES = 24 * 60  # a cue beyond a day is no time of a video
_PAUSE = 2_000  # milliseconds of silence that part paragraphs
_PARAGRAPH = 600  # characters from which the next sentence begins another
_MINUTE = 60_000
_STAMP = re.compile(r"<[\d:.,]{5,20}>")  # when a word is said, inside a line: the library takes two for a cue's times
_TAG = re.compile(r"<[^<>]{0,300}>")
_SOUND = re.compile(r"[\[(（【][^\])）】]{0,60}[\])）】]|[♪♫]+(?:[^♪♫]*[♪♫]+)?")  # [Music], (applause), ♪ … ♪
_SPEAKER = re.compile(r"^\s*(?:(?:>>+|&gt;&gt;|[-–—])\s*)+")
_ENDED = re.compile(r"[.!?…。！？]['\"”’»)\]]*$")

Cue = tuple[int, int, list[str]]  # from and to in milliseconds, lines


def read_subtitles(source: str, content: Path | bytes, charset: str = "") -> Document:
    """A subtitle file as a document. Raises Empty where nothing is said, Rejected where it is no subtitle file."""
    text = sanitise(decode(content, charset))
    if not text.strip():
        raise Empty("no text in it")
    said = _once(_cues(text))
    timed = all(0 <= start < _MOST_MINUTES * _MINUTE for start, _, _ in said)
    body, minutes = _joined(said)
    starts = _starts(minutes, len(body)) if timed else ()
    return checked(Document(source, "subtitles", body, stem_title(_without_language(source)), page_starts=starts))


def _cues(text: str) -> list[Cue]:
    """The cues in the order of their times, each with its lines, marks and tags taken off."""
    import pysubs2

    try:
        form = "vtt" if text.lstrip("\ufeff \n").startswith("WEBVTT") else "srt"
        events = list(pysubs2.SSAFile.from_string(_STAMP.sub("", text), form))
    except (pysubs2.Pysubs2Error, ValueError, OverflowError) as error:
        raise Rejected("not readable as subtitles (SRT or WebVTT)") from error
    if not events and form == "vtt":
        raise Empty("nothing is said in it")
    if not events:
        raise Rejected("not subtitles (SRT or WebVTT): there are no times in it")
    # A cue ends at a blank line; the library takes what follows (a note, the next one's name) for a part of it.
    cues = [(each.start, each.end, _lines(each.plaintext.strip("\n").split("\n\n")[0])) for each in events]
    return sorted((cue for cue in cues if cue[2]), key=lambda cue: cue[0])


def _lines(text: str) -> list[str]:
    lines = (unescape(_TAG.sub("", line)) for line in text.split("\n"))
    plain = (" ".join(_SPEAKER.sub("", _SOUND.sub(" ", line)).split()) for line in lines)
    return [line for line in plain if line]


def _once(cues: list[Cue]) -> list[tuple[int, int, str]]:
    """What each cue adds. Captions that roll repeat the lines of the cue before, and some let a line grow."""
    found: list[tuple[int, int, str]] = []
    before: list[str] = []
    ended = -_MINUTE
    for start, end, lines in cues:
        if start - ended > _PAUSE:
            before = []
        shared = next((n for n in range(min(len(before), len(lines)), 0, -1) if before[-n:] == lines[:n]), 0)
        new = lines[shared:]
        if new and before and not shared and new[0].startswith(f"{before[-1]} "):
            new[0] = new[0][len(before[-1]) + 1 :]
        if new:
            found.append((start, end, " ".join(new)))
        before, ended = lines or before, max(ended, end)
    return found


def _joined(said: list[tuple[int, int, str]]) -> tuple[str, list[tuple[int, int]]]:
    """The text, and (minute from 0, offset) of each cue. Pauses, and some ends of sentences, end paragraphs."""
    pieces: list[str] = []
    minutes: list[tuple[int, int]] = []
    length = begun = 0  # begun: where the paragraph began
    ended, last = 0, ""
    for start, end, text in said:
        glue = " " if last else ""
        if last and _ENDED.search(last) and (start - ended >= _PAUSE or length - begun > _PARAGRAPH):
            glue, begun = "\n\n", length
        minutes.append((start // _MINUTE, length + len(glue)))
        pieces += [glue, text]
        length += len(glue) + len(text)
        ended, last = max(ended, end), text
    return "".join(pieces), minutes


def _starts(minutes: list[tuple[int, int]], length: int) -> tuple[int, ...]:
    """Where each minute begins; one in which nobody speaks begins where the next one does."""
    starts = [-1] * (max((minute for minute, _ in minutes), default=0) + 1)
    for minute, offset in reversed(minutes):
        starts[minute] = offset
    for at in range(len(starts) - 1, -1, -1):
        length = starts[at] = starts[at] if starts[at] >= 0 else length
    return tuple(starts)


def _without_language(source: str) -> str:
    """ "talk.en.vtt" as "talk.vtt"."""
    return re.sub(r"\.[a-z]{2,3}(?:-[A-Za-z0-9-]{2,12})?(?=\.\w+$)", "", source)
