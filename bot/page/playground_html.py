"""What the Playground tab shows: what is written with its sources and speed, and the prompt token by token."""

import json
from dataclasses import dataclass
from html import escape

from bot.drafts import Draft
from bot.page.cards import STATUS
from bot.page.citations import Citations
from bot.page.markup import reason_html, text_html, valid
from bot.trial import READS_NONE, Prompt, Result
from bot.watch import ENDED

HEAD, TAIL = 900, 300  # tokens of a prompt that are shown; between them the rest is counted
NEAREST = 3  # passages shown where there is no answer
LONGEST = 40_000  # characters shown of a prompt that is no tokens


@dataclass(frozen=True)
class Shown:
    """A side of the playground while something is written there, and afterwards."""

    written_by: str  # responder and adapter
    warning: str = ""
    sent_to: str = ""  # the address on another computer that the text goes to
    prompt: Prompt | None = None
    said: str = ""
    result: Result | None = None
    error: str = ""
    stopped: bool = False


def result_html(name: str, shown: Shown | None) -> str:
    """What came of a try on the side `name`."""
    if shown is None:
        return '<div class="sg-empty"><p>What is written appears here, as it is written.</p></div>'
    return f'<div class="sg-tried" role="group" aria-label="Result {name}">{_warning(shown)}{_said(name, shown)}</div>'


def prompt_title(prompt: Prompt | None) -> str:
    """The line above the prompt: how many tokens it has."""
    if prompt is None or not prompt.turns:
        return "Prompt"
    about = "" if prompt.exact else "about "
    return f"Prompt: {about}{len(prompt.ids):,} tokens"


def prompt_html(prompt: Prompt | None) -> str:
    """The prompt as the model reads it."""
    if prompt is None:
        return '<p class="sg-count">Run, or press <b>Show prompt</b>, to see what the model reads.</p>'
    if not prompt.turns:
        why = READS_NONE if prompt.why == READS_NONE else f"The model isn't asked: {prompt.why}"
        return f'<p class="sg-count">{reason_html(why[0].upper() + why[1:])}.</p>'
    if not prompt.exact:
        whole = json.dumps(list(prompt.turns), ensure_ascii=False, indent=1)[:LONGEST]
        return (
            "<p class=\"sg-count\">The model's own tokenizer isn't on this computer: the count is an estimate, by "
            f'Mistral\'s.</p><pre class="sg-code" tabindex="0" aria-label="Messages">{text_html(whole)}</pre>'
        )
    return f'<p class="sg-count">{_room(prompt)}</p>{_tokens(prompt)}'


def code_html(code: str, kind: str) -> str:
    """`code` to look at and copy."""
    return (
        f'<div class="sg-code-head"><span class="sg-label">{kind}</span>'
        '<button type="button" class="sg-button sg-copy-code">Copy</button></div>'
        f'<pre class="sg-code" tabindex="0" aria-label="{kind}"><code>{escape(valid(code))}</code></pre>'
    )


def _room(prompt: Prompt) -> str:
    assert prompt.reads
    count, window = len(prompt.ids), prompt.reads.window
    if window > 1 << 30:
        return f"{count:,} tokens. Point at one for its id."
    return f"{count:,} tokens; {max(0, window - count):,} of the model's {window:,} are left. Point at one for its id."


def _tokens(prompt: Prompt) -> str:
    """Each token as a chip; of a long prompt the beginning and the end."""
    count = len(prompt.ids)
    if count <= HEAD + TAIL:
        shown = _chips(prompt, 0, count)
    else:
        between = f'<span class="sg-more">… {count - HEAD - TAIL:,} more tokens …</span>'
        shown = f"{_chips(prompt, 0, HEAD)}{between}{_chips(prompt, count - TAIL, count)}"
    return f'<div class="sg-tokens" tabindex="0" role="group" aria-label="The prompt, token by token">{shown}</div>'


def _chips(prompt: Prompt, start: int, end: int) -> str:
    return "".join(_chip(*each) for each in prompt.pieces(start, end))


