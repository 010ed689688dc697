"""Which programs may use the service, and how much."""

from dataclasses import dataclass, field

from bot.service.keys import Keys

A_MINUTE = 600  # requests of a key, or of this computer where there are no keys


@dataclass(frozen=True)
class Access:
    """The keys that are let in, and the requests a minute that each may send."""

    keys: Keys = field(default_factory=Keys)
    a_minute: int = A_MINUTE
