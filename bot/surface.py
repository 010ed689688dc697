"""What can be told from the surface of a comment: rules that decide alone, and cues that help the nearest examples."""

import re
import unicodedata

from data.hidden import strip_hidden, tag_text
from data.persona import EMOJI, EMOTICON
from data.sentences import sentences

_FLAGS = re.IGNORECASE

# Commands to the assistant. Each needs an order or a control string: "what is a system prompt?" is a fair question.
_INJECTION = [
    re.compile(pattern, _FLAGS)
    for pattern in (
        r"\[/?INST\]|<</?SYS>>|<\|[a-z_ ]{2,20}\|>|</?s>|\[/?(?:SYSTEM_PROMPT|TOOL_CALLS|AVAILABLE_TOOLS|TOOL_RESULTS)\]",
        r"(?:^|\n)\W{0,4}(?:system|assistant|instructions?|developer|new task)\W{0,3}[:>]|</?(?:comment|passages?|system|instructions?)>",
        r"\b(?:ignore|disregard|forget|override|bypass|neglect)\b.{0,40}\b(?:instruct\w*|rules?|prompts?|guidelines?|directions?|restrictions?|safety|(?:everything|anything|all|what)\b.{0,24}\b(?:above|before|told|said|previous\w*|prior))\b",
        r"\b(?:print|reveal|show|repeat|output|tell|display|leak|give|share|recite|dump|send)\b.{0,30}\b(?:system|hidden|initial|original|secret|internal|developer|your)\b.{0,12}\b(?:prompt|instructions|guidelines|directives|message|configuration)\b",
        r"\b(?:you are|you're|you will be) (?:now|no longer|going to (?:act|play|pretend|be))\b|\bfrom now on,? you\b|\byou (?:must|have to|shall) (?:now )?(?:obey|comply|answer|reply|respond|output|include|say)\b",
        r"\b(?:act|behave|answer|respond|reply|roleplay|role[- ]play) (?:only )?(?:as|like) (?:if you|an?\b|my|the|DAN)|\bpretend (?:that )?(?:to be|you)|\bstay in character\b|\bdo anything now\b|\b(?:developer|DAN|god|jailbreak) mode\b",
        r"\bas an (?:AI|artificial|LLM|language model|assistant)\b.{0,40}\byou\b|\b(?:dear|attention|hey|hello|note to(?: the)?|message (?:for|to)(?: the)?|instructions? (?:for|to)(?: the)?) (?:AI|bot|chatbot|assistant|LLM|GPT|language model|model)s?\b(?! (?:engineer|channel|person|guy|lab))|\bif you(?:'re| are) (?:an? )?(?:AI|bot|chatbot|LLM|language model|automated)\b",
        r"\b(?:reply|respond|answer|output|say|write|print|start|begin|end) (?:to (?:this|me|all|every\w*) ?(?:comments?)? )?(?:only |exactly |just |simply )?(?:with|the (?:following|word|words|phrase|text|string)|by saying|your (?:reply|answer|response))\b",
        r"\b(?:include|insert|add|append|paste|post|put|mention)\b.{0,30}\b(?:link|url|text|phrase|code|address|sentence)\b.{0,40}\b(?:repl(?:y|ies)|answers?|response|output|comments?)\b",
        r"\b(?:approve|publish|delete|remove|mark|flag|like|pin)\b (?:this|these|all|every|each|the)\b.{0,30}\b(?:comments?|drafts?|repl(?:y|ies))\b.{0,40}\b(?:as|now|automatically|immediately|without|approved)\b|\bwithout (?:asking|human|any)\b.{0,20}\bapprov",
        r"^\W*(?:please |now |kindly )?(?:write|compose|draft|generate|create|provide|develop|craft|rewrite|translate|summari[sz]e|paraphrase|convert)\b.{0,40}\b(?:poem|essay|story|speech|letter|e-?mail|song|lyrics|haiku|limerick|code|script|function|query|malware|virus|paragraph|sentence|following|text)\b",
        r"\b(?:new|updated|real|actual|following|these|my) (?:instructions?|orders?|directives?|system prompt|rules) ?(?:are|is|:|for (?:you|the))",
        r"\b(?:unrestricted|unfiltered|uncensored|jailbroken) (?:AI|mode|assistant|model|bot|version of you)|\b(?:another|an|different) A[Il] (?:model |named |known )|\bno (?:restrictions|filters|limits|guidelines) (?:and|or|on you)\b",
        r"<script\b|javascript:|\bon(?:error|load|mouse\w+|click)\s*=|<iframe\b|\{\{.{0,80}__|<img\b[^>]*\bsrc",
    )
]
_BLOB = re.compile(r"(?<![\w/.:-])(?=[A-Za-z0-9+/]*[a-z])(?=[A-Za-z0-9+/]*[A-Z])(?=[A-Za-z0-9+/]*\d)[A-Za-z0-9+/]{32,}={0,2}|(?:\\x[0-9a-f]{2}){6,}|(?:[01]{8} ){4,}")
_URL = re.compile(r"https?://|www\.|\b[\w-]+\.(?:com|net|org|io|ru|xyz|shop|site|top|biz|info|link|me|ly)\b(?:/\S*)?", _FLAGS)
_SPAM = [
    re.compile(pattern, _FLAGS)
    for pattern in (
        r"\b(?:t\.me|wa\.me|bit\.ly|tinyurl|cutt\.ly|is\.gd)\b",
        r"\b(?:telegram|whats? ?app|signal|instagram|insta|snapchat)\b.{0,40}(?:\+?\d[\d ()-]{6,}|@\w+)|(?:\+?\d[\d ()-]{6,}|@\w+|contact|text|message|reach|write|dm|hit (?:him|her|me) up|him|her)\b.{0,40}\b(?:telegram|whats? ?app)\b",
        r"\b(?:bitcoin|btc|crypto\w*|forex|nft|ethereum|binary options?)\b.{0,80}\b(?:profits?|invest\w*|earn\w*|trader|expert|broker|account manager|withdr\w+|returns?|doubled?|signals)\b.{0,80}",
        r"\b(?:profits?|invest(?:ed|ing|ment)|earn(?:ed|ing)|made)\b.{0,60}\b(?:mr|mrs|ms|expert|trader|broker|her|his|him)\b.{0,60}\b(?:trad\w+|crypto|platform|forex|bitcoin|strategy|signals|guidance)\b",
        r"\b(?:check out|visit|see|sub(?:scribe)? to|come to) my (?:channel|page|profile|site|website|store|music|video)\b|\bsub ?(?:4|for) ?sub\b|\blike (?:4|for) like\b",
        r"\b(?:gift cards?|give ?away|claim your|free (?:robux|v-?bucks|iphone|followers|money|gift)|buy (?:cheap )?(?:followers|views|likes|subscribers)|grow your channel|(?:onlyfans|hot singles))\b",
        r"\b(?:earn|make|made|earning|making)\b.{0,24}(?:[$€£] ?\d[\d,.]*k?|\d[\d,.]*k? ?(?:dollars|usd|euros?|bucks|pounds))\b.{0,40}\b(?:day|week|month|daily|weekly|hourly|home|online)\b",
        r"\b(?:100 ?% (?:free|legit|guaranteed)|guaranteed (?:profit|results|returns)|limited (?:time )?offer|promo(?:tion)? code|discount code|work from home|click (?:here|the link|on the link|my))\b",
    )
]
_CUES: dict[str, re.Pattern[str]] = {
    label: re.compile(pattern, _FLAGS)
    for label, pattern in {
        "thanks": r"\b(?:thank(?:s| you|ful)?|thx|ty|tysm|grateful|gratitude|apprecia\w+|awesome|amaz\w+|excellent|fantastic|great(?:est)?|brilliant|superb|wonderful|lovely|loved?|perfect(?:ly)?|helpful|useful|clear(?:ly)?|well (?:done|said|explained)|best|congrat\w*|kudos|bravo|respect|good luck|all the best|wish (?:you|u)|keep (?:it |up|going|them)|underrated|subscribed|inspir\w+|legend|genius|gem|lifesaver|gold|favou?rite|enjoy\w*|good (?:job|work|stuff|video|one)|nice|epic|masterpiece|hats off|addicted|beautiful\w*|more power|go viral|happy (?:new year|birthday|holidays))\b|🙏|❤|👏|🔥|💯|👍|😍|🥰|🙌|<3",
        "suggestion": r"\b(?:video idea|content idea|(?:can|could|would|will|pls|please|plz|may|should|you might) .{0,40}\b(?:do|make|create|record|cover|film|post|write|upload|start|add|show|review|talk|request|consider)\b.{0,60}\b(?:videos?|tutorials?|series|guides?|posts?|episodes?|part (?:two|2|ii)|content|podcast|subtitles|captions|chapters|courses?|playlist|follow[- ]?up|article|walk-?through|review|comparison|next time)\b|(?:would|['’]d|d) (?:really |also |be )*(?:love|like|great|nice|cool|awesome|interesting|helpful|amazing|happy|keen)\b.{0,20}\b(?:to see|if you|to have|to watch|to hear|to get)\b|(?:can|could) you (?:please )?also (?:talk|cover|show|do|make|explain|go over)|(?:do|make|cover|next)\b.{0,20}\b(?:next|video|tutorial) (?:on|about|for)\b|more (?:videos?|content|posts?|episodes?|tutorials?) (?:like|on|about)|(?:i )?suggest(?:ion)?\b|request(?:ing)?\b|you should (?:also |really )?(?:do|make|cover|post|try|start|write|add))",
        "criticism": r"\b(?:wrong(?:ly)?|incorrect\w*|mistaken?|mistakes?|typo|inaccura\w+|misleading|mislead|click ?bait|waste|boring|useless|garbage|rubbish|trash|terrible|awful|horrible|worst|disappoint\w*|annoying|disagree|outdated|stupid|idiot|dumb|hate|(?<!no )nonsense|unsubscrib\w+|dislik\w+|overrated|scam|fake|liar|lazy|sloppy|cringe|(?:too|so|bit|very|way too) (?:loud|quiet|fast|slow|long|short|small|dark|much|vague|shallow|noisy|low)|can(?:'t|not|’t) (?:hear|read|see|understand a)|barely (?:hear|audible|read)|poor(?:ly)?|bad|sucks?|ugly|correction|is reversed|are reversed|swapped|contradict\w*|doesn(?:'|’)t (?:add up|make sense)|made no sense|shut up|go to hell|go away|not (?:true|correct|accurate|helpful|impressed))\b|👎|🤮|💩",
        "business": r"\b(?:sponsor\w*|collab(?:orat\w+)?|partner(?:ship)?s?|rate card|your rates|business (?:e-?mail|inquir\w+|enquir\w+|proposal|opportunit\w+)|(?:available for|offer|do you do|book|paid|pay for) .{0,20}(?:consult\w*|coaching|mentor\w*)|(?:we(?:'re| are)|are you) (?:hiring|looking for)|hire (?:you|me)|job offer|freelance (?:work|project)|paid (?:promotion|partnership|gig|collab\w*|coaching|review)|your (?:fee|price|charge)|do you charge|refund|invoice|licens(?:e|ing) (?:your|the)|speak at|keynote|media kit|patreon|donat(?:e|ion)|financially support|tip jar|affiliate|your e-?mail|contact (?:you|details)|our (?:company|brand|product|team|podcast|conference|event|startup|agency|platform|marketing|clients?))\b",
        "personal": r"\b(?:passed away|died|funeral|cancer|diagnos\w+|depress\w+|suicid\w+|kill myself|end my life|don(?:'|’)t want to live|hopeless|lonely|anxiety|panic attacks?|divorc\w+|broke up|heart ?broken|(?:quit|left|lost) my (?:\w+ ){0,3}job|got (?:fired|laid off)|addiction|chest pain\w*|in hospital|pray for|pregnan\w+|my (?:therapist|psychiatrist|doctor)|where do you live|are you (?:married|single)|your (?:girlfriend|boyfriend|wife|husband|salary|address|phone)|marry (?:me|you)|how old are you|tough (?:time )?for me|hard time|struggling with|in debt|abus(?:e|ed|ive)|i (?:love|miss) you|my feelings|bullied|evict\w*)\b",
        "joke": r"\b(?:lol|lmao|rofl|ha(?:ha)+\w*|hehe\w*|jk|just kidding|plot twist|instructions unclear|beg to differ|asking for a friend|dad jokes?)\b|[😂🤣😆😜😝🤪😹💀]|\bme (?:watching|at|when|trying)\b|\bi (?:came|was here) for\b",
    }.items()
}
_ASKS = re.compile(
    r"\?|^(?:(?:hi|hey|hello|sir|bro|dude|and|but|so|also|well|ok|okay|please|pls|then|quick question|question|one question|[A-Z]\w+)[\s,:-]+){0,4}"
    r"(?:(?:what|how|why|when|where|which|who|whose)(?:'s|’s)? (?!a\b|an\b|great|nice|amazing|awesome|beautiful|lovely)\w+"
    r"|(?:can|could|would|should|will|do|does|did|is|are|was|were|have|has) (?:i|you|u|we|it|this|that|there|the|these|they|someone|anyone|anybody|your)\b)"
    r"|\b(?:i(?:'m| am)?|we) (?:do not|don['’]t|didn['’]t|did not|can['’]?t|cannot|couldn['’]t) (?:really |quite |fully )?(?:understand|get|see|figure|follow|know) (?:how|why|what|which|where|when|the|that|it|if|whether)"
    r"|\b(?:i(?:'m| am|’m| was)? (?:just )?(?:wonder(?:ing)?|confused|curious|stuck|not sure|unsure)|(?:have|had|got) (?:a|one|another|some|few|two) (?:\w+ )?questions?|(?:quick|one|my|another) question|any (?:advice|tips|ideas?|insights?|recommendation|suggestions?)|(?:please|pls|plz|u|you) (?:help|explain|tell|give|suggest|advise|clarify|share|guide)(?: me| us)?|can (?:any|some)(?:one|body)|let me know (?:how|what|if|which)|help me)\b",
    _FLAGS,
)
_RHETORICAL = re.compile(
    r"^(?:\W*(?:right|really|seriously|huh|eh|no|yes|isn['’]t it|are you kidding(?: me)?|am i right|you know|who else\b.*|anyone else\b.*|"
    r"(?:how|why) (?:are|is|do|did|does) (?:you|this|he|she|it)(?: guy| man| channel| video)? (?:so|not|this|even so|have so few|only have)\b.*|"
    r"where (?:have|has|were) (?:you|this)(?: channel| video)? been\b.*|what (?:would|could) (?:i|we) (?:ever )?do without you\b.*|what['’ ]?s not to (?:like|love)\b.*))\W*$",
    _FLAGS,
)
_CHEER = frozenset("❤🧡💛💚💙💜🖤🤍🤎💕💖💗💞💯👍👏🙏🔥🥰😍🤩😊☺🙂😀😃😄😁🎉🥳🙌💪👌⭐🌟✨🫶😎🤗👊🤝🏆")
_LAUGH = frozenset("😂🤣😆😹😅😜😝🤪💀")
_LETTER = re.compile(r"[^\W\d_]")


