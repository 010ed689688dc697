"""Write docs/commands.md from the commands' own help, so that it is never out of date (a test compares them)."""

from pathlib import Path
from typing import Any

import typer.main

from bot.cli import app

HEAD = "# Commands\n\nMade by `python docs/make_help.py` from the commands themselves.\n"


def pages() -> str:
    """The text of docs/commands.md."""
    commands = _commands(typer.main.get_command(app), "shawgpt")
    return HEAD + "".join(_section(command, name) for name, command in commands)


# Typer carries its own copy of click, whose classes are private: commands and parameters are told by what they have.
def _commands(group: Any, prefix: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, command in group.commands.items():
        path = f"{prefix} {name}"
        found += _commands(command, path) if hasattr(command, "commands") else [(path, command)]
    return found


def _section(command: Any, name: str) -> str:
    usage = " ".join([name, *(_argument(p) for p in command.params if p.param_type_name == "argument")])
    lines = [f"\n## {name}\n", f"`{usage}`\n", f"{' '.join((command.help or '').split())}\n"]
    options = [p for p in command.params if p.param_type_name == "option"]
    if options:
        lines += ["| option | |", "| --- | --- |"]
        lines += [f"| `{', '.join([*p.opts, *p.secondary_opts])}` | {(p.help or '').strip()} |" for p in options]
        lines.append("")
    lines.append(f"{command.epilog}\n")
    return "\n".join(lines)


def _argument(argument: Any) -> str:
    shown = argument.metavar or (argument.name or "").upper()
    return shown if argument.required else f"[{shown}]"


if __name__ == "__main__":
    Path(__file__).with_name("commands.md").write_text(pages(), encoding="utf-8")
