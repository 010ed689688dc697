"""Who runs a model for us: the providers, where each listens, and which key it may be shown.

Text leaves this computer only for a provider that a person named. A persona's file may come from a stranger, so it can
name a provider, or an address on this computer; any other address a person gives with --base-url. The key of the
environment is shown to the provider's own address and to one that a person gave, never to one that a file names.
"""

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from data.calls import Calls
from data.errors import BadInput, NotFound
from data.hidden import show_hidden

if TYPE_CHECKING:
    from data.persona import Persona
    from data.sampling import Sampling

FAR, NEAR = 120.0, 600.0  # seconds for a reply: of a provider, of a server on this computer, which may have no GPU
LONGEST = 2000  # characters of an address


@dataclass(frozen=True)
class Kind:
    """What there is to know of a provider."""

    package: str  # LangChain's, which speaks to it; the extra has the provider's name
    key: str  # the environment's variable with the key
    address: str  # its own
    others: tuple[str, ...]  # the environment's variables that name another
    hottest: float = 2.0  # the highest temperature that it takes
    unknown: tuple[str, ...] = ()  # the settings of sampling that it has not


_PENALTIES = ("frequency_penalty", "presence_penalty")
KINDS: Mapping[str, Kind] = {
    "openai": Kind(
        "langchain_openai", "OPENAI_API_KEY", "https://api.openai.com/v1", ("OPENAI_BASE_URL", "OPENAI_API_BASE")
    ),
    "anthropic": Kind(
        "langchain_anthropic", "ANTHROPIC_API_KEY", "https://api.anthropic.com",
        ("ANTHROPIC_BASE_URL", "ANTHROPIC_API_URL"), 1.0, (*_PENALTIES, "seed"),
    ),
    "mistralai": Kind(
        "langchain_mistralai", "MISTRAL_API_KEY", "https://api.mistral.ai/v1", ("MISTRAL_BASE_URL",), 1.0
    ),
    "ollama": Kind("langchain_ollama", "OLLAMA_API_KEY", "http://127.0.0.1:11434", ("OLLAMA_HOST",), 2.0, _PENALTIES),
}  # fmt: skip


@dataclass(frozen=True)
class Provider:
    """A provider's model, where it listens, and how it is called. It holds no key."""

    kind: str
    model: str  # the name that the provider has for it
    address: str  # http(s)://host[:port][/path]
    trusted: bool  # whether the key may be shown there: the provider's own address, or one that a person gave
    calls: Calls

    @property
    def here(self) -> bool:
        """Whether it is on this computer."""
        return is_here(self.address)

    @property
    def timeout(self) -> float:
        """Seconds for a reply."""
        return self.calls.timeout or (NEAR if self.here else FAR)

    def key(self) -> str:
        """The key to show there; empty for none. Raises BadInput for one that can't be sent."""
        key = os.environ.get(KINDS[self.kind].key, "").strip() if self.trusted else ""
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise BadInput(f"{KINDS[self.kind].key} holds what no key has (a space, a line break, …): set it anew")
        return key


def is_provider(name: str) -> bool:
    """Whether a responder of this name is a provider's model."""
    return ":" in name or name in KINDS


def find_provider(name: str, base_url: str | None, persona: "Persona", calls: Calls) -> Provider:
    """The provider's model that `name`, as in openai:gpt-5, means, at `base_url` where a person gave one.

    Raises NotFound for an unknown provider, BadInput for no model and for an address that can't be used.
    """
    kind, _, model = name.partition(":")
    if kind not in KINDS:
        raise NotFound(
            f"no provider {kind!r} (known: {', '.join(KINDS)}; what speaks OpenAI's protocol is openai:MODEL with "
            "--base-url)"
        )
    model = model.strip()
    if not model or len(model) > LONGEST or show_hidden(model) != model:
        raise BadInput(f"--responder {name}: name the provider's model behind the colon, as in {kind}:MODEL")
    known = KINDS[kind]
    variable = next((each for each in known.others if os.environ.get(each, "").strip()), "")
    if base_url is not None:
        address, trusted = _address(base_url, "--base-url"), True
    elif persona.base_url:
        address, trusted = _address(persona.base_url, f"base_url of {persona.name}"), False
        if not is_here(address):
            raise BadInput(
                f"the persona {persona.name} would send comments and passages to {address}: give --base-url "
                f"{address} yourself if that is what you want, or take base_url out of its file"
            )
    elif variable:
        given = os.environ[variable].strip()
        if kind == "ollama" and "://" not in given:  # as Ollama has it: 127.0.0.1:11434
            given = f"http://{given}" if ":" in given else f"http://{given}:11434"
        address, trusted = _address(given, variable), True
    else:
        address, trusted = known.address, True
    return Provider(kind, model, address, trusted, calls)


def check_provider(provider: Provider) -> None:
    """Raise BadInput where the package for it isn't installed, or the key that it wants isn't set."""
    known = KINDS[provider.kind]
    if find_spec(known.package) is None:
        raise BadInput(f"{provider.kind} needs a package that isn't installed: pip install 'shawgpt[{provider.kind}]'")
    if not provider.key() and provider.address == known.address and not provider.here:
        raise BadInput(f"{provider.kind} wants a key: set {known.key} in the environment (it is never written down)")


def check_sampling(kind: str, sampling: "Sampling") -> None:
    """Raise BadInput for a temperature that the provider refuses."""
    if sampling.temperature > KINDS[kind].hottest:
        raise BadInput(f"--sampling temperature={sampling.temperature:g}: {kind} takes {KINDS[kind].hottest:g} at most")


def left_out(kind: str, sampling: "Sampling") -> tuple[str, ...]:
    """The settings that somebody chose and the provider has not."""
    default = type(sampling)()
    return tuple(name for name in KINDS[kind].unknown if getattr(sampling, name) != getattr(default, name))


def is_here(address: str) -> bool:
    """Whether an address is this computer's own: by what it is, not by what a name server says of it."""
    host = urlsplit(address).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _address(given: str, where: str) -> str:
    """`given`, checked. Raises BadInput."""
    given = given.strip().rstrip("/")
    try:
        parts = urlsplit(given)
        good = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port)
    except ValueError:
        good = False
    if not good or len(given) > LONGEST or not (given.isascii() and given.isprintable()) or " " in given:
        raise BadInput(f"{where}: give an address such as http://127.0.0.1:8000/v1")
    if "@" in parts.netloc:
        raise BadInput(f"{where}: a key or password has no place in an address: put it into the environment")
    if parts.query or parts.fragment:
        raise BadInput(f"{where}: an address ends before ? and #, as in http://127.0.0.1:8000/v1")
    return given
