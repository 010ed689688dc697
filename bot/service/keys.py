"""API keys: which programs may use the service. Kept as digests; never shown, and told apart by number alone."""

import hashlib
import hmac
from collections.abc import Sequence
from pathlib import Path

from data.errors import BadInput, NotFound

SHORTEST, LONGEST = 16, 512  # characters of a key: shorter ones can be guessed
MOST = 1000  # keys
LARGEST = MOST * (LONGEST + 2)  # bytes of a file of them
VARIABLE = "SHAWGPT_API_KEYS"


class Keys:
    """The keys that are let in; none where there are none."""

    def __init__(self, keys: Sequence[str] = ()) -> None:
        self._digests = [_digest(key) for key in dict.fromkeys(keys)]

    def __bool__(self) -> bool:
        return bool(self._digests)

    def __len__(self) -> int:
        return len(self._digests)

    def number(self, offered: str) -> int | None:
        """Which key `offered` is, from 0; None for none of them. It takes the same time for each."""
        digest, found = _digest(offered), None
        for number, known in enumerate(self._digests):
            if hmac.compare_digest(digest, known):
                found = number
        return found


def load_keys(file: Path | None, variable: str = "") -> Keys:
    """The keys in `file`, one a line (# begins a comment), and those in `variable`, separated by commas.

    Raises NotFound for a file that isn't there, BadInput for one without keys and for what is no key. No message holds
    a part of a key.
    """
    keys = _checked([part.strip() for part in variable.split(",") if part.strip()], VARIABLE)
    if file is None:
        return Keys(keys)
    if not file.is_file():
        raise NotFound(f"{file} is no file: --api-key-file takes one with an API key a line")
    if file.stat().st_size > LARGEST:
        raise BadInput(f"{file} is too large for a file of API keys, one a line ({MOST:,} at most)")
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{file} can't be read as a text file with an API key a line") from error
    found = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not found:
        raise BadInput(f"{file} has no API keys in it: write one a line, as `openssl rand -hex 32` makes them")
    return Keys([*keys, *_checked(found, str(file))])


def _checked(keys: list[str], where: str) -> list[str]:
    for number, key in enumerate(keys, 1):
        if not SHORTEST <= len(key) <= LONGEST or not key.isascii() or not key.isprintable() or " " in key:
            raise BadInput(
                f"{where}: key {number} is none: use {SHORTEST} to {LONGEST} letters, digits and signs without spaces, "
                "as `openssl rand -hex 32` makes them"
            )
    if len(keys) > MOST:
        raise BadInput(f"{where} has {len(keys):,} API keys: {MOST:,} at most")
    return keys


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "replace")).digest()
