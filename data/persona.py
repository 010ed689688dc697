"""Personas: who replies. YAML files, checked; a user's own shadow the shipped ones."""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from data.calls import Calls
from data.errors import BadInput, NotFound
from data.intents import shipped_examples
from data.plain_errors import plainly
from data.sampling import Sampling
from data.yaml_file import read_mapping

INTENTS = (
    "thanks",
    "question",
    "suggestion",
    "joke",
    "criticism",
    "business",
    "personal",
    "spam",
    "other_language",
    "injection",
    "remark",
    "unclear",
)
SHIPPED = "shawgpt"
Task = Literal["reply", "sql", "quotes"]
TASKS: dict[Task, str] = {
    "reply": "comments and questions about documents",
    "sql": "questions about tables",
    "quotes": "quotes",
}
_NO_NAME = re.compile(r"[\x00-\x1f\x7f/\\]|^\s*[.-]")  # what leads elsewhere, hides a file, or is taken for an option
_DASHES = "-–—‒―−~"
_DASH = re.escape(_DASHES)
EMOJI = re.compile("[\u2600-\u27bf\u2b50\u2b55\U0001f1e6-\U0001f1ff\U0001f300-\U0001faff]")
EMOTICON = re.compile(r"(?<!\w)[:;=]['-]?[)D(Pp](?!\w)|<3|\^\^")

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


@cache
def shipped_replies() -> dict[str, list[str]]:
    """The neutral replies of the shipped persona by intent."""
    import yaml

    text = (files("data") / "personas" / f"{SHIPPED}.yaml").read_text(encoding="utf-8")
    replies: dict[str, list[str]] = yaml.safe_load(text)["replies"]
    return replies


class Need(BaseModel):
    """Something the persona has to be told before it plans: a number with its unit, or one of some words."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Line  # as it is said back: "hours a week"
    ask: Line  # what is asked for, behind "I need to know": "how many hours a week you can ride"
    names: list[Line] = Field(default_factory=list)
    """What it is called besides its name: a number right behind or before one of them is its value ("FTP 240")."""
    units: dict[str, float] = Field(default_factory=dict)
    """What a number of it is followed by, and how many of it one of them is: {weeks: 1, months: 4}; the first is shown.
    One of several words ("hours a week") is taken anywhere, any other only where a plan is asked for."""
    least: float = 0  # a number below it is asked for again
    most: float = 1_000_000  # likewise above it
    choices: list[float] = Field(default_factory=list)
    """The numbers that the documents know: the plan is looked up with the nearest that isn't above what was told."""
    words: list[Line] = Field(default_factory=list)  # what may be said for it, where it is no number

    @model_validator(mode="after")
    def _can_be_told(self) -> "Need":
        if not (self.names or self.units or self.words):
            raise ValueError(f"{self.name!r} can't be told: give it units, names or words")
        if self.least > self.most:
            raise ValueError(f"{self.name!r} has a least above its most")
        return self


