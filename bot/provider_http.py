"""The wire to a provider, the same for all of them: time-outs, limits, the key, and plain words for what goes wrong.

LangChain's packages bring four clients with habits of their own (retries, redirects, error texts that quote keys). Each
is given this transport instead, and a key that is none: the real one is put into the header here and is nowhere else.
"""

import json
import re
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from bot.providers import KINDS, Provider
from data.errors import BadInput
from data.hidden import show_hidden

CONNECT = 10.0  # seconds until somebody must have answered the call
LARGEST = 8 << 20  # bytes of a reply; the longest that is asked for has 8192 tokens
QUOTED = 200  # characters of a server's own words
FRAGMENT = 6  # characters of a key that tell something of it
SURPLUS = (  # what a model may do without, the least missed first
    "stream_options", "seed", "random_seed", "presence_penalty", "frequency_penalty", "top_p", "temperature",
    "stop", "stop_sequences",
)  # fmt: skip
_MASKED = re.compile(r"\S*\*{2,}\S*")
_NO_MODEL = re.compile(
    r"(?i)invalid[ _]model|model[ _]not[ _]found|is pinned to|model\b.{0,80}\b(?:not exist|not found)"
)
_NO_MONEY = re.compile(r"(?i)insufficient_quota|credit balance is too low")
_MODERATED = re.compile(r"(?i)moderat|flagged|content[ _](?:policy|filter|management)")


class NoReply(Exception):
    """A request that brought none. Its text is for people and holds no part of a key.

    `again`: another try may help, `wait` seconds from now where the server says so. `timed_out`: it took too long.
    `for_all`: every other request would fare the same.
    """

    def __init__(
        self, why: str, again: bool = False, wait: float | None = None, timed_out: bool = False, for_all: bool = False
    ) -> None:
        super().__init__(why)
        self.again, self.wait, self.timed_out, self.for_all = again, wait, timed_out, for_all


