"""Hidden Unicode: characters a reader doesn't see and a model does. Found, shown and stripped here, and nowhere else.

What a script or an emoji needs is left alone: joiners in emoji sequences and in Arabic or Indic words, the tag
characters of a flag such as Scotland's, variation selectors after a character they vary, direction marks in a text
that has right-to-left letters.
"""

import re
import unicodedata

# Visible although Unicode calls them format characters: Arabic, Syriac and Kaithi number signs.
_VISIBLE = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u08e2\u0890\u0891\U000110bd\U000110cd")
# Blank although Unicode calls them letters or marks: Hangul fillers, the grapheme joiner, Khmer inherent vowels, …
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180e\u180f\u2028\u2029\u2800\u3164\uffa0")
_JOINERS = frozenset("\u200c\u200d")
_DIRECTION_MARKS = frozenset("\u200e\u200f\u061c")
_FLAG = re.compile("\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f")
_TAGS = range(0xE0000, 0xE0080)
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
# Scripts whose words use joiners: Arabic to N'Ko, the Indic blocks up to Sinhala, Khmer, Mongolian.
_JOINING = re.compile("[\u0600-\u07ff\u0860-\u0dff\u1780-\u17ff\u1800-\u18af\ua840-\ua87f\ufb50-\ufdff\ufe70-\ufefc]")


def find_hidden(text: str) -> tuple[int, ...]:
    """Offsets of the hidden characters of `text`, ascending."""
    if text.isascii() and text.isprintable():
        return ()
    kept = {offset for flag in _FLAG.finditer(text) for offset in range(*flag.span())}
    right_to_left = _RIGHT_TO_LEFT.search(text) is not None
    return tuple(
        offset
        for offset, character in enumerate(text)
        if offset not in kept and _hides(text, offset, character, right_to_left)
    )


def show_hidden(text: str) -> str:
    """`text` with each hidden character spelt out, for a reviewer: "a⟨U+202E⟩b"."""
    hidden = set(find_hidden(text))
    return "".join(f"⟨U+{ord(c):04X}⟩" if i in hidden else c for i, c in enumerate(text)) if hidden else text


def strip_hidden(text: str) -> str:
    """`text` without its hidden characters."""
    hidden = set(find_hidden(text))
    return "".join(c for i, c in enumerate(text) if i not in hidden) if hidden else text


def tag_text(text: str) -> str:
    """What invisible tag characters spell, as ASCII: a message that only a model reads. Empty where there are none."""
    spelt = (chr(ord(text[i]) - 0xE0000) for i in find_hidden(text) if ord(text[i]) in _TAGS)
    return "".join(c for c in spelt if c.isprintable())


def _hides(text: str, offset: int, character: str, right_to_left: bool) -> bool:
    if character in "\t\n\r" or character in _VISIBLE:
        return False
    before = text[offset - 1] if offset else ""
    after = text[offset + 1] if offset + 1 < len(text) else ""
    if character in _JOINERS:
        return not _joins(before, after)
    if character in _DIRECTION_MARKS:
        return not right_to_left
    if "\ufe00" <= character <= "\ufe0f":  # varies the character before it, once
        return not before or before.isspace() or "\ufe00" <= before <= "\ufe0f"
    if "\U000e0100" <= character <= "\U000e01ef":  # varies an ideograph, once
        return not (before and unicodedata.name(before, "").startswith("CJK"))
    return character in _BLANK or unicodedata.category(character) in ("Cf", "Cc", "Cs")


def _joins(before: str, after: str) -> bool:
    """Whether a joiner between these two does its work: in a word of a joining script, or in an emoji sequence."""
    if before and _JOINING.match(before):
        return True
    return bool(before and after) and _emoji(before) and _emoji(after)


def _emoji(character: str) -> bool:
    return character == "\ufe0f" or unicodedata.category(character) in ("So", "Sk")