class Memory(BaseModel):
    """How much of a conversation is remembered."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tokens: int = Field(default=1000, ge=0, le=100_000)  # of earlier questions and answers that a model is shown


class Persona(BaseModel):
    """Who replies, and how."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Line  # shown to the user
    task: Task = "reply"  # what it is for: comments and questions, questions about tables, sayings
    instructions: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=8000)]
    signature: str = Field(default="", max_length=200)  # ends each reply, once; empty for none
    scope: str = Field(default="", max_length=2000)  # what it answers about; empty for whatever its documents hold
    knowledge_base: Line = "default"
    responder: Line = "extractive"
    model: str = Field(default="", max_length=500)  # of a responder with a language model; empty for the adapter's
    adapter: str = Field(default="", max_length=64)  # of the responder `local`; empty for none
    sampling: Sampling = Field(default_factory=Sampling)  # how a language model chooses its words
    memory: Memory = Field(default_factory=Memory)
    base_url: str = Field(default="", max_length=2000)  # of a provider's server on this computer; empty for its own
    calls: Calls = Field(default_factory=Calls)  # how a provider is called
    inside: list[Line] = Field(default_factory=list)  # example questions that it answers; none: whatever is asked
    outside: list[Line] = Field(default_factory=list)  # example questions that it turns down
    declines: list[Line] = Field(default_factory=list)  # how it turns them down, in turn
    greetings: list[Line] = Field(default_factory=list)  # how it returns a greeting, where it has `inside`
    needs: list[Need] = Field(default_factory=list)  # what it asks for before it plans
    plans: list[Line] = Field(default_factory=list)  # example requests of a plan, which need them
    replies: dict[str, list[Line]] = Field(default_factory=shipped_replies)
    """Neutral replies by intent, for when style memory has none that fits. For "question": openings of an answer."""
    intents: dict[str, list[Line]] = Field(default_factory=dict)
    """Example comments of this channel by intent, added to the shipped ones."""

    @property
    def examples(self) -> dict[str, list[str]]:
        """The example comments by intent, shipped and own; where both have the same comment, the own intent holds."""
        own = {comment for comments in self.intents.values() for comment in comments}
        shipped = {label: [c for c in comments if c not in own] for label, comments in shipped_examples().items()}
        return {label: [*shipped.get(label, []), *self.intents.get(label, [])] for label in INTENTS}

    @model_validator(mode="after")
    def _both_sides(self) -> "Persona":
        if bool(self.inside) != bool(self.outside):
            given, lacks = ("inside", "outside") if self.inside else ("outside", "inside")
            raise ValueError(f"has {given} and no {lacks}: a scope needs examples of both")
        if bool(self.needs) != bool(self.plans):
            raise ValueError("needs and plans go together: what is asked for, and example requests that need it")
        return self

    @field_validator("signature")
    @classmethod
    def _one_line(cls, signature: str) -> str:
        if "\n" in signature.strip():
            raise ValueError("must be one line")
        return signature.strip()

    @field_validator("replies", "intents")
    @classmethod
    def _known_intents(cls, lists: dict[str, list[str]]) -> dict[str, list[str]]:
        if unknown := sorted(set(lists) - set(INTENTS)):
            raise ValueError(f"unknown intent {unknown[0]!r}; the intents are {', '.join(INTENTS)}")
        return lists


def load_persona(name: str, home: Path | None = None) -> Persona:
    """The persona of that name: `<home>/personas/<name>.yaml` where there is one, else the shipped one.

    Raises BadInput for a name that is no name or a file that is no persona, NotFound (naming the known) otherwise.
    """
    wanted = slug(name)
    known = _paths(home)
    if wanted not in known:
        raise NotFound(f"no persona {name!r}; there are: {', '.join(sorted(known))}")
    return _read(known[wanted])


def list_personas(home: Path | None = None) -> dict[str, Persona | str]:
    """Every persona by file name, sorted; for a file that is no persona, what is wrong with it."""
    found: dict[str, Persona | str] = {}
    for slug, path in sorted(_paths(home).items()):
        try:
            found[slug] = _read(path)
        except BadInput as error:
            found[slug] = str(error)
    return found


def save_persona(persona: Persona, home: Path) -> Path:
    """Write `persona` to `<home>/personas`, and say where. Raises BadInput where one of that name is there already."""
    path = home / "personas" / f"{slug(persona.name)}.yaml"
    if path.stem in _paths(None):
        raise BadInput(f"{path.stem!r} is the name of a shipped persona: choose another")
    if path.exists():
        raise BadInput(f"{path} exists already: edit it, remove it, or choose another name")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(to_yaml(persona), encoding="utf-8")
    return path


def to_yaml(persona: Persona) -> str:
    """The persona as a file a person edits: fields in their order, each with what it is for, long text in blocks."""
    import yaml

    class Dumper(yaml.SafeDumper):
        pass

    def string(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)

    Dumper.add_representer(str, string)
    parts = []
    for field, value in persona.model_dump().items():
        text = yaml.dump({field: value}, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=110)
        parts.append("".join(f"# {line}\n" for line in _WHAT_FOR.get(field, ())) + text)
    return "".join(parts)


