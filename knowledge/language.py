"""Which language a text is in, by its commonest words: enough to choose a stemmer, and cheap on any length of text."""

import re
from collections import Counter

SAMPLE = 20_000
"""Characters looked at."""
WORD = re.compile(r"[^\W\d_]+")

# Function words that are frequent in one language and rare in the others here (after PostgreSQL's stop-word lists).
COMMON: dict[str, str] = {
    "en": "the of and to is that it with for are was this be you have not on as at by from can your how what"
    " which who when where do does why will an or if but we they there has been i my me our their would"
    " should could did were",
    "de": "der die das und ist nicht ein eine einen einer zu mit von für auf im den dem des sich auch wie"
    " wird oder werden was wer wo wann warum welche welcher welches sind hat haben kann ich sie es bei nach"
    " aus durch über zum zur war wurde",
    "fr": "le la les des et est un une du dans que qui pour pas sur avec ne au aux ce cette sont par plus"
    " vous nous comment quel quelle quels où quand pourquoi être il elle ils votre vos je mon ma mes ont été"
    " peut",
    "es": "el la los las de y es un una que en por con para no se del al como más su sus cómo qué cuál cuándo"
    " dónde quién está son puede lo le mi mis tu usted hay fue ser tiene desde sobre",
    "it": "il lo la gli le di e è un una che per con non si del della dei delle nel nella come più sono come"
    " cosa quale quando dove chi perché posso può mio mia ha essere alla anche questo questa",
    "pt": "o os as de e é um uma que em por com para não se do da dos das no na como mais seu sua são qual"
    " quando onde quem está pode você meu minha foi ser tem ao pelo pela isso",
    "nl": "de het een en van is niet dat op te in met voor zijn er aan ook als wat hoe waar wie wanneer"
    " waarom welke kan je jij u uw wij we zij bij naar uit door wordt werd deze dit mijn kunnen",
    "da": "og er det en et ikke at på med for den som til af har hvad hvor hvem hvornår hvorfor hvordan kan"
    " jeg du vi min mit mine din blev eller fra efter også skal",
    "sv": "och är det en ett inte att på med för den som till av har vad var vem när varför hur kan jag du vi"
    " min mitt mina din blev eller från efter också ska dessa",
    "no": "og er det en et ikke å på med for den som til av har hva hvor hvem når hvorfor hvordan kan jeg du"
    " vi min mitt mine din ble eller fra etter også skal disse",
    "fi": "ja on ei se että oli joka mutta tai kun niin ovat myös kuin mitä missä kuka milloin miksi miten"
    " voi minä sinä hän me te he olla voiko minun sen tämä",
    "ru": "и в не на что по это как из за от для так же то все вы мы я он она они где когда почему кто"
    " какой можно был была были или если",
}  # fmt: skip
SPOKEN_BY: dict[str, list[str]] = {}
for _language, _words in COMMON.items():
    for _word in set(_words.split()):
        SPOKEN_BY.setdefault(_word, []).append(_language)

STEMMERS = {
    "en": "english", "de": "german", "fr": "french", "es": "spanish", "it": "italian", "pt": "portuguese",
    "nl": "dutch", "da": "danish", "sv": "swedish", "no": "norwegian", "fi": "finnish", "ru": "russian",
}  # fmt: skip
DEFAULT_STEMMER = "english"


def detect(text: str) -> str:
    """The ISO 639-1 code of the language of `text`, or "" where too few of its words tell."""
    votes: Counter[str] = Counter()
    words = 0
    for match in WORD.finditer(text.lower(), 0, SAMPLE):
        words += 1
        for language in SPOKEN_BY.get(match.group(), ()):
            votes[language] += 1
    if not votes:
        return ""
    (best, count), *others = votes.most_common(2)
    tied = bool(others) and others[0][1] == count
    # A text of names and numbers shares a word or two with many languages: ask for one in twenty.
    return "" if tied or count * 20 < words else best


def stemmer(language: str) -> str:
    """PostgreSQL's text search configuration for an ISO 639-1 code.

    English for "": what we cannot tell is mostly tables, names and code, and its stemmer leaves other scripts alone.
    """
    return STEMMERS.get(language, DEFAULT_STEMMER)
