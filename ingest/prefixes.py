"""What is put before a chunk when it is embedded: its document's title and the headings above it."""

from collections.abc import Callable, Sequence

from data.models import Document

Counter = Callable[[Sequence[str]], list[int]]

SPECIAL = 2  # tokens the model adds around a text


class Prefixes:
    """The lines put before a chunk when it is embedded: the title and the path of headings, cut to size."""

    def __init__(self, document: Document, count_tokens: Counter, room: int) -> None:
        self._document = document
        self._count = count_tokens
        self._room = room
        self._known: dict[str, str] = {}
        self._paths = _paths(document)
        self.longest = room if document.headings else sum(self._tokens([self.of("")]))

    def path(self, first: int, last: int) -> str:
        """The heading path of a chunk: what the paths of its first and last section share, or else the first's.

        A heading that repeats the document's title is left out.
        """
        one, two = (self._paths[index] if index >= 0 else () for index in (first, last))
        shared = [a for a, b in zip(one, two, strict=False) if a == b]
        path = tuple(shared) or one or two[:1]
        return " > ".join(path[1:] if path[:1] == (self._document.title,) else path)

    def of(self, path: str) -> str:
        """The prefix for a heading path, line end included; at most `room` tokens, the title at most half of it."""
        if path not in self._known:
            title = self._cut(self._document.title, self._room // 2 if path else self._room, keep_end=False)
            used = self._tokens([title])[0] if title else 0
            lines = filter(None, (title, self._cut(path, self._room - used, keep_end=True)))
            self._known[path] = "".join(f"{line}\n" for line in lines)
        return self._known[path]

    def _cut(self, line: str, room: int, *, keep_end: bool) -> str:
        """As many whole words of `line` as have at most `room` tokens, from its end or its beginning."""
        words = line.split()[: 4 * self._room] if not keep_end else line.split()[-4 * self._room :]
        if not words:
            return ""
        total = 0
        kept: list[str] = []
        counts = self._tokens(words)
        order = -1 if keep_end else 1
        for word, tokens in zip(words[::order], counts[::order], strict=True):
            total += tokens
            if total > room:
                break
            kept.append(word)
        return " ".join(kept[::order])

    def _tokens(self, texts: list[str]) -> list[int]:
        return [count - SPECIAL for count in self._count(texts)]


def _paths(document: Document) -> list[tuple[str, ...]]:
    """For each heading the texts of those above it, and its own."""
    open_headings: list[tuple[int, str]] = []
    paths = []
    for heading in document.headings:
        open_headings = [(level, title) for level, title in open_headings if level < heading.level]
        open_headings.append((heading.level, heading.text))
        paths.append(tuple(title for _, title in open_headings))
    return paths