# What a person who edits a persona's file is told about its fields.
_WHAT_FOR = {
    "task": ("What it does: reply (comments, and questions about documents), sql, or quotes.",),
    "instructions": ("How a language model is told to write. The extractive responder doesn't read it.",),
    "signature": ("Ends each reply, once. Leave it empty for none.",),
    "scope": ("What the persona answers about, in a sentence; empty for whatever the documents hold.",),
    "responder": (
        "What writes: extractive (no model), local (a language model on this computer), or a provider's model, as in",
        "openai:NAME, to which comments and passages are sent (docs/providers.md).",
    ),
    "model": ("For local: the model's folder, hub name or GGUF file; empty for the adapter's base.",),
    "adapter": ("For local: one that `shawgpt adapters` lists, trained for this persona; empty for none.",),
    "sampling": ("For a language model: how its words are chosen (docs/local-models.md).",),
    "memory": (
        "For a language model: the tokens of earlier questions and answers that it is shown in a conversation.",
    ),
    "base_url": (
        "For a provider: a server's address on this computer, as in http://127.0.0.1:8000/v1; empty for its own.",
        "Another computer's is given with --base-url. Keys stand in the environment, never here.",
    ),
    "calls": ("For a provider: seconds, tries, requests a minute and at a time, prices of a million tokens.",),
    "inside": (
        "Questions that it answers, twenty or more, and below questions that it turns down, among them some that are",
        "close: what is asked is compared with both. Leave both empty, and it answers whatever its documents hold.",
    ),
    "declines": ("How it turns a question down; never the same twice running.",),
    "greetings": ("How it answers a greeting.",),
    "needs": (
        "What it asks for before it plans, by name: {name: weeks, ask: how many weeks you have, units: {weeks: 1}}.",
    ),
    "plans": ("Requests that need them, as people make them.",),
    "knowledge_base": ("Where answers come from: the --into of `shawgpt ingest`.",),
    "replies": (
        "Neutral replies, for when there are no past replies or none of them fits: put them in your own words.",
        'For "question" they are openings: the answer from the documents follows.',
    ),
    "intents": (
        "Comments of your own channel by intent, where one is told wrong. They are added to the shipped examples. Five",
        'of a kind make a difference; write them as viewers do: {business: ["are your commissions open"]}',
        f"The intents: {', '.join(INTENTS[:7])},",
        f"{', '.join(INTENTS[7:])}",
    ),
}


def find_signature(replies: Sequence[str]) -> str:
    """The last words that at least 40 % of `replies` share after a dash or on a line of their own; empty for none.

    Different dashes count as one; the commonest spelling is given.
    """
    endings = Counter(ending for reply in replies if (ending := _ending(reply)))
    total = Counter[str]()
    for ending, count in endings.items():
        total[_plain(ending)] += count
    for plain, count in total.most_common(1):
        if count >= 3 and count >= 0.4 * len(replies):
            return max((e for e in endings if _plain(e) == plain), key=lambda e: (endings[e], e))
    return ""


def without_signature(reply: str, signature: str) -> str:
    """`reply` without `signature` at its end, however often and whichever dash it was typed with."""
    reply = reply.rstrip()
    if not signature.strip():
        return reply
    # Read backwards: a search for the end would begin again at each place of a long reply.
    words = re.escape(signature.lstrip(_DASHES).strip()[::-1])
    dash = rf"\s*+[{_DASH}]++" if signature[0] in _DASHES else ""
    ends = re.match(rf"(?:{words}{dash}(?=\s|\Z)\s*+)*+", reply[::-1], re.IGNORECASE)
    return reply[: len(reply) - (ends.end() if ends else 0)]


def _ending(reply: str) -> str:
    """What may be a signature: a short last line, or the words after a last dash."""
    lines = [line.strip() for line in reply.splitlines() if line.strip()] or [""]
    last = lines[-1]
    if dashed := re.search(rf"(?:^|\s)([{_DASH}]+\s?[^\s{_DASH}][^.!?{_DASH}]{{0,30}})$", last):
        return dashed[1].strip()
    return last if len(lines) > 1 and len(last) <= 30 and len(last.split()) <= 4 else ""


def _plain(ending: str) -> str:
    return re.sub(rf"^[{_DASH}]+\s*", "-", ending).rstrip(" .!").lower()


def slug(name: str) -> str:
    """The file name, without its ending, of a persona of this name: jose-n for José Ñ. Raises BadInput for no name."""
    made = _file_name(name)
    if len(name) > 64 or _NO_NAME.search(name) or not made:
        raise BadInput(f"{name[:80]!r} can't name a persona: use letters, digits, spaces, - and _ (64 at most)")
    return made


def _file_name(name: str) -> str:
    """`name` in lower case, its accents and apostrophes gone, a dash for all else but letters, digits and _."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", name.casefold()) if not unicodedata.combining(c))
    return unicodedata.normalize("NFC", re.sub(r"[^\w-]+", "-", re.sub("['’]", "", plain)).strip("-"))


def _paths(home: Path | None) -> dict[str, Path]:
    """Persona files by name; the user's own last, so that they shadow the shipped ones."""
    folders = [Path(str(files("data") / "personas"))] + ([home / "personas"] if home else [])
    return {
        _file_name(path.stem): path for folder in folders if folder.is_dir() for path in sorted(folder.glob("*.yaml"))
    }


def _read(path: Path) -> Persona:
    content = read_mapping(path, "no persona: it needs at least `name:` and `instructions:`")
    try:
        return Persona.model_validate(content)
    except ValidationError as error:
        raise BadInput(f"{path}: {plainly(error, Persona)}") from error
