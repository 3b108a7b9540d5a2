"""Who the demo's companies are. Their documents stand in knowledge/corpus/<slug>/."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from config.env import CHECKOUT
from tenants.models import Plan

CORPUS: Final = CHECKOUT / "knowledge" / "corpus"


@dataclass(frozen=True, slots=True)
class Company:
    """One demo tenant. `origins` are the websites of its widget; the demo page's own is always allowed."""

    slug: str
    name: str
    plan: Plan
    owner_email: str
    owner_name: str
    widget_name: str
    origins: tuple[str, ...]
    monthly_budget: int
    headline: str
    pitch: str
    questions: tuple[str, ...]
    widget_settings: dict[str, Any] = field(default_factory=dict)
    features: dict[str, Any] = field(default_factory=dict)

    @property
    def corpus(self) -> Path:
        """Where its documents stand."""
        return CORPUS / self.slug


COMPANIES: Final = (
    Company(
        slug="acme",
        name="Acme Corporation",
        plan=Plan.BUSINESS,
        owner_email="admin@acme.com",
        owner_name="John Doe",
        widget_name="Main Website Widget",
        origins=("https://acme.com", "https://www.acme.com"),
        monthly_budget=1000,
        headline="A home that looks after itself.",
        pitch="Hubs, sensors, lights and locks that are set up in minutes and keep working when the internet does not.",
        questions=(
            "How do I set up my hub?",
            "What is your return policy?",
            "Does it work without internet?",
        ),
        widget_settings={
            "greeting": "Hi! How can I help you today?",
            "primaryColor": "#3538cd",
            "starterQuestions": ["How do I set up my hub?", "What is your return policy?"],
        },
        # Far below what a graph is for, so that the demo runs both kinds of vector index (docs/knowledge.md).
        features={"hnswMinChunks": 10},
    ),
    Company(
        slug="bolt",
        name="Bolt",
        plan=Plan.STARTER,
        owner_email="admin@bolt.example",
        owner_name="Mara Lind",
        widget_name="Bolt Help",
        origins=("https://bolt.example",),
        monthly_budget=100,
        headline="The next ride is around the corner.",
        pitch="Shared bikes and scooters in your city: unlock with your phone, ride, park, done.",
        questions=(
            "How do I unlock a scooter?",
            "What does a ride cost?",
            "Where may I park?",
        ),
        widget_settings={
            "greeting": "Hello! Questions about your ride?",
            "primaryColor": "#0b6e4f",
            "starterQuestions": ["How do I unlock a scooter?", "What does a ride cost?"],
        },
    ),
)
