"""The `shawgpt` command. Each command parses, calls one function, and prints."""

import signal
import sys
from pathlib import Path
from typing import Any

import typer

from bot.cli.app import app
from data.errors import ShawGPTError
from data.hidden import show_hidden
from finetune.processes import leave

# Each adds its commands to the application, in the order in which the help is to list them.
# isort: off
from bot.cli import documents, chat, feedback, replies, quotes, adapters, sql, datasets, service  # noqa: F401
# isort: on

__all__ = ["app", "main"]

STOPPED = 130  # the exit code after Ctrl-C
USAGE_ERROR: Any = typer.BadParameter.__base__  # of click, which Typer brings with it and gives no name to


def main() -> None:
    """Run the command line; an error of ours is one line on stderr and its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: what is open is closed, the lock given back
    try:
        code = app(prog_name="shawgpt", standalone_mode=False)  # Typer's own way with errors is a box of seven lines
    except ShawGPTError as error:
        typer.echo(show_hidden(f"shawgpt: {error}"), err=True)  # it may quote a file's own text
        leave(error.exit_code)
    except USAGE_ERROR as error:
        if said := " ".join(error.format_message().split()).rstrip("."):  # else the help was asked for, and printed
            where = error.ctx.command_path if error.ctx else "shawgpt"
            dashed = next((given for given in sys.argv[1:] if given.startswith("-") and Path(given).exists()), "")
            see = f"the file {dashed} is given as ./{dashed}" if dashed else f"see `{where} --help`"
            typer.echo(f"shawgpt: {said[0].lower()}{said[1:]} ({see})", err=True)
        leave(2)
    except (KeyboardInterrupt, typer.Abort):
        code = STOPPED
    if code == STOPPED:  # as which Typer returns Ctrl-C
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C would end the end, by a signal
        typer.echo("shawgpt: stopped; the same command goes on from what was saved, or begins anew", err=True)
    leave(code or 0)
