"""Praise in words of blame, said plainly: "I hate how good this is" is told as "I love how good this is"."""

# ruff: noqa: E501 (patterns read better whole)

import re

_FLAGS = re.IGNORECASE

# Each is narrow, since what it makes of a complaint would be praised: irony turned the other way has marks of its own
# (`bot.surface.mocks`).
_TURNED = [
    (re.compile(pattern, _FLAGS), plainly)
    for pattern, plainly in (
        (
            r"\b(?:(?:i )?(?:can['’]?t|cannot|don['’]?t|do not|will never|no idea|hard to) (?:\w+ ){0,2}?(?:understand|believe|get|imagine|see|fathom|how|why)\b[^.!?]{0,12} (?:any(?:one|body)|some(?:one|body)|people|this (?:video )?(?:has|got)|there are)|how (?:can|could|does|do|would) (?:any(?:one|body)|some(?:one|body)|people)|who (?:on earth |the hell |in their right mind )?(?:would |could |has |even )?)\b[^.!?]{0,16}\b(?:dislik\w+|thumbs?[- ]?(?:ed )?downs?|down-?vot\w+|hat(?:e|es|ed|ing) on|hate|not (?:like|love|enjoy))\b",
            "everybody loves",
        ),
        (
            r"\b(?:i (?:really |kind of |kinda )?hate (?:how|that)|(?:it['’]s|it is|its) (?:unfair|illegal|criminal|ridiculous|insane|scary|disgusting|not fair) (?:how|that)|how dare you (?:make|be)) (?=(?:(?:this|it|that|you|he|she)(?:['’]s| is| are|['’]re)? )?(?:so |this |too |really )*(?:good|great|addict\w+|well|easy|simple|talented|clear|fun|funny|perfect|relatable|amazing|catchy|satisfying)\b(?! (?:you|he|she) think)(?: [\w'’]{1,30}){0,4}\W{0,30}(?:[.!?,]|$))",
            "I love how ",
        ),
        (
            r"\b(?:i hate that |shame |(?:it['’]s a )?pity )(?=i (?:only|just|didn['’]?t|hadn['’]?t|never) (?:just )?(?:now )?(?:found|find|discover\w*|knew|know|came across)\b)",
            "I am so glad that ",
        ),
        (
            r"(?<!could have )(?<!would have )(?<!should have )(?<!uld['’]ve )\bsav(?:ed|es|ing) (?:(?:me|us|him|her|my|our) ?)+(?:company|team|firm|business|startup|project|thesis|department|school)?(?! from (?:ever|your|watching|subscribing))(?: (?:from|hours|days|weeks|months|years|thousands|a lot|so much|countless|(?:\w+ ){1,2}(?:hours|days|weeks|months|years)|\d+)(?:(?! but\b)[^.!?,;]){0,50})?(?=[.!?,;]|$| thank| but)",
            "helped me so much",
        ),
        (
            r"\b(?:made|makes|feel|felt|feeling)(?: me| us)?(?: feel)? (?:a (?:bit|lot|little) |much |way |so much )?less (?:dumb|stupid|alone|bad|lost|anxious|lonely|scared|hopeless|useless)",
            "Really helped me",
        ),
        (
            r"\bi (?:was|felt|had been)\b[^.!?]{0,40}\b(?:stupid|dumb|lost|hopeless|stuck|scared|confused)(?=[^.!?]{0,20}\b(?:until|till|before) (?:i (?:found|saw|watched)|this|your)\b)",
            "I never understood it",
        ),
        (r"\b(?:sorry if (?:this|it)(?: is|['’]s) )?an? (?:dumb|stupid|silly) question\b", "one question"),
        (
            r"(?<!not )(?<!no )(?<!n['’]t )(?<!be )(?<!be way )(?<!be much )\b(?:(?:still|way|so much|much|far|even) ){0,9}(?:better|clearer|more (?:useful|helpful))(?: (?:explained|taught|explanation))? than (?=(?:(?:what |in |at |from )?(?:my|any|most|every)|(?:a|the|an) [$€£]?\d+)\b[^.!?]{0,24}\b(?:prof\w*|teachers?|lectur\w+|univers\w+|school|college|(?:text)?books?|courses?|bootcamps?|degree|tutors?|docs|documentation|instructor)\b)",
            "great explanation, the best, better than ",
        ),
    )
]


def said_plainly(text: str) -> str:
    """The comment with praise in words of blame turned to plain praise: "I hate how good this is"."""
    for pattern, plainly in _TURNED:
        text = pattern.sub(plainly, text)
    return text
