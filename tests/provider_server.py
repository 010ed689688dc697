"""A small HTTP server that speaks the protocols of OpenAI, Anthropic, Mistral and Ollama, and fails when told to."""

import gzip
import json
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

WORDS = ["You ", "are ", "welcome."]
READ, WRITTEN = 100, 10  # tokens that it claims


@dataclass
class Asked:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    at: float  # seconds


class ProviderServer(ThreadingHTTPServer):
    """`script` says what becomes of the next requests, in their order; those behind its end are answered."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script: deque[str] = deque()
        self.asked: list[Asked] = []
        self.words = WORDS
        self.at_work = self.most_at_work = 0
        self.together = threading.Barrier(1)  # so many requests are answered at once, none before
        self.over = threading.Event()
        self.lock = threading.Lock()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def close(self) -> None:
        self.over.set()
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: ProviderServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with self.server.lock:
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.server.asked.append(Asked(self.path, headers, body, time.monotonic()))
            step = self.server.script.popleft() if self.server.script else "answer"
            self.server.at_work += 1
            self.server.most_at_work = max(self.server.most_at_work, self.server.at_work)
        try:
            self.server.together.wait()
            self.take(step, body)
        finally:
            with self.server.lock:
                self.server.at_work -= 1

    def take(self, step: str, body: dict[str, Any]) -> None:
        name, _, argument = step.partition(" ")
        if name == "answer":
            self.answer(body)
        elif name == "hang":
            self.server.over.wait()
        elif name == "drip":  # a space a tenth of a second, for ever
            self.begin("application/json", None)
            while not self.server.over.wait(0.1):
                try:
                    self.part(b" ")
                except OSError:
                    return
        elif name == "cut":  # what was promised isn't kept
            if body.get("stream", "/api/" in self.path):
                self.begin("text/event-stream", None)
                for part in list(self.parts(body))[: 4 if self.path.endswith("/messages") else 2]:  # two words
                    self.part(part)
                self.end()
            else:
                self.begin("application/json", 1000)
                self.wfile.write(b'{"id"')
            self.close_connection = True
        elif name == "garbage":
            self.send("text/html", b"<html><p>It works!</p></html>")
        elif name == "unlike":
            self.send("application/json", b'{"result": "something else"}')
        elif name == "packed":
            packed = gzip.compress(json.dumps(self.whole(body)).encode())
            self.send("application/json", packed, headers={"content-encoding": "gzip"})
        elif name == "redirect":
            self.send("text/plain", b"", 307, {"location": argument})
        elif name == "surplus":  # refuses a setting, as OpenAI's reasoning models do
            if argument in body:
                said = f"Unsupported value: '{argument}' does not support this value with this model."
                error = {"message": said, "type": "invalid_request_error", "param": argument, "code": None}
                self.send("application/json", json.dumps({"error": error}).encode(), 400)
            else:
                self.answer(body)
        else:  # "429 retry-after: 1", "401", "400 what is wrong"
            headers = {"retry-after": argument.split(": ")[1]} if argument.startswith("retry-after") else {}
            said = argument.replace("KEY", (self.headers["authorization"] or "").removeprefix("Bearer "))
            self.send("application/json", json.dumps({"error": {"message": said}}).encode(), int(name), headers)

    def answer(self, body: dict[str, Any]) -> None:
        if body.get("stream", "/api/" in self.path):
            self.begin("application/x-ndjson" if "/api/" in self.path else "text/event-stream", None)
            for part in self.parts(body):
                self.part(part)
            self.end()
        else:
            self.send("application/json", json.dumps(self.whole(body)).encode())

    def whole(self, body: dict[str, Any]) -> dict[str, Any]:
        said = "".join(self.server.words)
        if self.path.endswith("/messages"):
            return {
                "id": "1", "type": "message", "role": "assistant", "model": body["model"], "stop_sequence": None,
                "content": [{"type": "text", "text": said}], "stop_reason": "end_turn",
                "usage": {"input_tokens": READ, "output_tokens": WRITTEN},
            }  # fmt: skip
        choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
        usage = {"prompt_tokens": READ, "completion_tokens": WRITTEN, "total_tokens": READ + WRITTEN}
        return {"id": "1", "object": "chat.completion", "created": 1, "model": body["model"], "choices": [choice],
                "usage": usage}  # fmt: skip

    def parts(self, body: dict[str, Any]) -> Iterator[bytes]:
        words = self.server.words
        if "/api/" in self.path:
            about = {"model": body["model"], "created_at": "2026-01-01T00:00:00Z"}
            for word in words:
                yield _line(about | {"message": {"role": "assistant", "content": word}, "done": False})
            counts = {"prompt_eval_count": READ, "eval_count": WRITTEN}
            yield _line(about | {"message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop"}
                        | counts)  # fmt: skip
        elif self.path.endswith("/messages"):
            begun = {"id": "1", "type": "message", "role": "assistant", "model": body["model"], "content": [],
                     "stop_reason": None, "stop_sequence": None,
                     "usage": {"input_tokens": READ, "output_tokens": 1}}  # fmt: skip
            yield _event({"type": "message_start", "message": begun})
            yield _event({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
            for word in words:
                delta = {"type": "text_delta", "text": word}
                yield _event({"type": "content_block_delta", "index": 0, "delta": delta})
            yield _event({"type": "content_block_stop", "index": 0})
            ended = {"stop_reason": "end_turn", "stop_sequence": None}
            yield _event(
                {"type": "message_delta", "delta": ended, "usage": {"input_tokens": READ, "output_tokens": WRITTEN}}
            )
            yield _event({"type": "message_stop"})
        else:
            about = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": body["model"]}
            for word in words:
                delta = {"index": 0, "delta": {"role": "assistant", "content": word}, "finish_reason": None}
                yield _data(about | {"choices": [delta]})
            usage = {"prompt_tokens": READ, "completion_tokens": WRITTEN, "total_tokens": READ + WRITTEN}
            last: dict[str, Any] = {"choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "stop"}]}
            if "stream_options" in body:
                yield _data(about | last)
                yield _data(about | {"choices": [], "usage": usage})
            else:  # Mistral gives it unasked
                yield _data(about | last | {"usage": usage})
            yield b"data: [DONE]\n\n"

    def begin(self, kind: str, length: int | None) -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        if length is None:
            self.send_header("transfer-encoding", "chunked")
        else:
            self.send_header("content-length", str(length))
        self.end_headers()

    def part(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def end(self) -> None:
        self.wfile.write(b"0\r\n\r\n")

    def send(self, kind: str, data: bytes, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"content-type": kind, "content-length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


def _line(value: Any) -> bytes:
    return json.dumps(value).encode() + b"\n"


def _data(value: Any) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def _event(value: dict[str, Any]) -> bytes:
    return f"event: {value['type']}\n".encode() + _data(value)
