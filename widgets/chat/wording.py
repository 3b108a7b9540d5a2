"""What we say in our own words, in the widget's language: when we do not know, cannot answer, or were interrupted."""

from typing import Final, Literal

Occasion = Literal["abstained", "model_unavailable", "budget_reached", "cap_reached", "interrupted"]

FALLBACK: Final = "en"

TEXTS: Final[dict[str, dict[Occasion, str]]] = {
    "en": {
        "abstained": "I don't know. I could not find an answer to that in what I have been given to read. "
        "You can put it differently, or ask for a person.",
        "model_unavailable": "I can't answer right now because a service I depend on is not responding. "
        "Your question has been kept. Please try again in a moment.",
        "budget_reached": "I can't answer automatically at the moment. Your question has been kept, and a person can "
        "reply to it here.",
        "cap_reached": "I have answered as much here as I may for now. Your question has been kept. Please ask for a "
        "person, who can reply to it here, or come back tomorrow.",
        "interrupted": "My answer was interrupted before it began. Please ask again.",
    },
    "de": {
        "abstained": "Das weiß ich nicht. In den Unterlagen, die ich lesen kann, habe ich darauf keine Antwort "
        "gefunden. Sie können anders fragen oder nach einem Menschen verlangen.",
        "model_unavailable": "Ich kann gerade nicht antworten, weil ein Dienst, den ich brauche, nicht erreichbar ist. "
        "Ihre Frage ist gespeichert. Bitte versuchen Sie es gleich noch einmal.",
        "budget_reached": "Ich kann zurzeit nicht automatisch antworten. Ihre Frage ist gespeichert, und ein "
        "Mensch kann hier darauf antworten.",
        "cap_reached": "Mehr darf ich hier im Moment nicht beantworten. Ihre Frage ist gespeichert. Bitte verlangen "
        "Sie nach einem Menschen, der hier darauf antworten kann, oder kommen Sie morgen wieder.",
        "interrupted": "Meine Antwort wurde unterbrochen, bevor sie begann. Bitte fragen Sie noch einmal.",
    },
    "es": {
        "abstained": "No lo sé. No he encontrado la respuesta en lo que me han dado para leer. Puede preguntarlo "
        "de otra forma o pedir hablar con una persona.",
        "model_unavailable": "Ahora mismo no puedo responder porque un servicio que necesito no contesta. Su pregunta "
        "queda guardada. Inténtelo de nuevo en un momento.",
        "budget_reached": "Por ahora no puedo responder automáticamente. Su pregunta queda guardada y una persona "
        "puede contestarla aquí.",
        "cap_reached": "Por ahora no puedo responder a nada más aquí. Su pregunta queda guardada. Pida hablar con una "
        "persona, que puede contestarla aquí, o vuelva mañana.",
        "interrupted": "Mi respuesta se interrumpió antes de empezar. Pregunte de nuevo, por favor.",
    },
    "fr": {
        "abstained": "Je ne sais pas. Je n'ai pas trouvé la réponse dans ce qu'on m'a donné à lire. Vous pouvez "
        "poser la question autrement ou demander à parler à une personne.",
        "model_unavailable": "Je ne peux pas répondre pour le moment : un service dont j'ai besoin ne répond "
        "pas. Votre question est conservée. Réessayez dans un instant.",
        "budget_reached": "Je ne peux pas répondre automatiquement pour le moment. Votre question est conservée, et "
        "une personne peut y répondre ici.",
        "cap_reached": "Je ne peux pas répondre davantage ici pour le moment. Votre question est conservée. Demandez à "
        "parler à une personne, qui pourra y répondre ici, ou revenez demain.",
        "interrupted": "Ma réponse a été interrompue avant de commencer. Veuillez reposer votre question.",
    },
}


def words_for(occasion: Occasion, locale: str | None) -> str:
    """Our text for an occasion in the language of `locale` ("de-AT"), else in English."""
    language = (locale or FALLBACK).partition("-")[0].lower()
    return TEXTS.get(language, TEXTS[FALLBACK])[occasion]
