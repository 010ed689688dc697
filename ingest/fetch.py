"""Pages from the web, and only from the public web: each address is checked, and the one checked is dialled."""

import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import httpcore
import httpx
import tenacity

from data.errors import Rejected
from ingest.addresses import is_public

MOST_BYTES = 10_000_000  # after decompression
MOST_SECONDS = 20.0  # for a fetch with all its redirects
MOST_REDIRECTS = 5
_HEADERS = {
    "User-Agent": "Mozilla/5.0 (compatible; shawgpt)",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Encoding": "gzip",  # not brotli: 1 kB of it can unpack to gigabytes in one step
}
Resolve = Callable[[str, int], Sequence[str]]


@dataclass(frozen=True)
class Fetched:
    """What came from a URL."""

    url: str  # after redirects
    content_type: str  # "text/html", lower case, without parameters
    charset: str  # as the server named it, or empty
    body: bytes  # decompressed


class _Transient(Exception):
    """A failure that a second try may mend; its text is the reason for the user."""


def system_resolve(host: str, port: int) -> list[str]:
    """All addresses of a host by the system's resolver, which also reads 0x7f.1, 2130706433 and 0177.0.0.1."""
    return [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class Fetcher:
    """Fetches http and https URLs within the limits above.

    `resolve(host, port)` gives a host's addresses; `allow_private` is for tests against a local server. Proxies and
    netrc of the environment are not used: they would dial for us, unchecked.
    """

    def __init__(self, resolve: Resolve = system_resolve, *, allow_private: bool = False) -> None:
        self._resolve = resolve
        self._allow_private = allow_private

    def fetch(self, url: str) -> Fetched:
        """The body behind a URL. Raises Rejected: a private address, too large, too slow, an error of the server."""
        deadline = time.monotonic() + MOST_SECONDS
        tries = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(2) | tenacity.stop_after_delay(MOST_SECONDS / 2),
            wait=tenacity.wait_fixed(0.3),
            retry=tenacity.retry_if_exception_type(_Transient),
            reraise=True,
        )
        try:
            return tries(self._fetch, url, deadline)
        except _Transient as error:
            raise Rejected(str(error)) from error

    def _fetch(self, url: str, deadline: float) -> Fetched:
        backend = _CheckedBackend(self._resolve, self._allow_private, deadline)
        try:
            with httpx.Client(transport=_Transport(backend), trust_env=False, headers=_HEADERS) as client:
                for _ in range(MOST_REDIRECTS + 1):
                    _check_url(url)
                    with client.stream("GET", url, timeout=_left(deadline)) as response:
                        if not (response.is_redirect and response.headers.get("location")):
                            return _received(response)
                        url = str(response.url.join(response.headers["location"]))
            raise Rejected(f"redirects more than {MOST_REDIRECTS} times")
        except (httpx.TimeoutException, httpcore.TimeoutException) as error:
            raise Rejected(f"takes longer than {MOST_SECONDS:g} s to answer") from error
        except (httpx.TransportError, httpcore.NetworkError) as error:
            raise _Transient(f"can't be reached ({' '.join(str(error).split())[:120]})") from error
        except (httpx.InvalidURL, httpx.HTTPError, UnicodeError, ValueError) as error:
            raise Rejected(f"not an address that can be fetched ({' '.join(str(error).split())[:120]})") from error


def _check_url(url: str) -> None:
    parsed = httpx.URL(url)
    if parsed.scheme not in ("http", "https"):
        raise Rejected(f"only http and https addresses are fetched, not {parsed.scheme or 'this'}:")
    if not parsed.host:
        raise Rejected("an address without a host")
    if parsed.port is not None and not 0 < parsed.port < 2**16:
        raise Rejected(f"an address with an impossible port ({parsed.port}): they go from 1 to 65535")
    if "%20" in parsed.host:
        raise Rejected("an address with a space in its host")
    if parsed.userinfo:
        raise Rejected("an address with a user name in it: leave that out")