def _chip(id: int, piece: str, special: bool) -> str:
    kind = " sg-special" if special else ""
    line = piece in ("<0x0A>", "\n", "Ċ")
    text = "↵" if line else text_html(piece.replace("▁", " ").replace("\n", "↵"))
    return f'<span class="sg-token{kind}" title="{id}">{text}</span>{"<br>" if line else ""}'


def _warning(shown: Shown) -> str:
    return f'<p class="sg-note sg-warn" role="alert">{_sentence(shown.warning)}</p>' if shown.warning else ""


def _said(name: str, shown: Shown) -> str:
    by = f"<span>Responder: {text_html(shown.written_by)}</span>"
    by += f"<span>Text goes to {text_html(shown.sent_to)}</span>" if shown.sent_to else ""
    if shown.error:
        return f'<div class="sg-answer sg-failed" role="alert"><b>This failed.</b> {reason_html(shown.error)}</div>'
    if shown.result is None:
        state = _state(shown)
        said = f'<p class="sg-said" dir="auto">{text_html(shown.said)}</p>' if shown.said else ""
        return f'<div class="sg-answer sg-pending">{said}{state}<p class="sg-meta">{by}</p></div>'
    result = shown.result
    citations = Citations(f"play-{name}", result.passages)
    said = _sentences(result, citations)
    label = "Sources"
    if not any(sentence.support for sentence in result.sentences):
        citations.add(result.passages[:NEAREST])
        label = "Passages found"
    body = f'<p class="sg-said" dir="auto">{said}</p>' if said else ""
    return (
        f'<div class="sg-answer">{body}{_verdict(result)}{citations.chips(label)}'
        f'<p class="sg-meta" role="status">{by}{_speed(result)}</p>{citations.panels()}</div>'
    )


def _state(shown: Shown) -> str:
    if shown.stopped:
        return '<span class="sg-badge sg-warn">Stopped</span>'
    if shown.said:
        return '<span class="sg-dots">Writing</span>'
    return f'<span class="sg-dots">{"Waiting for the first token" if shown.prompt else "Getting ready"}</span>'


def _sentences(result: Result, citations: Citations) -> str:
    """What was written; where it was compared with passages, with its sources sentence by sentence."""
    if not result.sentences:
        return text_html(result.said)
    shown = []
    for sentence in result.sentences:
        told = sentence.support or sentence.text in result.unfounded
        shown.append(citations.sentence(sentence) if told else text_html(sentence.text))
    return " ".join(shown)


def _verdict(result: Result) -> str:
    """What Ask or Replies would make of it."""
    verdict = result.verdict
    if verdict is None:
        return '<p class="sg-verdict sg-label">Knowledge is off: it was compared with nothing.</p>'
    if isinstance(verdict, Draft):
        said, kind = STATUS[verdict.status]
        where, reasons = "In Replies", "; ".join(verdict.flags)
    else:
        answered = verdict.status == "answered"
        said, kind = ("Answered", "good") if answered else ("Not answered", "warn")
        where, reasons = "In Ask", verdict.reason
    why = f" {_sentence(reasons)}" if reasons else ""
    return (
        f'<p class="sg-verdict"><span class="sg-label">{where}:</span> '
        f'<span class="sg-badge sg-{kind}">{said}</span>{why}</p>'
    )


def _speed(result: Result) -> str:
    """Tokens, times, how it ended, and what it cost."""
    watch = result.watch
    if watch is None:
        return ""
    facts = [f"{watch.tokens:,} tokens" if watch.tokens is not None else f"about {watch.pieces:,} tokens"]
    facts += [f"first after {watch.until_first:.2f} s"] if watch.until_first is not None else []
    facts += [f"{watch.rate:.1f} tokens/s"] if watch.rate is not None else []
    facts += [ENDED.get(watch.ended, f"ended: {watch.ended[:40]}")] if watch.ended else []
    facts += [result.cost] if result.cost else []
    return "".join(f"<span>{text_html(fact)}</span>" for fact in facts)


def _sentence(text: str) -> str:
    text = valid(text)
    return reason_html(text[:1].upper() + text[1:]) + ("" if text.endswith((".", "!", "?", "…")) else ".")