class Wire(httpx.BaseTransport):
    """Carries the requests to one provider. Raises NoReply for whatever is no reply."""

    def __init__(self, provider: Provider, tell: Callable[[str], None]) -> None:
        """`tell` hears, once each, of the settings that the model refuses and does without. Raises BadInput."""
        self._provider, self._tell = provider, tell
        self._key = provider.key()
        self._refused: list[str] = []
        self._inner = _transport(provider)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The response to a request, once its status is known to be good; its body is still to be read."""
        asked: dict[str, Any] = json.loads(request.read() or b"{}")
        refused = list(self._refused)
        while True:
            body = {name: value for name, value in asked.items() if name not in refused}
            response = self._send(request, body)
            if response.status_code < 300:
                self._do_without(refused)
                return response
            said = self._said(response)
            name = _surplus(body, said) if response.status_code in (400, 422) else ""
            if not name:
                raise self._no_reply(response, said)
            refused.append(name)

    def close(self) -> None:
        """Hang up."""
        self._inner.close()

    def scrub(self, text: str) -> str:
        """`text` on a line, cut, without hidden characters and without any part of the key."""
        text = _MASKED.sub("…", " ".join(text.split())[: 4 * QUOTED])
        for size in range(len(self._key), FRAGMENT - 1, -1):
            for start in range(len(self._key) - size + 1):
                text = text.replace(self._key[start : start + size], "…")
        text = show_hidden(text)
        return text if len(text) <= QUOTED else f"{text[: QUOTED - 1]}…"

    def _send(self, request: httpx.Request, body: dict[str, Any]) -> httpx.Response:
        headers = httpx.Headers(request.headers)
        for name in ("authorization", "x-api-key", "content-length", "cookie"):
            headers.pop(name, None)
        headers["accept-encoding"] = "identity"  # a megabyte can unpack to a gigabyte
        if self._key and self._provider.kind == "anthropic":
            headers["x-api-key"] = self._key
        elif self._key:
            headers["authorization"] = f"Bearer {self._key}"
        whole = self._provider.timeout
        limits = {"connect": min(CONNECT, whole), "read": whole, "write": whole, "pool": whole}
        sent = httpx.Request(
            request.method, request.url, headers=headers, content=json.dumps(body), extensions={"timeout": limits}
        )
        until = time.monotonic() + whole
        try:
            response = self._inner.handle_request(sent)
        except Exception as error:
            raise self._broken(error) from None
        if response.headers.get("content-encoding", "identity") != "identity":
            response.close()
            raise NoReply(f"{self._provider.address} sent a packed reply, which was not asked for")
        assert isinstance(response.stream, httpx.SyncByteStream)
        response.stream = _Watched(response.stream, until, self._broken)
        return response

    def _said(self, response: httpx.Response) -> str:
        """What a server says for itself: its error, else the beginning of what it sent. As it came: scrub it."""
        try:
            text = response.read().decode("utf-8", "replace")
        except NoReply:
            return ""
        finally:
            response.close()
        return text

    def _no_reply(self, response: httpx.Response, said: str) -> NoReply:
        """What a status means."""
        status, address, model = response.status_code, self._provider.address, self._provider.model
        variable, words = KINDS[self._provider.kind].key, self.scrub(_words(said))
        told = f" ({words})" if words else ""
        if status < 400:
            return NoReply(
                f"{address} leads elsewhere ({status}): nothing is sent on; give the right address", for_all=True
            )
        if status == 401 or (status == 403 and not _MODERATED.search(said)):
            if self._key:
                return NoReply(f"{address} refuses the key in {variable} ({status}): set the right one", for_all=True)
            why = "" if self._provider.trusted else f", and --base-url {address}: no key goes where only a file says"
            return NoReply(f"{address} wants a key ({status}): set {variable}{why}", for_all=True)
        if status == 402 or (status in (400, 429) and _NO_MONEY.search(said)):
            return NoReply(f"{address} wants to be paid first{told}", for_all=True)
        if status in (404, 405) or (status == 400 and _NO_MODEL.search(said)):
            path = "" if urlsplit(address).path or self._provider.kind == "ollama" else ", or its address ends with /v1"
            return NoReply(f"{address} has no model {model!r}{path} ({status}){told}", for_all=True)
        if status in (408, 409, 429) or status >= 500:
            return NoReply(f"{address} answered {status}{told}", again=True, wait=_wait(response.headers))
        return NoReply(f"{address} refuses this request ({status}){told}")

    def _broken(self, error: Exception) -> NoReply:
        """What an error on the way means."""
        address, why = self._provider.address, self.scrub(str(error)) or type(error).__name__
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError | httpx.UnsupportedProtocol):
            return NoReply(f"{address} can't be reached ({why}): is the server running?", again=True, for_all=True)
        if isinstance(error, httpx.TimeoutException):
            return NoReply(f"{address} took longer than {self._provider.timeout:g} s", again=True, timed_out=True)
        return NoReply(f"the connection to {address} broke ({why})", again=True)

    def _do_without(self, refused: Iterable[str]) -> None:
        for name in refused:
            if name not in self._refused:
                self._refused.append(name)
                if name != "stream_options":
                    self._tell(f"{self._provider.model} takes no {name}: it is left out")


class _Watched(httpx.SyncByteStream):
    """A body that ends in time and is of a size."""

    def __init__(self, body: httpx.SyncByteStream, until: float, broken: Callable[[Exception], NoReply]) -> None:
        self._body, self._until, self._broken = body, until, broken

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        try:
            for part in self._body:
                size += len(part)
                if size > LARGEST:
                    raise NoReply(f"the reply is longer than {LARGEST >> 20} MiB")
                yield part
                if time.monotonic() > self._until:  # a byte now and then doesn't keep it alive
                    raise httpx.ReadTimeout("too slow")
        except httpx.HTTPError as error:
            raise self._broken(error) from None

    def close(self) -> None:
        """Hang up."""
        self._body.close()


def for_httpx2(wire: Wire) -> Any:
    """The same wire for httpx2, httpx's successor, which takes no object of httpx."""
    import httpx2

    class Body(httpx2.SyncByteStream):
        def __init__(self, body: httpx.SyncByteStream) -> None:
            self._body = body

        def __iter__(self) -> Iterator[bytes]:
            yield from self._body

        def close(self) -> None:
            self._body.close()

    class Bridge(httpx2.BaseTransport):
        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            method, url, headers = request.method, str(request.url), request.headers.raw
            response = wire.handle_request(httpx.Request(method, url, headers=headers, content=request.read()))
            assert isinstance(response.stream, httpx.SyncByteStream)
            return httpx2.Response(response.status_code, headers=response.headers.raw, stream=Body(response.stream))

    return httpx2.Client(transport=Bridge())


def _transport(provider: Provider) -> httpx.HTTPTransport:
    """As httpx makes it for the environment's proxies, which are not asked about this computer itself."""
    parts = urlsplit(provider.address)
    proxies = {} if provider.here or proxy_bypass(parts.hostname or "") else getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    try:
        return httpx.HTTPTransport(proxy=proxy, trust_env=not provider.here)
    except (ImportError, ValueError) as error:
        raise BadInput("the proxy that the environment names can't be used: take an http:// one") from error


def _surplus(body: dict[str, Any], said: str) -> str:
    """The setting of `body` that a server refuses and can do without; empty for none."""
    try:
        named = json.loads(said)["error"]["param"]
    except (ValueError, KeyError, TypeError):
        named = None
    if named in SURPLUS and named in body:
        return str(named)
    words = _words(said)
    return next((name for name in SURPLUS if name in body and re.search(rf"\b{name}\b", words)), "")


def _words(said: str) -> str:
    """The error in what a server sent, which each wraps in another way."""
    try:
        found = json.loads(said)
        while isinstance(found, dict):
            found = next(found[name] for name in ("error", "message", "detail", "object") if found.get(name))
    except (ValueError, StopIteration):
        found = re.sub(r"(?s)<(?:head|style|script)\b.*?</(?:head|style|script)>|<[^>]*>", " ", said[:4000])
    return found if isinstance(found, str) else json.dumps(found)


def _wait(headers: httpx.Headers) -> float | None:
    """Seconds until a server wants to be asked again; None where it doesn't say."""
    given = headers.get("retry-after", "").strip()
    try:
        return max(0.0, float(given))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(given) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
