"""Whether the server is well: for whoever starts and watches it. It names no path, and nothing of what is stored."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from bot.page.desk import Desk
from bot.service.refusal import json_response
from data.errors import ShawGPTError


class Health:
    """The health of the server that `desk` belongs to."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def state(self, request: Request) -> Response:
        """GET /healthz: 200 where it can answer; 503 while it can't, with why. With ?live, 200 as long as it runs."""
        if "live" in request.query_params:
            return json_response({"status": "ok"})
        status, reason = await asyncio.to_thread(self._state)
        return json_response(
            {"status": status} | ({"reason": reason} if reason else {}), 200 if status == "ok" else 503
        )

    def _state(self) -> tuple[str, str]:
        if self._desk.closing.is_set():
            return "stopping", "the server is stopping"
        try:
            store = self._desk.assistant.store
            for kb in store.knowledge_bases():
                store.count(kb)
        except ShawGPTError:
            return "failing", "the database doesn't answer: see the server's own output"
        if self._desk.trouble:
            return "failing", "the models couldn't be loaded: see the server's own output"
        if not self._desk.warm.is_set():
            return "starting", "the models are being loaded"
        return "ok", ""
