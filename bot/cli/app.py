"""The command line's application: its groups, the options that several commands have, and what they all need."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from data.errors import BadInput
from data.hidden import show_hidden

if TYPE_CHECKING:
    from bot.assistant import Assistant
    from bot.responders import Asked

app = typer.Typer(
    name="shawgpt",
    help="Draft grounded replies in a creator's own manner, and ask one's documents. Offline, with sources.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
import_app = typer.Typer(help="Take in past replies, or quotes.", no_args_is_help=True)
persona_app = typer.Typer(help="Who replies: make, list and show personas.", no_args_is_help=True)
eval_app = typer.Typer(help="Measure how well it does, beside others.", no_args_is_help=True)
app.add_typer(import_app, name="import")
app.add_typer(persona_app, name="persona")
app.add_typer(eval_app, name="eval")

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Kb = Annotated[str | None, typer.Option("--kb", metavar="NAME", help="Knowledge base (the persona's, or 'default').")]
PersonaName = Annotated[
    str | None, typer.Option("--persona", metavar="NAME", help="Who replies (the adapter's, or shawgpt).")
]
CommentColumn = Annotated[str | None, typer.Option(metavar="NAME", help="The column with the comments.")]
ReplyColumn = Annotated[str | None, typer.Option(metavar="NAME", help="The column with the replies.")]
ResponderName = Annotated[
    str | None,
    typer.Option(
        "--responder",
        metavar="NAME",
        help="What writes: extractive, local, or PROVIDER:MODEL, as in openai:NAME (the persona's).",
    ),
]
ModelName = Annotated[
    str | None,
    typer.Option("--model", metavar="FOLDER", help="For local: a model's folder, hub name or GGUF file."),
]
AdapterName = Annotated[
    str | None, typer.Option("--adapter", metavar="NAME", help="For local: as `shawgpt adapters` has it ('' for none).")
]
SamplingChanges = Annotated[
    list[str] | None,
    typer.Option("--sampling", metavar="KEY=VALUE", help="For a model: temperature, top_p, max_tokens, stop, seed, …"),
]
BaseUrl = Annotated[
    str | None,
    typer.Option(
        "--base-url", metavar="URL", help="For PROVIDER:MODEL: the server's address, as in http://127.0.0.1:8000/v1."
    ),
]
CallChanges = Annotated[
    list[str] | None,
    typer.Option(
        "--calls",
        metavar="KEY=VALUE",
        help="For PROVIDER:MODEL: timeout, retries, per_minute, together, price_in, price_out, currency.",
    ),
]


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"shawgpt {version('shawgpt')}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    home: Annotated[
        Path | None,
        typer.Option(help="Work folder.", envvar="SHAWGPT_HOME", show_default=".shawgpt in the current folder"),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Options of every command."""
    context.obj = home


def home_of(context: typer.Context) -> Path:
    """The work folder that the command is to use."""
    from data.workfolder import default_home

    return context.obj or default_home()


def open_assistant(context: typer.Context, command: str, writing: bool = False, shared: bool = False) -> "Assistant":
    """The assistant on that folder; see there for `writing` and `shared`."""
    from bot.assistant import Assistant

    return Assistant(home_of(context), command, writing=writing, shared=shared)


def asked_for(
    responder: str | None,
    model: str | None,
    adapter: str | None,
    sampling: list[str] | None,
    base_url: str | None = None,
    calls: list[str] | None = None,
) -> "Asked":
    """What writes, as these options have it."""
    from bot.responders import Asked

    return Asked(responder, model, adapter, tuple(sampling or ()), base_url=base_url, calls=tuple(calls or ()))


def tell_where(assistant: "Assistant") -> None:
    """Say on stderr which address on another computer text will be sent to, where it will."""
    if address := assistant.writing.sent_to:
        who = assistant.writing.written_by
        typer.echo(
            f"shawgpt: comments, questions and passages are sent to {address} ({show_hidden(str(who))})", err=True
        )


def lines_of(path: Path, also: str | None, what: str) -> list[str]:
    """The lines of `path` that aren't empty; `also` is the text that was given beside, which raises BadInput."""
    from data.csvio import decode

    if also is not None:
        raise BadInput("give one text or a file of them, not both")
    lines = [line for line in decode(path, f"a text file of {what}, one a line").splitlines() if line.strip()]
    if not lines:
        raise BadInput(f"{path} has no {what} in it: give one a line")
    return lines


def print_json(value: Any, indent: int | None = 2) -> None:
    """Print `value` as JSON."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=indent))
