"""What can be told from the surface of a comment: rules that decide alone, and cues that help the nearest examples."""

# ruff: noqa: E501 (patterns read better whole)

import re
import unicodedata

from data.hidden import strip_hidden, tag_text
from data.persona import EMOJI, EMOTICON
from data.sentences import sentences

_FLAGS = re.IGNORECASE
NORMALISED = 4_000  # characters at a time: Unicode sorts a run of accents in the square of its length

# A comment may be of any length, and whoever writes it may mean harm: no pattern may look at the same run of characters
# again from each of its places. So a run is possessive (`++`), begins where it isn't preceded by itself, or has an end.
# Commands to the assistant. Each needs an order or a control string: "what is a system prompt?" is a fair question.
_INJECTION = [
    re.compile(pattern, _FLAGS)
    for pattern in (
        r"\[/?INST\]|<</?SYS>>|<\|[a-z_ ]{2,20}\|>|</?s>|\[/?(?:SYSTEM_PROMPT|TOOL_CALLS|AVAILABLE_TOOLS|TOOL_RESULTS)\]",
        r"(?:^|\n)\W{0,4}(?:system|assistant|instructions?|developer|new task)\W{0,3}[:>]|</?(?:comment|passages?|system|instructions?)>",
        r"(?<!\bi )(?<!we )(?<!they )(?<!people )(?<!always )(?<!never )(?<!usually )(?<!often )(?<!who )(?<!not )(?<!n't )\b(?:ignore|disregard|forget|override|bypass|neglect)\b.{0,40}\b(?:instruct\w*|rules?|prompts?|guidelines?|directions?|restrictions?|safety|(?:everything|anything|all|what)\b.{0,24}\b(?:above|before|told|said|previous\w*|prior))\b",
        r"\b(?:print|reveal|show|repeat|output|tell|display|leak|give|share|recite|dump|send)\b.{0,30}\b(?:system|hidden|initial|original|secret|internal|developer|your)\b.{0,12}\b(?:prompt|instructions|guidelines|directives|message|configuration)\b",
        r"\b(?:you are|you're|you will be) (?:now|no longer|going to (?:act|play|pretend|be))\b|\bfrom now on,? you\b|\byou are an? (?:\w+ )?(?:pirate|robot|butler|cat|dog|villain|princess|AI|bot|assistant|chatbot)\b.{0,20}\b(?:now|answer|reply|respond|act)\b|\bwhen you (?:write|draft|compose|generate|answer) (?:the |a |your )?(?:reply|answer|draft|response)?|\bin your (?:reply|answer|response),? (?:you|please|add|say|mention|include)\b|\byou (?:must|have to|shall) (?:now )?(?:obey|comply|answer|reply|respond|output|include|say)\b",
        r"\b(?:act|behave|answer|respond|reply|roleplay|role[- ]play) (?:only )?(?:as|like) (?:if you|an?\b|my|the|DAN)|\bpretend (?:that )?(?:to be|you)|\bstay in character\b|\bdo anything now\b|\b(?:developer|DAN|god|jailbreak) mode\b",
        r"\bas an (?:AI|artificial|LLM|language model|assistant)\b.{0,40}\byou\b|\b(?:dear|attention|hey|hello|note to(?: the)?|message (?:for|to)(?: the)?|instructions? (?:for|to)(?: the)?) (?:AI|bot|chatbot|assistant|LLM|GPT|language model|model)s?\b(?! (?:engineer|channel|person|guy|lab))|(?:^|[.!?\n] ?)to (?:the|any|every|all) (?:AI|bot|chatbot|assistant|LLM|language model)s?\b|\bif you(?:'re| are) (?:an? )?(?:AI|bot|chatbot|LLM|language model|automated)\b",
        r"(?:^|[.!,;:\n]|\b(?:and|please|then|must|should|shall|will|only|just|to|now)) ?(?:reply|respond|answer|output)(?: to (?:this|me|all|every\w*)(?: \w+)?)? (?:only |exactly |just |simply )*(?:with\b|by saying)|(?:^|[.!,;:\n]|\b(?:and|please|then|must|should|now|only|just)) ?(?:output|say|write|print|type|repeat) (?:only |exactly |just )*(?:the (?:following|words?|phrase|string)\b|[\"'“‘]|(?:yes|no|ok)\b)|\b(?:start|begin|end) your (?:reply|answer|response|message)\b",
        r"(?:^|[.!?:;\n]\s*)(?:please |now |also |instead,? |then )*(?:modify|add|integrate|augment|enhance|replace|use|provide|introduce|misspell|scramble|jumble|rearrange|anagram|remove|group|combine|render|substitute|convert|include|mention|suggest|tease|insert|append|format|write|make|put|finish|phrase|in|at the end of)\b.{0,90}\byour (?:final |next )?(?:repl(?:y|ies)|responses?|answers?|message|output)\b(?! (?:to (?:my|the|this|that|his|her|their)|helped|was|is|would)\b)",
        r"\b(?:do|say|answer|write|reply) (?:this|that|the following) instead\b|\b(?:ignore|disregard|forget) (?:the|this|that|my|all) (?:\w+ )?(?:comments?|messages?|questions?|text|request)\b.{0,20}\b(?:above|before|and)\b",
        r"\b(?:include|insert|add|append|paste|post|put|mention)\b.{0,30}\b(?:link|url|text|phrase|code|address|sentence)\b.{0,40}\b(?:repl(?:y|ies)|answers?|response|output|comments?)\b",
        r"\b(?:approve|publish|delete|remove|mark|flag|like|pin)\b (?:this|these|all|every|each|the)\b.{0,30}\b(?:comments?|drafts?|repl(?:y|ies))\b.{0,40}\b(?:as|now|automatically|immediately|without|approved)\b|\bwithout (?:asking|human|any)\b.{0,20}\bapprov",
        r"^\W*(?:please |now |kindly )?(?:write|compose|draft|generate|create|provide|develop|craft|rewrite|translate|summari[sz]e|paraphrase|convert)\b.{0,40}\b(?:poem|essay|story|speech|letter|e-?mail|song|lyrics|haiku|limerick|code|script|function|query|malware|virus|paragraph|sentence|following|text)\b",
        r"\b(?:your new (?:task|role|goal|job|name)|stop (?:being|acting))\b|\bwhat(?: is|['’]s| are| were) your (?:system |initial |exact )?(?:prompt|instructions)\b|\byou are (?:DAN\b|(?:now )?free (?:of|from))|\b(?:new|updated|real|actual|following|these|my) (?:instructions?|orders?|directives?|system prompt|rules) ?(?:are|is|:|for (?:you|the))",
        r"(?:^|[.!?\n]\s*)(?:ok |okay |hey |hi |dear |@)?(?:AI|bot|chatbot|assistant|[A-Za-z]*GPT|LLM|language model)\s*[,:!]\s*\w+",
        r"\b(?:developer|admin|administrator|owner|creator|system) (?:here|note|override|speaking|message)\b\W|\bthis is (?:the|your) (?:developer|admin|administrator|owner|creator)\b|\bsudo \w|\b(?:execute|run) (?:the|this) (?:following|command)\b|\bend of (?:comment|prompt|input|instructions|transcript)\b",
        r"\b(?:answer|respond|reply|speak|talk|write) (?:only )?in (?:json|base64|binary|rhyme|emoji|all caps|capital letters|the (?:style|voice) of)\b|\b(?:give|send|tell|show|share)\b.{0,24}\b(?:password|passphrase|api[ _-]?key|access token|credentials)\b",
        r"\b(?:unrestricted|unfiltered|uncensored|jailbroken) (?:AI|mode|assistant|model|bot|version of you)|\b(?:another|an|different) A[Il] (?:model |named |known )|\bno (?:restrictions|filters|limits|guidelines) (?:and|or|on you)\b",
        # What the reply has to hold. "How can I add sources when answering?" is no order: the verb has to come first.
        r"(?:^|[.!?:;,\n] ?|\b(?:please|also|then|must|always) )(?:please |also |always |just |kindly ){0,20}(?:add|append|attach|include|insert|mention|name|plug|promote|recommend|advertise|link to|say|state|tell|claim|confirm|write|put)\b(?:[^.!?\n]|\.(?=\w)){0,80}\b(?:when(?:ever)?|while|as) (?:you(?:['’]re| are)? |u )?(?:repl(?:y|ying)|answer(?:ing)?|respond(?:ing)?)\b",
        r"\b(?:when|while|in) (?:you(?:['’]re| are)? |your )?(?:reply(?:ing)?|answer(?:ing)?|respond(?:ing)?|response)\b(?: (?:to )?(?:this|me|it|that))?,? (?:please |also |always |just |kindly |be sure to |make sure to |you (?:must|should|have to) )*(?:add|append|attach|include|insert|mention|plug|promote|recommend|advertise|state|claim|confirm|put)\b",
        r"(?:^|[.!?:;,\n] ?|\b(?:please|then|just|now) )(?:pretend|make believe|act as (?:if|though))(?: that)? (?:the|your|my|our|we|i|you|he|she|it|this|they)\b.{0,90}\b(?:confirm|say so|tell (?:me|us|every\w+)|reply (?:as|with|that)|respond (?:as|with|that)|announce|answer accordingly)\b",
        r"(?:^|[.!?:;,\n] ?|\b(?:please|then|and) )(?:confirm|state|announce|say|declare|acknowledge)\b[^.!?\n]{0,60}\b(?:in|with|through) (?:your|the) (?:public )?(?:reply|answer|response)\b|\b(?:confirm|guarantee|announce|declare|state) (?:it|this|that)(?:(?: to (?:me|us|everyone))? (?:here|now|in writing|publicly|below)| to (?:me|us|everyone))(?:[.!,]|$)",
        r"(?:^|[.!?\n]\s*)(?:please )?(?:say|state|confirm|tell (?:me|us|every\w+|them|viewers)) (?:that )?(?:my|the|your|our|i)\b[^.!?\n]{0,40}\b(?:refunded|approved|cancelled|have won|has won)\b",
        r"<script\b|javascript:|\bon(?:error|load|mouse\w+|click)\s*=|<iframe\b|\{\{.{0,80}__|<img\b[^>]{0,400}\bsrc",
    )
]
_BLOB = re.compile(
    r"(?<![\w/.:-])(?=[A-Z0-9+/]{0,200}[a-z])(?=[a-z0-9+/]{0,200}[A-Z])(?=[A-Za-z+/]{0,200}\d)[A-Za-z0-9+/]{32,}={0,2}|(?:\\x[0-9a-f]{2}){6,}|(?:[01]{8} ){4,}"
)
_URL = re.compile(
    r"https?://|www\.|(?<![\w-])-*+\w[\w-]*+\.(?:com|net|org|io|ru|xyz|shop|site|top|biz|info|link|me|ly)\b(?:/\S*)?",
    _FLAGS,
)
_SPAM = [
    re.compile(pattern, _FLAGS)
    for pattern in (
        r"\b(?:t\.me|wa\.me|bit\.ly|tinyurl|cutt\.ly|is\.gd)\b",
        r"\b(?:telegram|whats? ?app|signal|instagram|insta|snapchat)\b.{0,40}(?:\+?\d[\d ()-]{6}|@\w)|(?:\+?\d[\d ()-]{6,12}|@\w+|contact|text|message|reach|write|dm|hit (?:him|her|me) up|him|her)\b.{0,40}\b(?:telegram|whats? ?app)\b",
        r"\b(?:bitcoin|btc|crypto\w*|forex|nft|ethereum|binary options?)\b.{0,80}\b(?:profits?|invest\w*|earn\w*|trader|expert|broker|account manager|withdr\w+|returns?|doubled?|signals)\b.{0,80}",
        r"\b(?:profits?|invest(?:ed|ing|ment)|earn(?:ed|ing)|made)\b.{0,60}\b(?:mr|mrs|ms|expert|trader|broker|her|his|him)\b.{0,60}\b(?:trad\w+|crypto|platform|forex|bitcoin|strategy|signals|guidance)\b",
        r"\b(?:check(?: out)?|visit|see|watch|join|follow|sub(?:scribe)? to|come to|look at) my (?:\w+ )?(?:channel|page|profile|site|website|store|shop|music|video|playlist|server)s?\b|\bsub ?(?:4|for) ?sub\b|\blike (?:4|for) like\b",
        r"\b(?:gift cards?|give ?away|claim your|free (?:prizes?|robux|v-?bucks|iphone|followers|money|gift)|buy (?:cheap )?(?:followers|views|likes|subscribers)|grow your channel|(?:onlyfans|hot singles))\b",
        r"\b(?:earn|make|made|earning|making)\b.{0,24}(?:[$€£] ?\d[\d,.]*k?|\d[\d,.]*k? ?(?:dollars|usd|euros?|bucks|pounds))\b.{0,40}\b(?:day|week|month|daily|weekly|hourly|home|online)\b",
        r"\b(?:100 ?% (?:free|legit|guaranteed)|guaranteed (?:profit|results|returns)|(?:\d+ ?[$€£]|[$€£] ?\d[\d,.]*k?) (?:daily|an? (?:day|week|hour)|per|every)|(?:want|need|get) (?:more|free) (?:subscribers|views|followers)|portfolio (?:doubled|tripled|grew)|link (?:is )?in (?:my|the|his|her) (?:bio|profile|name)|i['’]?ll sub(?:scribe)?(?: to you)? back|limited (?:time )?offer|promo(?:tion)? code|discount code|work from home|click (?:here|the link|on the link|my))\b",
    )
]
_CUES: dict[str, re.Pattern[str]] = {
    label: re.compile(pattern, _FLAGS)
    for label, pattern in {
        "thanks": r"\b(?:(?:got|landed|offered) (?:me )?(?:the|my|a|an|that) (?:first )?(?:\w+ )?(?:job|offer|promotion|position|role|internship|client)|half the reason|carried me|paid off|wow|insane(?:ly)?|fascinating|interesting|phenomenal|outstanding|stunning|magnificent|gorgeous|delightful|unreal|incredible|goosebumps|speechless|impressive|impressed|first (?:time|one|person|video|channel|teacher) (?:\w+ ){0,4}(?:explain\w*|told|understood|show\w*|made|makes)|finally (?:some(?:one|body)|an?) \w+|thank(?:s| ?you|ful)?|thx|perfection|hilarious|elegant|adorable|masterclass|nailed it|awe?some|ty|tysm|grateful|gratitude|apprecia\w+|awesome|amaz\w+|excellent|fantastic|great(?:est)?|brilliant|superb|wonderful|lovely|love[sd]?|(?<!n.t )(?<!not )perfect(?:ly)?|helpful|useful|clear(?:ly)?|well (?:done|said|explained)|best|congrat\w*|kudos|gift for|talent\w*|passed (?:my|the|an?) \w+|aced|because of you|thanks to you|delicious|(?:turned|came) out (?:so |really )?(?:great|perfect\w*|good|well|nice\w*|delicious)|still relevant|(?:just|instant(?:ly)?|new|earned a|you got a|another) sub\w*|take my (?:like|money)|satisfying|click(?:ed|s) for me|(?:welcome|good to see you|glad you(?:['’]re| are)) back|miss(?:ed)? you(?:r videos)?|finally (?:get|got|underst\w+|makes?|made|click\w*)|chapeau|proud of (?:you|how)|it worked|how is this free|goat(?:ed)?|top[- ]notch|on point|high quality|quality content|so good|god bless|a\+|(?:clear|simpl|easi)est|deserv\w*|can['’]?t wait|never disappoints?|hands down|taught me|work(?:s|ed) (?:perfectly|great|like|first|for me)|(?:until|till|before) (?:i (?:found|saw|watched)|this (?:video|channel|post|tutorial|series)|your (?:video|channel)s?)|made sense|love from|following you|(?:big|huge) fan|looking forward|saved (?:me|my)|blew my mind|mind ?blow\w+|10/10|bless you|spot on|cheers|bravo|respect|good luck|all the best|wish (?:you|u)|keep (?:it |up|going|them)|underrated|subscribed|inspir\w+|legend|genius|wholesome|relaxing|soothing|calming|cozy|bing(?:e|ed|ing|eing)|answer(?:ed|ing) my question|made me (?:laugh|smile|cry)|got me through|(?:you(?:['’]re| are) (?:a |the )?|super ?)(?:star|hero|kind|goat|man)|the gift of|has the gift|gem|lifesaver|gold|favou?rite|enjoy\w*|good (?:job|work|stuff|video|one)|nice|epic|masterpiece|hats off|addicted|beautiful\w*|more power|go viral|happy (?:new year|birthday|holidays))\b|🙏|❤|👏|🔥|💯|👍|😍|🥰|🙌|<3",
        "suggestion": r"\b(?:day (?:#|no\.? ?)?\d+ (?:of|in) (?:asking|requesting|begging|waiting|suggesting|pleading)|(?:video|content) (?:idea|request)|(?:do|make) one (?:on|about)|next one (?:on|about)|(?:an?|one|another|more) (?:videos?|tutorials?|posts?|episodes?|series|parts?|guides?) (?:on|about|for|covering|with)\b.{0,60}\b(?:would|please|pls|plz)|it would (?:be|help)\b.{0,20}\b(?:if you)|(?:pls|please|plz) (?:make|do|create|upload|cover|add|bring|post)|(?:can|could) you (?:please )?(?:upload|post|add|zoom|slow|speak)|you should\b|\bpart (?:2|3|4|two|three|ii|iii)\b|hop(?:e|ing) (?:for|to see) (?:an?|more|another|the next)\b|vote for|consider (?:adding|making|doing|covering|uploading|posting)|(?:ever |have you )(?:thought|considered)(?: about| of)? (?:doing|making|starting|a|uploading)|^(?:a |another )?(?:tutorials?|videos?|episodes?|series|guides?) (?:on|about)\b|more of (?:this|these|that)|how about (?:an?|some|another|doing|making)\b.{0,30}\b(?:video|episode|series|collab|stream|tutorial|post|guide)|would be (?:so |really |very |super )?(?:cool|great|nice|awesome|helpful|amazing|interesting|useful|good) (?:if|to|for)|i wish (?:you|there)|(?:can|could|would|will|pls|please|plz|may|should|you might) .{0,40}\b(?:do|make|create|record|cover|film|post|write|upload|start|add|show|review|talk|request|consider)\b.{0,60}\b(?:videos?|tutorials?|series|guides?|posts?|episodes?|part (?:two|2|ii)|content|podcast|subtitles|captions|chapters|courses?|playlist|follow[- ]?up|article|walk-?through|review|comparison|next time)\b|(?:would|['’]d|d) (?:really |also |be )*(?:love|like|great|nice|cool|awesome|interesting|helpful|amazing|happy|keen)\b.{0,20}\b(?:to see|if you|to have|to watch|to hear|to get)\b|(?:can|could) you (?:please )?also (?:talk|cover|show|do|make)|(?:do|make|cover|next)\b.{0,20}\b(?:next|video|tutorial) (?:on|about|for)\b|more (?:videos?|content|posts?|episodes?|tutorials?) (?:like|on|about)|(?:i )?suggest(?:ion)?\b|request(?:ing)?\b|you should (?:also |really )?(?:do|make|cover|post|try|start|write|add))",
        "criticism": r"\b(?:(?:did(?:n['’]?t| not) )?you (?:had )?(?:said|say|promised?|announced?|told us|swore|mentioned)\b.{0,30}\b(?:you(?:['’]d|['’]ll| would| will| were)|would|there(?:['’]d| would)|part|follow[- ]?up|in \w+)|you (?:promised|announced)|still (?:waiting|nothing|no (?:sign|part|follow|update|video))|i had (?:hoped|expected)|(?:already|all of (?:it|this)) (?:knew|know)|knew (?:all|most|everything)|(?:better|clearer) (?:\w+ )?than (?:you|yours?)\b(?! think)|(?:old|earlier|first|previous) (?:videos?|ones?|episodes?|posts?) (?:was|were) (?:so much |way |much )?better|used to be (?:better|good)|(?:understand|believe|get|see|know) (?:how|why) (?:any(?:one|body)|people|some(?:one|body)) (?:could |can |would |even |still |actually )*(?:likes?|enjoys?|watch\w*|loves?|buys?)\b|saved me from (?:ever|your|watching|subscribing)|frauds?|scammers?|rip-?offs?|gets? everything|not (?:one|a single) (?:\w+ )?(?:useful|fact|word|sentence|thing)|never delivered|no thanks|skipped the|did(?:n['’]?t| not) (?:help|work|tell me|learn|teach)|lost (?:a|two|three|\d+|our|my|the) (?:days?|weeks?|client|hours?|money)|cost (?:us|me|our|my)\b)|(?<!never )(?<!n't )(?<!n’t )(?<!not )\b(?:wrong(?:ly)?|incorrect\w*|mistaken?|mistakes?|typo|inaccura\w+|misleading|expected (?:more|better)|nothing to do with|flawed|an error (?:at|in|on)|not how (?:it|this|that)|zero content|clown|click ?bait|waste of|wast(?:e|ed|ing) (?:\w+ ){0,4}my|(?:shame|pity) (?:about|that|the)|thanks for (?:nothing|wasting|ruining)|fell flat|nothing new|get to the point|copied (?:from|this)|stolen|boring|useless|garbage|rubbish|trash|terrible|awful|horrible|worst|disappoint\w*|annoying|disagree|outdated|stupid|idiot|dumb|(?:i (?:really |just )?|people )hated?|(?<!no )nonsense|unsubscrib\w+|dislik\w+|overrated|scam|fake|liar|lazy|sloppy|cringe|too (?:loud|quiet|fast|slow|long|short|small|dark|much|vague|shallow|noisy|low|many)|(?:audios?|sound|volume|mic\w*|voice|music|video|picture|screen|text|font|lighting)\b.{0,30}\b(?:quiet|loud|dark|small|blurry|noisy|muffled|off|distracting)|dangerous|irresponsible|misinformation|unsafe|bad advice|(?:could|should|would)['’]?ve been|can(?:'t|not|’t) (?:hear|read|see|understand a)|barely (?:hear|audible|read)|poor(?:ly)?|bad|sucks?|ugly|correction|is reversed|are reversed|swapped|contradict\w*|you forgot|(?:could|would|should) have been (?:an?|shorter|fine|said|done)|stop (?:reading|saying|talking|using|doing|with|making|pretending)|(?:is|are|was|were|seems?) (?:way |totally |completely |a bit |slightly )?off|link\b.{0,30}\b(?:dead|broken|not work\w*)|(?:dead|broken) link|weak argument|overhyped|shallow|superficial|(?:feels|sounds|looks) like an ad|just an ad|advertisement|nobody asked|who (?:asked|cares)|(?:can['’]?t|cannot|not) be reproduced|why do you (?:keep|always|never|have to)|could(?:n['’]t| not) (?:hear|see|read|follow)|hard to (?:follow|hear|read|understand|watch)|lost me|lacks?|lacking|cherry[- ]pick\w*|biased|no sources?|over-?complicat\w*|pointless|meh|doesn(?:'|’)t (?:add up|make sense)|made no sense|shut up|go to hell|go away|not (?:true|correct|accurate|helpful|impressed))\b|👎|🤮|💩",
        "business": r"\b(?:sponsor\w*|(?:we|my (?:company|firm)) (?:sell|produce|manufacture|represent)s?|(?:have|got|is|there['’]s) (?:a |some |the )?budget|budget for (?:a|an|your|this)|(?:we|our|us|let['’]?s|brand|paid|i)\b.{0,40}\bcollab\w*|collab\w* (?:with (?:us|me)|proposal|opportunit\w+|request)|partner(?:ship)?s?|rate card|your rates|business (?:e-?mail|inquir\w+|enquir\w+|proposal|opportunit\w+)|(?:available for|offer|do you do|book|paid|pay for) .{0,20}(?:consult\w*|coaching|mentor\w*)|(?:we(?:'re| are)|are you) (?:hiring|looking for)|hire (?:you|me)|job offer|freelance (?:work|project)|paid (?:promotion|partnership|gig|collab\w*|coaching|review)|your (?:fee|price|charge)|do you charge|refund|invoice|licens(?:e|ing) (?:your|the)|speak at|brand deal|(?:send|ship|offer|gift|give) you (?:our|a free|one of our|some of our)|we(?:['’]re| are) an? .{0,40}(?:company|brand|agency|startup|start-up|studio|firm|publisher|maker)|for (?:a )?review\b|work with you|who (?:can|should|do) (?:we|i) contact|do you sell|(?:review|try|test|feature|showcase) our|ship (?:you|one|it)|book you|keynote|media kit|patreon|donat(?:e|ion)|financially support|tip jar|affiliate|your e-?mail|contact (?:you|details)|our (?:company|brand|product|team|podcast|conference|event|startup|agency|platform|marketing|clients?))\b",
        "personal": r"\b(?:passed away|cope with|losing my|my (?:wife|husband|son|daughter|mom|mum|dad|mother|father|brother|sister) (?:has|died|left|passed|is (?:sick|ill|in|dying))|(?:so|all|feel(?:ing)?) alone|hospital|died|funeral|cancer|diagnos\w+|depress\w+|suicid\w+|kill myself|end my life|don(?:'|’)t want to live|hopeless|lonely|anxiety|panic attacks?|divorc\w+|broke up|heart ?broken|(?:quit|left|lost) my (?:\w+ ){0,3}job|got (?:fired|laid off)|addiction|chest pain\w*|in hospital|pray for|pregnan\w+|hospice|terminal(?:ly)? ill|palliative|chemo\w*|tumou?r|had a stroke|miscarr\w+|widow\w*|grie(?:f|ve|ving)|buried|dementia|alzheimer\w*|dying|(?:not|n['’]t) (?:got )?(?:much|long) (?:time|left)|weeks to live|my (?:therapist|psychiatrist|doctor)|where do you live|are you (?:married|single)|your (?:girlfriend|boyfriend|wife|husband|salary|address|phone)|marry (?:me|you)|how old are you|tough (?:time )?for me|hard time|got fired|boyfriend|girlfriend|my ex|sober|been clean|feel(?:ing)? like a failure|in debt|abus(?:e|ed|ive)|i (?:love|miss) you|my feelings|bullied|evict\w*)\b",
        "remark": r"\b(?:(?:to|for) (?:everyone|everybody|anyone|anybody|those|all|people|folks|whoever)(?: of you| else| who(?:['’]s| is| are)?)? (?:asking|wondering|looking|search\w+|struggling|having|interested|still|who|on|using|getting|with|new|confused)|if (?:anyone|anybody|someone)(?: else)?(?:['’]s| is| are| has| needs?| wants?| gets?)|pinned comment|(?:helps|help) (?:someone|anyone|others)|^guys,? (?:the|it|you)|(?:the|your) (?:link|code|notebook|repo|slides|recipe|pattern) (?:is|are) (?:in|on|under|linked)|you(?:r \w+)? (?:look|sound|talk|walk|dress|laugh|sing|cook|remind)s? (?:(?:me|us) of|(?:exactly |just |a lot |a bit )?like)|is (?:exactly |just )?like my|fyi|btw|by the way|fun fact|pro tip|in my (?:experience|opinion|country)|imo|imho|i (?:find|prefer|always|usually|personally)|personally|i['’]?ve (?:been using|used|found|always))\b",
        "joke": r"\b(?:more like \w+|has (?:some )?questions\.|i told my (?:boss|wife|husband|cat|dog|doctor|therapist|landlord|\w+ officer)\b|my (?:gpu|laptop|bank account|wallet|oven|cat|dog|phone) (?:now |just |has |is |wants |thinks )+|nobody:|lol|lmao|rofl|pov|\d+ problems|alexa|siri|let (?:him|her|me|them) cook|real (?:star|mvp|hero)|and now (?:he|she|it|i)(?:['’]s|['’]m| is| am) an?|no idea why|ha(?:ha)+\w*|hehe\w*|jk|just kidding|plot twist|instructions unclear|beg to differ|asking for a friend|dad jokes?)\b|[😂🤣😆😜😝🤪😹💀]|\bme (?:watching|at|when|trying)\b|\bi (?:came|was here) for\b",
    }.items()
}
_ASKS = re.compile(
    r"\?|^(?:please |pls |kindly )?(?:explain|describe|define|compare|outline|break (?:it |this )?down|solve|calculate|show me how|tell (?:me|us)|list|provide) (?!yourself)|^(?:(?:hi|hey|hello|sir|bro|dude|and|but|so|also|well|ok|okay|please|pls|then|quick question|question|one question|(?:at |around )?\d{1,2}:\d\d|\w+(?=[,:]))[\s,:-]+){0,4}"
    r"(?:(?:what|how|why|when|where|which|who|whose)(?:'s|’s|s)? (?!a\b|an\b|great|nice|amazing|awesome|beautiful|lovely)\w+"
    r"|(?:can|could|would|should|will|do|does|did|is|are|was|were|have|has) (?:i|you|u|we|it|this|that|there|the|these|they|someone|anyone|anybody|your)\b)"
    r"|\b(?:i(?:'m| am)?|we) (?:do not|don['’]t|didn['’]t|did not|can['’]?t|cannot|couldn['’]t) (?:really |quite |fully )?(?:understand|get|see|figure|follow|know) (?:how|why|what|which|where|when|the|that|it|if|whether)"
    r"|\b(?:i(?:'m| am|’m| was)? (?:just )?(?:wonder(?:ing)?|confused|curious|stuck|not sure|unsure)|(?:have|had|got) (?:a|one|another|some|few|two) (?:\w+ )?questions?|(?:quick|one|another) question|any (?:advice|tips|ideas?|insights?|recommendation|suggestions?)|any(?:one|body)(?: else| here)? (?:know|got|have|tried|using|getting)|^differences? between|[,;.] ?(?:and |so |but )?(?:is|are|was|will|would|does|do|did|can|could|should) (?:that|this|it|there|they|i|we|you)\b|(?:please|pls|plz|(?:can|could|would|will) (?:u|you)(?: please| pls)?|kindly) (?:help|explain|tell|give|suggest|advise|clarify|share|guide)\b|i(?:['’]m)? (?:get|got|getting|keep getting)\b.{0,40}\b(?:errors?|exceptions?|not found|warnings?|stuck|nan)\b|(?:why|how|where|when|what) (?:do|does|did|is|are|can|could|should|would) (?:i|you|u|we|it|this|that|the|they|one)\b|can (?:any|some)(?:one|body)|let me know (?:how|what|if|which)|help me)\b",
    _FLAGS,
)
_RHETORICAL = re.compile(
    r"^(?:\W*(?:right|really|seriously|huh|eh|no|yes|isn['’]t it|are you kidding(?: me)?|am i right|you know|who else\b.*+|anyone else\b.*+|"
    r"how (?:is|are) (?:this|that|it|these|your videos) (?:free|not|only|still|so)\b.*+|who needs\b.*+|can i (?:just )?(?:say|hug|kiss|subscribe|like|give)\b.*+|why (?:does|do|is|are)n['’]?t (?:this|everyone|every|more people|my|school|all|teachers?|professors?)\b.*+|where (?:was|were) (?:this|you)\b.*+|how do you make\b(?=.* so (?:easy|simple|clear|fun)\b).*|(?:how|why) (?:are|is|do|did|does) (?:you|this|he|she|it)(?: guy| man| channel| video)? (?:so|not|this|even so|have so few|only have)\b.*+|"
    r"where (?:have|has|were) (?:you|this)(?: channel| video)? been\b.*+|what (?:would|could) (?:i|we) (?:ever )?do without you\b.*+|what['’ ]?s not to (?:like|love)\b.*+))\W*+$",
    _FLAGS,
)
# Words of praise that may be meant the other way round.
_MOCKS = re.compile(
    r"^\W*(?:ah|oh|wow|yeah|sure|right)\W+(?:yes|sure|look|great|good|wonderful|another|because|so)\b(?! (?:explanation|video|job|work|stuff))|\b(?:great|perfect|excellent|nice|good|helpful|ideal)\b[^.!?]{0,40}\b(?:if (?:you|your)|for (?:anyone|people|those) who)\b.{0,40}\b(?:want|like|wish|enjoy|need|goal|hate|love)\b|"
    r"(?<!word )(?<!term )(?<!called )(?<!say )(?<!said )(?<!the )(?<!\w)[\"“'‘](?!I\b)\w+[\"”'’](?!\w)|(?-i:(?<=[a-z] )NOT\b(?= [a-z]))|\b(?:how|very|so) (?:relatable|original|brave|convenient|classy|brave)\b|"
    r"\bwho (?:taught|let|gave|told|allowed|hired) (?:you|this|that|him|her|the)\b|\byou call (?:this|that|it)\b|\b(?:nobel|einstein|groundbreaking|slow clap|stop the press\w*|sherlock|you(?:['’]ve| have)? (?:just )?(?:reinvent|rediscover)\w+)\b|\b(?:at least (?:you|the)|bless your heart|must be nice|yeah right|i['’]m sure (?:it|you)|good for you|thank god you)\b|"
    r"\bthanks? (?:you )?for (?:nothing|wast\w+|ruin\w+|spoil\w+|break\w+|confirm\w+|proving|the (?:clickbait|nightmares|spoilers?)|(?:the )?absolutely nothing)|\bso you (?:finally|do|can|own)\b|\b(?:nice|good) (?:that|to see) (?:that )?you (?:finally|at last)\b|[🙄🤡👎💩🤮😒🤦🖕😑🤢]",
    _FLAGS,
)
# A thing asked for, as it is: "do you have the slides?" is a question, "put the slides online" a suggestion.
_WANTS = re.compile(
    r"\b(?:do you (?:still )?(?:have|know|happen to have)|have you got|is there (?!(?:any )?(?:chance|way|hope))|are there|where (?:can|could|do|is|are|did)|can (?:i|we) (?:get|find|have|download)|(?:can|could|would|will|pls|please)(?: you| u)?(?: please)? (?:share|send|link|give|drop))\b[^.!?]{0,40}\b"
    r"(?:slides?|notebooks?|code|repo(?:sitory)?|github|data ?sets?|data|pdf|links?|files?|templates?|spreadsheets?|sheets?|scripts?|transcripts?|recipes?|patterns?|papers?|sources?|lists?|documents?|schematics?|references)\b",
    _FLAGS,
)
_WH = re.compile(r"\b(?:what|how(?! about)|why|when|where|which|who)\b", _FLAGS)
_ABOUT_YOU = re.compile(r"\b(?:you|your|ur|this video|this channel|this post)\b", _FLAGS)
_CHEER = frozenset(
    "❤🧡💛💚💙💜🖤🤍🤎💕💖💗💞💯👍👏🙏🔥🥰😍🤩😊☺🙂😀😃😄😁🎉🥳🙌💪👌⭐🌟✨🫶😎🤗👊🤝🏆✅🚀🌹🌸💐🌈🫡🐐🌻🎊☕🥹🤌👑💎✨🍀🕊"
)
_LAUGH = frozenset("😂🤣😆😹😅😜😝🤪💀")
_LETTER = re.compile(r"[^\W\d_]")
_BUT = re.compile(r"(?:[,;]|(?<! )) ++(?=(?:but|however|unfortunately|sadly|though(?= \w))\b)", _FLAGS)
_BUT_FIRST = re.compile(r"(?:but|however|unfortunately|sadly|though)\b", _FLAGS)
_BARE = re.compile(r"\W*[^\W\d_]{5,}(?:-[^\W\d_]+)*[. ]*")
_LENGTHENED = re.compile(r"(\w)\1{2,}")


