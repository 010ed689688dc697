"""Commands for conversations: hold one, list those that were kept, show and forget them."""

import sys
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import asdict
from typing import Annotated

import typer

from bot.cli.app import (
    AdapterName,
    BaseUrl,
    CallChanges,
    Json,
    Kb,
    ModelName,
    PersonaName,
    ResponderName,
    SamplingChanges,
    app,
    asked_for,
    open_assistant,
    print_json,
    tell_where,
)
from data.errors import BadInput

sessions_app = typer.Typer(
    help="Conversations that were kept: list, show and forget them.", invoke_without_command=True
)
app.add_typer(sessions_app, name="sessions", epilog="Example: `shawgpt sessions`")

SessionId = Annotated[str, typer.Argument(metavar="SESSION", help="As `shawgpt sessions` lists it.")]


@app.command(epilog="Example: `shawgpt chat --persona vito`")
def chat(
    context: typer.Context,
    session: Annotated[
        str | None, typer.Option("--session", metavar="SESSION", help="Go on with this conversation.")
    ] = None,
    persona: PersonaName = None,
    responder: ResponderName = None,
    model: ModelName = None,
    adapter: AdapterName = None,
    sampling: SamplingChanges = None,
    base_url: BaseUrl = None,
    calls: CallChanges = None,
    kb: Kb = None,
    as_json: Json = False,
) -> None:
    """Talk with a persona: a question a line, each understood with those before it.

    The conversation is kept in the work folder. An empty line or Ctrl-D ends it. Exit code 1 where a
    provider's model gave no reply to a question.
    """
    from bot.progress import waiting
    from bot.show import show_answer

    with open_assistant(context, "chat", shared=True) as assistant:
        if session:
            kept = assistant.conversations.session(session)
            if persona not in (None, kept.persona) or kb not in (None, kept.kb):
                raise BadInput(f"session {session} is with {kept.persona} and {kept.kb}: begin another for that")
            persona, kb = kept.persona, kept.kb
        assistant.use(persona, asked_for(responder, model, adapter, sampling, base_url, calls), kb, "reply")
        tell_where(assistant)
        failed = False
        answered = False
        try:
            for question in _questions():
                session = session or assistant.conversations.begin(assistant.persona_slug, assistant.kb)
                with nullcontext() if as_json else waiting("Looking it up"):
                    given = [piece for piece in assistant.converse(session, question) if not isinstance(piece, str)][-1]
                if as_json:
                    print_json({"session": session, **given.in_conversation()}, indent=None)
                else:
                    show_answer(given)
                answered = True
                failed |= given.status == "failed"
        finally:  # Ctrl-C too: what was said is kept, and is found again by this
            if answered:
                typer.echo(f"kept as {session}: `shawgpt chat --session {session}` goes on with it", err=True)
    if failed:
        raise typer.Exit(1)


@sessions_app.callback()
def sessions(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="The newest so many.")] = 50,
    as_json: Json = False,
) -> None:
    """List the conversations that were kept, newest first."""
    from bot.show import show_sessions

    if context.invoked_subcommand:
        return
    with open_assistant(context, "sessions") as assistant:
        found = assistant.conversations.latest(limit)
    print_json([asdict(each) for each in found]) if as_json else show_sessions(found)


@sessions_app.command("show", epilog="Example: `shawgpt sessions show 20260301T101500-0123456789abcdef`")
def show(context: typer.Context, session: SessionId, as_json: Json = False) -> None:
    """Show what was asked and answered in a conversation."""
    from bot.memory import answer_of
    from bot.show import out, show_answer, show_question

    with open_assistant(context, "sessions") as assistant:
        assistant.conversations.session(session)
        answers = [answer_of(exchange) for exchange in assistant.conversations.exchanges(session)]
    if as_json:
        print_json([answer.in_conversation() for answer in answers])
        return
    for answer in answers:
        show_question(answer.question)
        show_answer(answer)
        out.print()


@sessions_app.command("forget", epilog="Example: `shawgpt sessions forget 20260301T101500-0123456789abcdef`")
def forget(context: typer.Context, session: SessionId, as_json: Json = False) -> None:
    """Remove a conversation with all that was said in it."""
    with open_assistant(context, "sessions", shared=True) as assistant:
        assistant.conversations.forget(session)
    print_json({"forgotten": session}) if as_json else typer.echo(f"forgot {session}")


def _questions() -> Iterator[str]:
    """What is typed, or piped in, a question a line."""
    if not sys.stdin.isatty():
        yield from (line.strip() for line in sys.stdin if line.strip())
        return
    import readline  # noqa: F401 (lines can be edited and called back)

    while True:
        try:
            line = input("> ").strip()
        except EOFError:
            typer.echo()
            return
        if not line:
            return
        yield line
