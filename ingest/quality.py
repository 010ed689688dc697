"""What may pass as text: cleans characters that break tokenizers and databases, and refuses garbage by name."""

import re
import unicodedata

# NUL and other controls but tab and newline; lone surrogates; the noncharacters. Bidi marks, zero-width joiners and tag
# characters are kept: Arabic, Hindi and emoji need them, and a reviewer has to be able to see hidden ones.
_CONTROL = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_NEWLINE = re.compile("\r\n?|[\x0c\x85\u2028\u2029]")
_GLYPH_NAME = re.compile(r"/[A-Za-z]{1,3}\d{1,4}(?=/|\s|$)|\(cid:\d+\)|/uni[0-9A-F]{4}|/gid\d+")
_SAMPLE = 200_000  # characters looked at: enough to judge a book


def sanitise(text: str) -> str:
    """`text` with LF line ends and without NULs, control characters and lone surrogates; otherwise verbatim.

    Surrogate pairs, as some PDFs give them, become the character they stand for.
    """
    text = _NEWLINE.sub("\n", text)
    if _CONTROL.search(text) is None:
        return text
    text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return _CONTROL.sub("", text)


def garbage(text: str) -> str:
    """Why `text` isn't text a person could read, or an empty string where it is.

    Judged on shares of the visible characters, so tables, code and any script pass; what fails is glyph names in
    place of letters, private-use or replacement characters, and control soup of fonts without a character map.
    """
    sample = text[:_SAMPLE]
    visible = [c for c in sample if not c.isspace()]
    if len(visible) < 20:
        return ""
    glyphs = sum(len(match.group()) for match in _GLYPH_NAME.finditer(sample))
    if glyphs > 0.3 * len(visible):
        return "unreadable text: glyph names such as “/g18” or “(cid:12)” in place of letters (the fonts have no map)"
    categories = [unicodedata.category(c) for c in visible]
    unknown = sum(c == "\ufffd" for c in visible) + sum(name in ("Co", "Cn") for name in categories)
    if unknown > 0.3 * len(visible):
        return "unreadable text: mostly private-use or replacement characters (the fonts have no map)"
    letters = sum(name[0] in "LMN" for name in categories)
    if letters < 0.25 * len(visible) and len(visible) >= 200:
        return "unreadable text: hardly a letter or digit in it"
    if len(visible) >= 200 and _longest_share(visible) > 0.8:
        return "unreadable text: one character repeated"
    if _scrambled(sample):
        return "unreadable text: no words in it (the fonts map letters wrongly)"
    return ""


def _longest_share(visible: list[str]) -> float:
    return max(visible.count(c) for c in set(visible[:50])) / len(visible)


_LATIN_WORD = re.compile(r"[^\W\d_]{2,}")
_VOWEL = re.compile("[aeiouyAEIOUYà-ýÀ-Ý]")


def _scrambled(sample: str) -> bool:
    """Whether mostly Latin text has words that no language has: nearly none of them holds a vowel."""
    words = [word for word in _LATIN_WORD.findall(sample[:20_000]) if word.isascii()]
    letters = sum(c.isalpha() for c in sample[:20_000])
    if len(words) < 40 or sum(map(len, words)) < 0.5 * letters:
        return False
    long = [word for word in words if len(word) >= 4 and not word.isupper()]
    return len(long) >= 20 and sum(bool(_VOWEL.search(word)) for word in long) < 0.5 * len(long)