def plain(comment: str) -> str:
    """The comment as rules read it: compatibility forms folded, hidden characters out, white space single."""
    seen = strip_hidden(comment)
    pieces = (seen[at : at + NORMALISED] for at in range(0, len(seen), NORMALISED))
    text = "".join(unicodedata.normalize("NFKC", piece) for piece in pieces)
    return re.sub(r" ?\n[ \n]*", "\n", re.sub(r"[^\S\n]+", " ", text)).strip()


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
    if re.fullmatch(r"(\w)\1*\W*", text):
        return "unclear", "one letter"
    if not _LETTER.search(text):
        return _wordless(text)
    if not _LETTER.search(re.sub(r"(?:https?://|www\.)\S+", "", text)):
        return "spam", "a link alone"
    for pattern in _SPAM:
        if (found := pattern.search(text)) and not _innocent(text):
            return "spam", f'"{_short(found[0])}"'
    if re.match(r"@[\w.-]+\s", text):
        return "remark", "addressed to another viewer"
    return None


def cues(sentence: str) -> set[str]:
    """The labels that words of `sentence` speak for. "question" is `asks`."""
    found = {label for label, pattern in _CUES.items() if pattern.search(sentence)}
    if asks(sentence):
        found.add("question")
        if not _ABOUT_YOU.search(sentence):
            found.discard("criticism")  # "what am I doing wrong?"
    if "suggestion" in found and ("criticism" in found or _WANTS.search(sentence)):
        found.discard("suggestion")  # "You said you would do a part two"; "Could you share the slides?"
    if "suggestion" in found and not _WH.search(sentence):
        found.discard("question")  # "Can you do one on bread?"
    if found & {"suggestion", "question", "business"}:
        found.discard("thanks")  # "I would love a video on bread": the kind words are in the asking
    if "joke" in found:
        found.discard("personal")
    return found


