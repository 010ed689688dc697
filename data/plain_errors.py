"""What pydantic finds wrong with a file that people write, in plain words: one line."""

from collections.abc import Callable
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

_WORDS: dict[str, Callable[[dict[str, Any]], str]] = {
    "missing": lambda _: "is missing",
    "greater_than": lambda of: f"must be above {of['gt']:g}",
    "greater_than_equal": lambda of: f"must be at least {of['ge']:g}",
    "less_than": lambda of: f"must be below {of['lt']:g}",
    "less_than_equal": lambda of: f"must be at most {of['le']:g}",
    "literal_error": lambda of: f"must be {of['expected']}",
    "string_too_short": lambda _: "must not be empty",
    "string_too_long": lambda of: f"must have at most {of['max_length']} characters",
    "too_long": lambda of: f"must have at most {of['max_length']} entries",
    "string_pattern_mismatch": lambda of: f"must match {of['pattern']}",
    "value_error": lambda of: str(of["error"]),
}
# What is wanted, by how pydantic's name of the error begins.
_WANTED = {
    "int": "must be a whole number",
    "float": "must be a number",
    "finite_number": "must be a number",
    "bool": "must be true or false",
    "string": "must be text",
    "list": "must be a list",
    "tuple": "must be a list",
    "dict": "must have entries below it",
}


def plainly(error: ValidationError, model: type[BaseModel]) -> str:
    """The first thing that is wrong with the fields of `model`, and how many more are.

    An unknown field comes before what is missing, which it may be the misspelling of.
    """
    found: dict[str, list[str]] = {}  # by field: of a union, each of its types has an error of its own
    for each in sorted(error.errors(), key=lambda each: each["type"] != "extra_forbidden"):
        where, owner = _field(each["loc"], model)
        said = _said(each["type"], each.get("ctx", {}), each["msg"], each.get("input"), owner)
        found.setdefault(where, []).append(said)
    (field, reasons), more = next(iter(found.items())), len(found) - 1
    return f"{field + ': ' if field else ''}{' or '.join(reasons)}" + (f" (and {more} more)" if more else "")


def _said(kind: str, context: dict[str, Any], message: str, given: Any, owner: type[BaseModel]) -> str:
    if kind == "extra_forbidden":
        return f"no such field; the fields are {', '.join(owner.model_fields)}"
    if kind.startswith("model_"):
        return f"must have fields of its own below it: {', '.join(owner.model_fields)}"
    if kind in _WORDS:
        return " ".join(_WORDS[kind](context).split())
    wanted = next((words for start, words in _WANTED.items() if kind.startswith(start)), "")
    return f"{wanted}, not {str(given)[:40]!r}" if wanted else " ".join(message.split())


def _field(place: tuple[int | str, ...], model: type[BaseModel]) -> tuple[str, type[BaseModel]]:
    """The name of the field at `place`, without what pydantic adds for a union's types; and the model it is one of.

    Of a field that is a model itself, and was given something else, that model.
    """
    parts: list[str] = []
    for part in place:
        if isinstance(part, str) and parts and "[" in part:  # "literal['all-linear']", "tuple[…]"
            break
        parts.append(str(part))
        field = model.model_fields.get(str(part))
        if field is None:
            continue
        inner = [kind for kind in (field.annotation, *get_args(field.annotation)) if isinstance(kind, type)]
        model = next((kind for kind in inner if issubclass(kind, BaseModel)), model)
    return ".".join(parts), model
