"""Who may use the service, how often, and with how much: looked at before anything of a request is understood.

A page of another site that a browser has open can send requests to this computer. So a request whose Origin isn't the
server's own is refused, and where the server is on loopback, so is a Host that doesn't name this computer: a name that
its owner has pointed here after the page was loaded.
"""

import asyncio
import ipaddress
import math
import time
from collections import OrderedDict
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.service.access import Access
from bot.service.metrics import Metrics
from bot.service.refusal import Refusal, internal

LARGEST = 2**20  # bytes of a request
READING = 30.0  # seconds that a request's body may take to arrive
WRONG_A_MINUTE = 30  # requests with a wrong key, or none, of an address
REMEMBERED = 2000  # addresses of those

NOT_HERE = "this server answers requests to this computer by its own names: localhost, 127.0.0.1"
OFF = "programs are not let in: start the server with --api-key-file, or SHAWGPT_API_KEYS, to have it answer them"


class Gate:
    """Lets requests to `app` through, or refuses them; and counts both."""

    def __init__(self, app: ASGIApp, access: Access, here: bool, metrics: Metrics) -> None:
        """`here`: the server is on loopback, where without keys any program of this computer is let in."""
        self._app, self._keys, self._here, self._metrics = app, access.keys, here, metrics
        self._rate, self._wrong = Rate(access.a_minute), Rate(WRONG_A_MINUTE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        with self._metrics.request(route_of(scope["path"])) as status:

            async def watched(message: Message) -> None:
                if message["type"] == "http.response.start":
                    status.append(message["status"])
                await send(message)

            try:
                self._admit(scope)
                await self._app(scope, await _with_body(scope, receive), watched)
            except Refusal as refusal:
                status.append(refusal.status)
                if refusal.status != 499:  # nobody reads it
                    await refusal.response()(scope, receive, watched)
            except HTTPException as error:  # of the router: no such path, no such method
                refused = Refusal(
                    error.status_code, f"{scope['method']} {scope['path'][:80]}: {error.detail}", "no_route"
                )
                await refused.response()(scope, receive, watched)
            except Exception as error:
                if status:  # it has begun to answer
                    raise
                await internal(error).response()(scope, receive, watched)

    def _admit(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        if scope["path"] == "/healthz":
            return
        check_place(headers, self._here)
        if not self._keys and not self._here:
            raise Refusal(403, OFF, "no_keys")
        self._take(self._caller(scope, headers))
        if scope["method"] == "POST":
            kind = headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind != "application/json":
                raise Refusal(415, "the Content-Type must be application/json", "content_type")

    def _caller(self, scope: Scope, headers: Headers) -> str:
        """Whose requests these are counted as. Raises Refusal for a wrong key, or none where there should be one."""
        if not self._keys:
            return ""
        kind, _, offered = headers.get("authorization", "").partition(" ")
        number = self._keys.number(offered.strip()) if kind.lower() == "bearer" and offered.strip() else None
        if number is None:
            client = scope.get("client")
            if wait := self._wrong.take(client[0] if client else ""):
                raise Refusal(429, "too many requests without a valid API key", "rate_limit_exceeded", retry_after=wait)
            said = "that API key is not known here" if offered else "an API key is needed: Authorization: Bearer KEY"
            raise Refusal(401, said, "invalid_api_key")
        return str(number)

    def _take(self, caller: str) -> None:
        if wait := self._rate.take(caller):
            told = f"more than {self._rate.a_minute} requests a minute: go on in {wait} s"
            raise Refusal(429, told, "rate_limit_exceeded", retry_after=wait)


class Rate:
    """So many requests a minute for each caller; at once as many, if they were idle before."""

    def __init__(self, a_minute: int) -> None:
        self.a_minute = a_minute
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # requests, and when they were counted

    def take(self, caller: str) -> int:
        """0 where this request is within the rate; else the seconds until one is."""
        now = time.monotonic()
        left, counted = self._left.pop(caller, (float(self.a_minute), now))
        left = min(self.a_minute, left + (now - counted) * self.a_minute / 60)
        allowed = left >= 1
        self._left[caller] = (left - allowed, now)
        if len(self._left) > REMEMBERED:
            self._left.popitem(last=False)
        return 0 if allowed else math.ceil((1 - left) * 60 / self.a_minute)


def route_of(path: str) -> str:
    """What a path is counted as: a few names, whatever is asked for."""
    for route in ("/v1/chat/completions", "/mcp", "/healthz", "/metrics"):
        if path.rstrip("/") == route:
            return route
    return "/v1/models" if path.startswith("/v1/models") else "other"


def check_place(headers: Headers, here: bool) -> None:
    """Raise Refusal for a request that a page of another site sent."""
    host = headers.get("host", "")
    if here and not is_here(host):
        raise Refusal(421, NOT_HERE, "host")
    origin = headers.get("origin")
    ours = origin is None or (urlsplit(origin).scheme in ("http", "https") and urlsplit(origin).netloc == host)
    if not ours or headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        raise Refusal(403, "requests of web pages of other sites are refused", "origin")


def is_here(host: str) -> bool:
    """Whether a Host header, with or without a port, names this computer."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


async def _with_body(scope: Scope, receive: Receive) -> Receive:
    """`receive` with the whole body read. Raises Refusal for one that is too large, or takes too long."""
    declared = Headers(scope=scope).get("content-length", "")
    if declared.isdecimal() and int(declared) > LARGEST:
        raise _too_large()
    body, more = bytearray(), True
    try:
        async with asyncio.timeout(READING):
            while more:
                message = await receive()
                if message["type"] != "http.request":
                    raise Refusal(499, "the caller went away")
                body += message.get("body", b"")
                more = message.get("more_body", False)
                if len(body) > LARGEST:
                    raise _too_large()
    except TimeoutError as error:
        raise Refusal(408, f"the request did not arrive within {READING:.0f} seconds", "timeout") from error
    whole: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

    async def again() -> Message:
        return whole.pop() if whole else await receive()

    return again


def _too_large() -> Refusal:
    return Refusal(413, f"the request is too large: {LARGEST // 2**20} MiB at most", "too_large")
