"""Whether a comment is in English: the language that replies are written in."""

import re
import unicodedata
from functools import cache
from typing import Any

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Common English words, without those that other languages have too ("a", "in", "no", "video" …).
_ENGLISH = _words(
    "the and or but of to for with is are were be been it its this that these those i you she we they my your his "
    "her our their him them does did have has had can could will would should not at by from about what how why "
    "when where which who if than then there here just very much more most good great thanks thank love like nice "
    "best one all any some get got make made know think really im i'm it's don't please bro man sir wow awesome "
    "amazing helpful clear hello hi hey cool yes ok new only never always keep work "
)
# Words of the commonest other languages on the channels, of those that English doesn't share.
_OTHER = _words(
    "gracias mucho mucha ayudó desde explicado saludos muchas muy por que como está esta el los las una del con "
    "pero también hola bueno buen excelente explicación merci beaucoup très bien une pour avec dans vous je suis "
    "c'est votre bonjour génial danke sehr gut ist und nicht ich das der ein für auch wie toll schön obrigado "
    "obrigada muito não você uma parabéns conteúdo ótimo grazie molto bello sono è che bhai bahut accha acha hai "
    "kya nahi mujhe aap aapka kamaal kaise bohot achha shukriya dhanyavad yaar ji karo banao samjha samjhaya ka ki "
    "ke teşekkürler çok güzel bir için abi terima kasih bagus sangat banget mantap salamat po ang dziękuję bardzo "
    "świetny jest bedankt heel goed een het niet tack så mycket favor haz un sobre tu tus mi más sin eres puedes "
    "hacer amigo buenas tardes qué cuando donde porque todo hace nuevo le les du nous faire peux pourrais plaît "
    "plait sur tes mon ces cette aussi mais kannst bitte machen über zum zur mein dein euch hallo guten aber auf "
    "mir noch wieder faz um seu meu pode fazer legal aula puoi fare ciao il lo gli tuo mio anche lütfen hakkında "
    "merhaba tolong buat dong kak tentang bana bhaiya ek aur hindi par wala kar raha nya tapi kok saya gak nggak bisa "
    "sudah udah yang ini itu aku sama pake mau bang hain mera meri tum hum kaisa karna bahot yeh woh kuch acha "
)

# Of its 97 languages, those that comments come in; the rest only draws misspelt English to it.
_LIKELY = ["en", "es", "pt", "fr", "de", "it", "nl", "pl", "cs", "ro", "hu", "tr", "id", "ms", "sv", "da", "no", "fi"]


def is_english(text: str) -> bool:
    """True for English and for what is too short to tell."""
    letters = [c for c in text if c.isalpha()]
    if not letters:
        return True
    latin = sum("LATIN" in unicodedata.name(c, "") for c in letters) / len(letters)
    if latin < 0.5:
        return False
    words = [word.lower().replace("’", "'") for word in _WORD.findall(text)]
    english = sum(word in _ENGLISH for word in words) / len(words)
    other = sum(word in _OTHER for word in words) / len(words)
    if other > english and (other * len(words) >= 2 or other >= 0.5):
        return False
    if english >= 0.2 or len(letters) < 12:
        return True
    language, score = _identifier().classify(text)
    return bool(language == "en" or (english > 0 and len(letters) < 60) or score < (0.9 if len(letters) < 40 else 0.95))


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_DIR, MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_modelpath(MODEL_DIR / MODEL_FILE, norm_probs=True)
    identifier.set_languages(_LIKELY)
    return identifier