def asks(sentence: str) -> bool:
    """Whether it asks for something: a question mark or a question's words, and not only for effect."""
    return bool(_ASKS.search(sentence)) and not _RHETORICAL.match(sentence)


def mocks(text: str) -> bool:
    """Whether it has a mark of mockery: a scare quote, "Oh great, another", a rolling eye. Much of it is harmless."""
    return bool(_MOCKS.search(text))


def sentence_texts(text: str) -> list[str]:
    """The sentences of a comment."""
    return [text[start:end] for start, end in sentences(text)]


def clauses(text: str) -> list[str]:
    """The sentences of a comment, parted once more where a "but" follows a kind word: after it comes the message."""
    return [part for said in sentence_texts(text) for part in (_parted(said) if _BUT.search(said) else [said])]


def takes_back(before: str, said: str) -> bool:
    """Whether `said`, the clause after `before`, may take back a kind word with its "but"."""
    return "thanks" in cues(before) and bool(_BUT_FIRST.match(said)) and "thanks" not in cues(said)


def bare(text: str) -> bool:
    """Whether it is one word that speaks for nothing: a subject's name and no more."""
    return bool(_BARE.fullmatch(text)) and not cues(_LENGTHENED.sub(r"\1", text))


def has_url(text: str) -> bool:
    return _URL.search(text) is not None


def _parted(sentence: str) -> list[str]:
    before, said = _BUT.split(sentence, maxsplit=1)
    return [before, said] if _CUES["thanks"].search(before) and _LETTER.search(said) else [sentence]


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
