"""Which old encoding a text that is not UTF-8 is in: judged by whether its letters stand as some language's do.

Libraries that compare statistics of all encodings there are need a page of text to be right; a comment or a short note
is what is met here. So: the encodings in use, and the letters of the languages written in them.
"""

_LATIN = [  # the letters beyond ASCII of each language; the first of equals wins
    ("cp1252", ("äöüß", "àâçèéêëîïôùûœæ", "áéíñóúü", "àèéìòù", "àáâãçéêíóôõú", "åäöæøé", "áðéíóúýþæö")),
    ("cp1250", ("ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "ăâîşţ", "čćđšž")),
    ("iso8859_2", ("ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áéíóöőúüű")),
    ("cp1254", ("çğıöşüİâ",)),
]
_ALPHABETS = [  # the ten letters that make up most of a text
    ("cp1251", "оеаиінтсрвл"),
    ("koi8_r", "оеаинтсрвл"),
    ("cp866", "оеаинтсрвл"),
    ("cp1253", "αοιετσνηυρ"),
    ("cp1255", "יוהלאתרבמש"),
    ("cp1256", "اليمنوترةب"),
]
# Of each multi-byte encoding, the first bytes of its common characters, lowest and highest, and the lowest second byte.
_PAIRS = [
    ("cp932", ((0x82, 0x83, 0x40), (0x88, 0x97, 0x40), (0x81, 0x81, 0x41))),
    ("cp949", ((0xB0, 0xC8, 0xA1), (0xA1, 0xA1, 0xA2))),
    ("euc_jp", ((0xA4, 0xA5, 0xA1), (0xB0, 0xCF, 0xA1), (0xA1, 0xA1, 0xA2))),
    ("gb18030", ((0xB0, 0xD7, 0xA1), (0xA1, 0xA1, 0xA2), (0xA3, 0xA3, 0xA1))),
    ("big5", ((0xA4, 0xC6, 0x40), (0xA1, 0xA1, 0x41))),
]
_MARKS = frozenset("«»“”„‘’‚–—…•€°§£©®™№·¿¡ªº\u00a0")
_SAMPLE = 4_000  # bytes that are judged
_SEEN, _RARE = 0.5, 0.2  # what a usual mark counts, and a letter that the language hasn't, against 1 for one it has


def guess_encoding(data: bytes) -> str:
    """The name of the encoding of `data`, which is text but not UTF-8; cp1252 where nothing tells.

    A word is enough for Western text and, from four letters on, for Russian; others need a line or so. A few words of
    Polish or Czech whose bytes are also letters of French ("děkuji") are taken for that.
    """
    lines = [line for line in data[:1_000_000].splitlines() if not line.isascii()]
    sample = b"\n".join(lines)[:_SAMPLE]
    scores = [(sum(_letter(*near, letters) for near in _near(text)), name) for name, text, letters in _read(sample)]
    for name, common in _PAIRS:
        text = sample.decode(name, "replace")
        scores.append((sum(_pair(*near, name, common) for near in _near(text)), name))
    best = max(score for score, _ in scores)
    return next(name for score, name in scores if score >= best - 1e-9)


def _read(sample: bytes) -> list[tuple[str, str, frozenset[str]]]:
    """The sample as read in each single-byte encoding, for each language of it."""
    rows = [(name, letters) for name, languages in _LATIN for letters in languages] + _ALPHABETS
    return [(name, sample.decode(name, "replace"), frozenset(letters)) for name, letters in rows]


def _near(text: str) -> list[tuple[str, str, str]]:
    """Each character beyond ASCII between its neighbours."""
    framed = f" {text} "
    return [(framed[i - 1], c, framed[i + 1]) for i, c in enumerate(framed) if not c.isascii()]


def _letter(before: str, c: str, after: str, letters: frozenset[str]) -> float:
    """How well one byte's character stands where it does, −1 to 1."""
    if not c.isalpha() or c in "ªº":
        inside = before.isalpha() and after.isalpha()
        return _SEEN if c in _MARKS and (c == "’" or not inside) else -1.0
    if (c.isupper() and before.islower()) or before.isdigit() or after.isdigit():
        return -1.0
    ascii_near = [other.isascii() for other in (before, after) if other.isalpha()]
    if min(letters) < "\u0250":  # Latin: these letters stand among those of ASCII
        if not any(ascii_near):
            return -1.0 if len(ascii_near) == 2 else _RARE
    elif any(ascii_near):  # another alphabet: they stand among themselves
        return -1.0
    elif not ascii_near:
        return _RARE
    return 1.0 if c.lower() in letters or c in letters else _RARE


def _pair(before: str, c: str, after: str, name: str, common: tuple[tuple[int, int, int], ...]) -> float:
    """The same for a character of two bytes, −2 to 2; none stands alone between ASCII letters."""
    raw = c.encode(name, "replace") if c != "\ufffd" else b"?"
    if len(raw) == 1:
        return -1.0
    if before.isascii() and after.isascii() and (before.isalnum() or after.isalnum()):
        return -2.0
    return 2.0 if any(low <= raw[0] <= high and raw[1] >= second for low, high, second in common) else 0.0
