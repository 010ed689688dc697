"""Tokens to text as they come: whole characters only, and never a part of what ends the text."""

from collections.abc import Sequence

from finetune.tokens import TextTokens

_PART = "\ufffd"  # what a decoder gives for a character whose bytes aren't all there yet


class GrowingText:
    """The text of a reply while it is written. What `add` and `close` return, joined, is `text`."""

    def __init__(self, tokens: TextTokens, stop: Sequence[str]) -> None:
        self.text = ""  # what was returned so far
        self.stopped = False  # a stop string was met
        self._tokens = tokens
        self._stop = stop
        self._ids: list[int] = []  # the last ones, those before `_read` being in the text already
        self._read = 0
        self._held = ""  # text that may be the beginning of a stop string

    def add(self, id: int) -> str:
        """The text that is sure now that the token `id` has come; none after a stop string."""
        self._ids.append(id)
        # A token's text depends on the one before (SentencePiece takes the space off the first), so both are decoded
        before, now = self._tokens.decode(self._ids[: self._read]), self._tokens.decode(self._ids)
        if len(now) <= len(before) or now.endswith(_PART):
            return ""
        self._ids = self._ids[self._read :]
        self._read = len(self._ids)
        return self._release(now[len(before) :])

    def close(self) -> str:
        """What was held back. Bytes of a character that never was completed are dropped."""
        before, now = self._tokens.decode(self._ids[: self._read]), self._tokens.decode(self._ids)
        released = self._release(now[len(before) :].rstrip(_PART))
        if not self.stopped:
            released += self._show(self._held)
        self._held = ""
        return released

    def _release(self, new: str) -> str:
        if self.stopped:
            return ""
        text = self._held + new
        found = [place for stop in self._stop if (place := text.find(stop)) >= 0]
        self.stopped = bool(found)
        kept = min(found) if found else len(text) - max((_overlap(text, stop) for stop in self._stop), default=0)
        self._held = text[kept:]
        return self._show(text[:kept])

    def _show(self, piece: str) -> str:
        piece = piece if self.text else piece.lstrip()  # the space that SentencePiece puts before a reply
        self.text += piece
        return piece


def _overlap(text: str, stop: str) -> int:
    """The length of the longest end of `text` that begins `stop`."""
    return next((n for n in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:n])), 0)
