"""Words as the extractive answerer compares them: without function words, cut to a stem, in any script."""

import re
import unicodedata


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# The words that questions are made of and that answer nothing. Also how a question's language is told.
FUNCTION_WORDS = {
    "en": _words(
        """a about an and any are as at be been but by can could did do does for from had has have how i if in into is
        it its me my no not of on or our should so some than that the their them then there these they this to up us was
        we were what when where which who whom whose why will with would you your"""
    ),
    "de": _words(
        """aber als am an auch auf aus bei bin bis das dass dem den der des die dies diese dieser doch du ein eine einem
        einen einer eines er es für hat habe haben ich ihr im in ist ja kann kein keine können man mein meine mich mir
        mit muss nach nicht noch nur oder sich sie sind so um und uns unser unter vom von vor wann war warum was welche
        welcher welches wem wen wenn wer werden wie wieviele wird wo worden wurde wurden zu zum zur über"""
    ),
    "fr": _words(
        """à au aux avec ce ces cette comment dans de des du elle en est et il ils je la le les leur lui ma mais me mes
        mon ne nos notre nous on ou où par pas peut pour pourquoi puis quand que quel quelle quelles quels qui quoi sa
        se ses son sont sur un une vos votre vous"""
    ),
    "es": _words(
        """al como con cual cuales cuando cuanto cuál cuándo cuánto cómo de del donde dónde el ella en es esta este está
        la las lo los me mi mis no nos o para pero por porque puede puedo que qué quién se ser si sin son su sus tu un
        una y yo"""
    ),
}
_ALL_FUNCTION_WORDS = frozenset().union(*FUNCTION_WORDS.values())

_WORD = re.compile(r"\w+")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u0e00-\u0e7f]+")
_ENDINGS = re.compile(r"(?:ing|ed|ies|es|s|ly|ion|ions|en|er|e|y)$")
STEM = 6
SHORTEST_STEM = 3


def stems(text: str) -> list[str]:
    """The stems of `text` in order, function words left out. Scripts written without spaces give pairs of characters.

    A stem is the word without accents and one common ending, cut to six letters: enough for "encrypting" to find
    "encryption", in English and roughly in its neighbours; for other languages a shared beginning of six letters.
    """
    found: list[str] = []
    for word in _WORD.findall(text.casefold()):
        if word in _ALL_FUNCTION_WORDS:
            continue
        unspaced = _UNSPACED.findall(word)
        if unspaced:
            for run in unspaced:
                found.extend(run[i : i + 2] for i in range(max(1, len(run) - 1)))
            continue
        found.append(_stem(word))
    return found


def _stem(word: str) -> str:
    if not word.isascii():
        word = "".join(c for c in unicodedata.normalize("NFKD", word) if not unicodedata.combining(c))
    if word.isdecimal():
        return word
    ending = _ENDINGS.search(word)
    if ending and ending.start() >= SHORTEST_STEM:
        word = word[: ending.start()]
    return word[:STEM]


def language_of(question: str) -> str | None:
    """The language whose function words are the most frequent in `question`, None where none stands out."""
    words = _WORD.findall(question.casefold())
    counts = {name: sum(word in known for word in words) for name, known in FUNCTION_WORDS.items()}
    first, second = sorted(counts, key=lambda name: -counts[name])[:2]
    return first if counts[first] > counts[second] else None