def plain(comment: str) -> str:
    """The comment as rules read it: compatibility forms folded, hidden characters out, white space single."""
    text = unicodedata.normalize("NFKC", strip_hidden(comment))
    return re.sub(r"[^\S\n]+", " ", text).strip()


def rule(comment: str) -> tuple[str, str] | None:
    """(label, reason) where the surface alone decides, else None."""
    text = plain(comment)
    if (smuggled := tag_text(comment)) and _LETTER.search(smuggled):
        return "injection", "invisible text"
    for pattern in _INJECTION:
        if found := pattern.search(text):
            return "injection", f'"{_short(found[0])}"'
    if _BLOB.search(text):
        return "injection", "an encoded block"
    if not _LETTER.search(text):
        return _wordless(text)
    for pattern in _SPAM:
        if (found := pattern.search(text)) and not _innocent(text):
            return "spam", f'"{_short(found[0])}"'
    return None


def cues(sentence: str) -> set[str]:
    """The labels that words of `sentence` speak for. "question" is `asks`."""
    found = {label for label, pattern in _CUES.items() if pattern.search(sentence)}
    return found | {"question"} if asks(sentence) else found


def asks(sentence: str) -> bool:
    """Whether it asks for something: a question mark or a question's words, and not only for effect."""
    return bool(_ASKS.search(sentence)) and not _RHETORICAL.match(sentence)


def sentence_texts(text: str) -> list[str]:
    """The sentences of a comment."""
    return [text[start:end] for start, end in sentences(text)]


def has_url(text: str) -> bool:
    return _URL.search(text) is not None


def _innocent(text: str) -> bool:
    """A viewer who asks about crypto isn't selling it."""
    return asks(text) and not has_url(text) and not re.search(r"telegram|whats? ?app|my (?:channel|page)", text, _FLAGS)


def _wordless(text: str) -> tuple[str, str]:
    emoji = {character for character in text if EMOJI.match(character)}
    if emoji & _LAUGH:
        return "joke", "laughter only"
    if emoji & _CHEER or EMOTICON.search(text):
        return "thanks", "cheering emoji only"
    return "unclear", "no words"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 50 else text[:47] + "…"
