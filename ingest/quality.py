"""What may pass as text: cleans characters that break tokenizers and databases, and refuses garbage by name."""

import re
import unicodedata
from functools import lru_cache

# NUL and other controls but tab and newline; lone surrogates; the noncharacters. Bidi marks, zero-width joiners and tag
# characters are kept: Arabic, Hindi and emoji need them, and a reviewer has to be able to see hidden ones.
_CONTROL = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_NEWLINE = re.compile("\r\n?|[\x0c\x85\u2028\u2029]")
_GLYPH_NAME = re.compile(r"/[A-Za-z]{1,3}\d{1,4}(?=/|\s|$)|\(cid:\d+\)|/uni[0-9A-F]{4}|/gid\d+")
_WORD = re.compile(r"[^\W\d_]{2,}")
_LONG_ASCII = re.compile(r"(?<![^\W\d_])[A-Za-z]{4,}(?![^\W\d_])")
_VOWEL = re.compile("[aeiouyAEIOUY]")
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
    place of letters, private-use or replacement characters, and the soup of fonts without a character map.
    """
    sample = text[:_SAMPLE]
    visible = [c for c in sample if not c.isspace()]
    if len(visible) < 4:
        return ""
    glyphs = sum(len(match.group()) for match in _GLYPH_NAME.finditer(sample))
    if glyphs > 0.3 * len(visible):
        return "unreadable text: glyph names such as “/g18” or “(cid:12)” in place of letters (the fonts have no map)"
    categories = [unicodedata.category(c) for c in visible]
    unknown = sum(c == "\ufffd" for c in visible) + sum(name in ("Co", "Cn") for name in categories)
    if unknown > 0.3 * len(visible):
        return "unreadable text: mostly private-use or replacement characters (the fonts have no map)"
    worded = sum(name[0] in "LMN" or name == "So" for name in categories)  # So: emoji
    if worded < 0.25 * len(visible):
        return "unreadable text: hardly a letter or digit in it"
    if len(visible) >= 200 and max(map(visible.count, set(visible[:50]))) > 0.8 * len(visible):
        return "unreadable text: one character repeated"
    if _voiceless(sample) or _mixed(sample):
        return "unreadable text: no words in it (the fonts map letters wrongly)"
    return ""


def _voiceless(sample: str) -> bool:
    """Whether most longer words of a Latin text have no vowel, as in no language."""
    words = [word for word in _LONG_ASCII.findall(sample[:20_000]) if not word.isupper()]
    letters = sum(c.isalpha() for c in sample[:20_000])
    if len(words) < 20 or sum(map(len, words)) < 0.3 * letters:
        return False
    return sum(bool(_VOWEL.search(word)) for word in words) < 0.5 * len(words)


def _mixed(sample: str) -> bool:
    """Whether words mix scripts (Greek, Thai and Cyrillic letters in one), as only a wrong character map does."""
    words = [word for word in _WORD.findall(sample[:20_000]) if not word.isascii()]
    if len(words) < 10:
        return False
    return sum(len({_script(c) for c in word} - {"CJK"}) > 1 for word in words) > 0.4 * len(words)


@lru_cache(maxsize=4096)
def _script(letter: str) -> str:
    """The first word of a letter's Unicode name: its script; those that are written mixed count as one."""
    name = unicodedata.name(letter, "UNKNOWN").partition(" ")[0]
    return "CJK" if name in {"HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "HANGUL", "IDEOGRAPHIC", "MODIFIER"} else name