def _received(response: httpx.Response) -> Fetched:
    if response.status_code in (502, 503, 504):
        raise _Transient(f"the server answers {response.status_code} {response.reason_phrase}")
    if response.status_code != 200:
        raise Rejected(f"the server answers {response.status_code} {response.reason_phrase}".rstrip())
    length = response.headers.get("content-length", "")
    if length.isdigit() and int(length) > MOST_BYTES:
        raise Rejected(f"larger than {MOST_BYTES // 1_000_000} MB")
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", "x-gzip", "deflate", ""):
        raise Rejected(f"sent in an encoding that wasn't asked for ({encoding})")
    raw = response.iter_raw()
    body = b"".join(_limited(raw if encoding in ("identity", "") else unpacked(raw)))
    content_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return Fetched(str(response.url), content_type, response.charset_encoding or "", body)


def _limited(pieces: Iterable[bytes]) -> Iterator[bytes]:
    total = 0
    for piece in pieces:
        total += len(piece)
        if total > MOST_BYTES:
            raise Rejected(f"larger than {MOST_BYTES // 1_000_000} MB")
        yield piece


def unpacked(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """gzip or zlib data in steps of at most 1 MB of output, so a bomb is met a step at a time."""
    unpack = zlib.decompressobj(wbits=47)
    try:
        for piece in pieces:
            while piece:
                yield unpack.decompress(piece, 1_000_000)
                piece = unpack.unconsumed_tail
    except zlib.error as error:
        raise Rejected("sent with damaged compression") from error


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("out of time")
    return left


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


class _Transport(httpx.HTTPTransport):
    """httpx's transport with connections made by the checked backend; TLS still verifies the URL's host name."""

    def __init__(self, backend: "_CheckedBackend") -> None:
        super().__init__(verify=_tls(), trust_env=False)
        self._pool.close()
        self._pool = httpcore.ConnectionPool(ssl_context=_tls(), network_backend=backend)


class _CheckedBackend(httpcore.NetworkBackend):
    """Resolves a host once, refuses it if any of its addresses isn't public, and dials the addresses it checked."""

    def __init__(self, resolve: Resolve, allow_private: bool, deadline: float) -> None:
        self._resolve = resolve
        self._allow_private = allow_private
        self._deadline = deadline
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        addresses = self._addresses(host, port)
        if not self._allow_private and not all(map(is_public, addresses)):
            raise Rejected("a private or local address: only public ones are fetched")
        failure: Exception | None = None
        for address in addresses[:4]:
            try:
                stream = self._sockets.connect_tcp(address, port, _left(self._deadline), None, socket_options)
                return _TimedStream(stream, self._deadline)
            except httpcore.ConnectError as error:
                failure = error
        raise failure or httpcore.ConnectError("no address")

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.NetworkStream:
        raise Rejected("only http and https addresses are fetched")

    def _addresses(self, host: str, port: int) -> list[str]:
        """The host's addresses; in a thread, as the system's resolver knows no time limit."""
        found: list[str] = []
        errors: list[Exception] = []

        def look_up() -> None:
            try:
                found.extend(dict.fromkeys(self._resolve(host, port)))
            except (OSError, UnicodeError) as error:
                errors.append(error)

        thread = threading.Thread(target=look_up, daemon=True)
        thread.start()
        thread.join(_left(self._deadline))
        if thread.is_alive():
            raise httpcore.ConnectTimeout("no answer from the name server")
        if not found:
            raise Rejected(f"host {host!r} isn't found: check the address and the connection") from (
                errors[0] if errors else None
            )
        return found


class _TimedStream(httpcore.NetworkStream):
    """A stream that ends with the whole fetch's deadline, however steadily a server drips its bytes."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(self._deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(self._deadline))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        stream = self._stream.start_tls(ssl_context, server_hostname, _left(self._deadline))
        return _TimedStream(stream, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
