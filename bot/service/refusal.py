"""What the service says instead of an answer: a status and one plain line, in the shape that OpenAI's clients read."""

import json
import sys
import traceback
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response


class Refusal(Exception):
    """A request that isn't answered, with the HTTP status and what to do about it."""

    def __init__(
        self, status: int, message: str, code: str | None = None, param: str | None = None, retry_after: int = 0
    ) -> None:
        """`code` and `param` as in OpenAI's errors; `retry_after` in seconds, 0 for none."""
        super().__init__(message)
        self.status, self.message, self.code, self.param, self.retry_after = status, message, code, param, retry_after

    @property
    def body(self) -> dict[str, Any]:
        """The error in OpenAI's shape."""
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        kind = "rate_limit_error" if self.status == 429 else kind
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}

    def response(self) -> Response:
        """The whole response."""
        headers = {"Retry-After": str(self.retry_after)} if self.retry_after else {}
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return json_response(self.body, self.status, headers)


def internal(error: Exception) -> Refusal:
    """For an error that nobody foresaw. The server's output says where it was; what it said may quote a question."""
    at = traceback.extract_tb(error.__traceback__)[-1]
    print(f"shawgpt: {type(error).__name__} in {at.filename}:{at.lineno}", file=sys.stderr, flush=True)
    return Refusal(500, "an error of the server's own: its output says where", "internal")


def json_response(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """`value` as JSON that no browser takes for anything else, and nothing on the way keeps."""
    fixed = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return Response(to_json(value), status, {**fixed, **(headers or {})}, "application/json")


def to_json(value: Any) -> bytes:
    """JSON in UTF-8; half a surrogate pair, which a question may hold, becomes a question mark."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8", "replace")
