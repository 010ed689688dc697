"""The page: ask the documents, draft replies, manage documents. A thin layer over bot.assistant.Assistant."""

import contextlib
import ipaddress
import os
import signal
import socket
import tempfile
import threading
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from bot.assistant import Assistant
from data.errors import BadInput

if TYPE_CHECKING:
    from bot.service.access import Access

UPLOAD_LIMIT = "100mb"  # a file
WAITING = 64  # requests in the queue; more are told to come back


def serve(
    assistant: Assistant,
    host: str = "127.0.0.1",
    port: int = 7860,
    auth: str | None = None,
    access: "Access | None" = None,
) -> None:
    """Serve the page, and the service for programs beside it, until Ctrl-C or SIGTERM.

    `auth` is "USER:PASSWORD"; without it only this machine may connect. `port` 0 takes any free one.
    `access` says which programs may use the service: without keys those of this machine, on loopback alone.
    Raises BadInput for another host without `auth`, an `auth` of another form, or a port that is taken.
    """
    host = host.strip("[]")  # as an IPv6 address is written in a URL
    login = _login(auth)
    if login is None and not is_loopback(host):
        raise BadInput(f"{host} lets other machines in: give --auth USER:PASSWORD, or leave --host at 127.0.0.1")
    port = _free_port(host, port)
    home = assistant.folder.path
    # Uploads go to a folder of this run alone, gone at its end; and the working folder, from which Gradio may hand out
    # files, is an empty one. Telemetry is switched off before Gradio is imported: it reads the switch then.
    with tempfile.TemporaryDirectory(prefix="shawgpt-") as scratch, contextlib.chdir(_empty_folder(scratch)):
        os.environ |= {
            "GRADIO_TEMP_DIR": str(Path(scratch) / "uploads"), "GRADIO_ALLOWED_PATHS": "",
            "GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1",
        }  # fmt: skip
        from bot.page.app import build
        from bot.page.theme import css, theme
        from bot.service.access import Access
        from bot.service.app import Service

        demo, desk = build(assistant)
        access, here = access or Access(), is_loopback(host)
        service = Service(desk, host, here, access)
        beside = service.beside(open_here=here and login is None)
        desk.warm_up()
        demo.queue(max_size=WAITING, default_concurrency_limit=8, api_open=False)
        _, url, _ = demo.launch(
            server_name=f"[{host}]" if ":" in host else host,
            server_port=port, auth=login, auth_message="Log in to ShawGPT",
            share=False, quiet=True, prevent_thread_lock=True,
            allowed_paths=[], blocked_paths=[str(home)], max_file_size=UPLOAD_LIMIT, strict_cors=True, ssr_mode=False,
            pwa=False, mcp_server=False, enable_monitoring=False, run_history=False, footer_links=[], show_error=False,
            theme=theme(), css=css(), favicon_path=str(Path(__file__).with_name("favicon.svg")),
            app_kwargs={"middleware": [beside], "lifespan": service.lifespan},
        )  # fmt: skip
        over = _told_to_stop()
        try:
            print(f"ShawGPT is at {url} (Ctrl-C stops it)", flush=True)
            print(_for_programs(url, bool(access.keys), here), flush=True)
            over.wait()
        finally:
            service.close()
            demo.close(verbose=False)
            desk.close()
        print("stopped; everything is saved", flush=True)


def _for_programs(url: str, keys: bool, here: bool) -> str:
    """What a program needs to know."""
    if not keys and not here:
        return "Programs are not let in: give --api-key-file to have them answered at /v1 and /mcp"
    return f"Programs: OpenAI's API at {url}v1, MCP at {url}mcp ({'with' if keys else 'without'} an API key)"


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _login(auth: str | None) -> tuple[str, str] | None:
    if auth is None:
        return None
    user, _, password = auth.partition(":")
    if not user or not password:
        raise BadInput("--auth needs a name and a password with a colon between them: --auth USER:PASSWORD")
    return user, password


def _free_port(host: str, port: int) -> int:
    """`port`, or a free one for 0. Raises BadInput where it is taken or `host` is no address of this machine."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            if os.name == "posix":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server itself does
            probe.bind(address)
            return int(probe.getsockname()[1])
    except socket.gaierror as error:
        raise BadInput(f"{host} is no address of this machine: leave --host at 127.0.0.1") from error
    except OSError as error:
        raise BadInput(f"port {port} of {host} can't be used ({error.strerror}): choose another with --port") from error


def _empty_folder(scratch: str) -> Path:
    folder = Path(scratch) / "cwd"
    folder.mkdir()
    return folder


def _told_to_stop() -> threading.Event:
    """An event that Ctrl-C and SIGTERM set."""
    over = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        over.set()

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop)
    return over
