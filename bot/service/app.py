"""The service put together: what is answered beside the page, at which paths."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from bot.page.desk import Desk
from bot.service.access import Access
from bot.service.answering import Answering
from bot.service.chat import Chat
from bot.service.gate import LARGEST, NOT_HERE, Gate, is_here
from bot.service.health import Health
from bot.service.metrics import CONTENT_TYPE, Metrics
from bot.service.tools import make_tools, security

OWN = ("/healthz", "/metrics", "/mcp", "/v1")  # these paths, and those below them


class Service:
    """An ASGI application for the paths of `OWN`; it lives as long as its `lifespan`."""

    def __init__(self, desk: Desk, host: str, here: bool, access: Access) -> None:
        """`host` is the address that is served, `here` whether it is loopback."""
        metrics = Metrics(desk.assistant.store)
        self._answering = Answering(desk, metrics)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tools = make_tools(self._answering)
        mcp = self._tools.streamable_http_app(
            stateless_http=True,
            json_response=True,
            max_request_body_size=LARGEST,
            transport_security=security(host, here),
        )
        chat = Chat(self._answering)

        def counts(request: Request) -> Response:
            return Response(metrics.text(), headers={"Cache-Control": "no-store"}, media_type=CONTENT_TYPE)

        routes = [
            Route("/v1/chat/completions", chat.completions, methods=["POST"]),
            Route("/v1/models", chat.models),
            Route("/v1/models/{slug}", chat.model),
            Route("/mcp", mcp, methods=["POST"]),  # sessions and streams of its own it has none
            Route("/healthz", Health(desk).state),
            Route("/metrics", counts),
        ]
        self._gate = Gate(Router(routes, redirect_slashes=False), access, here, metrics)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._gate(scope, receive, send)

    def beside(self, open_here: bool) -> Middleware:
        """What puts the service beside the page's own application.

        `open_here`: the page is on loopback without a login, so that it answers only to this computer's own names. A
        page of another site, whose name its owner has pointed here, could read it else.
        """
        return Middleware(_Beside, service=self, open_here=open_here)

    @asynccontextmanager
    async def lifespan(self, app: object) -> AsyncIterator[None]:
        """Be ready to answer, in the server's event loop."""
        self._loop = asyncio.get_running_loop()
        async with self._tools.session_manager.run():
            yield

    def close(self) -> None:
        """End the answers in the making, and refuse new ones; called from another thread before the server stops."""
        if self._loop:
            self._loop.call_soon_threadsafe(self._answering.slots.close)


class _Beside:
    def __init__(self, app: ASGIApp, service: Service, open_here: bool) -> None:
        self._page, self._service, self._open_here = app, service, open_here

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        own = scope["type"] == "http" and any(scope["path"] == at or scope["path"].startswith(f"{at}/") for at in OWN)
        if own:
            await self._service(scope, receive, send)
        elif self._open_here and scope["type"] == "http" and not is_here(Headers(scope=scope).get("host", "")):
            await PlainTextResponse(f"{NOT_HERE}. With --auth the page answers by others too.", 421)(
                scope, receive, send
            )
        else:
            await self._page(scope, receive, send)
