"""Whether what is to write can, found out before anybody waits for it."""

import re
from collections.abc import Callable
from pathlib import Path

from bot.providers import check_provider
from bot.responders import Writing
from finetune.base import find_base, fingerprint, how_quantised
from finetune.card import check_card

OF_THE_HUB = re.compile(r"[\w-][\w.-]*(/[\w.-]+)?")  # a name that a model of the hub may have


def check_ready(writing: Writing, tell: Callable[[str], None]) -> None:
    """Find what a model needs: itself, downloaded where it must be, and its adapter as trained; a provider's: the
    package and the key. `tell` hears of a download before it begins. Raises ShawGPTError.
    """
    if writing.provider:
        check_provider(writing.provider)
    elif writing.model:
        if OF_THE_HUB.fullmatch(writing.model) and not Path(writing.model).exists():
            tell(f"finding {writing.model} (it is downloaded where it isn't on this computer yet)")
        base = find_base(writing.model, writing.revision)
        how_quantised(base)
        if writing.adapter:
            check_card(writing.adapter, fingerprint(base))


def check_at_a_glance(writing: Writing) -> None:
    """The same without fetching or reading anything large: what passes may fail yet. Raises ShawGPTError."""
    if writing.provider:
        check_provider(writing.provider)
    elif writing.model and not OF_THE_HUB.fullmatch(writing.model):
        find_base(writing.model)
