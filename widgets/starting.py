"""What a new tenant starts with of this room: a personality, which is its default, and a widget that uses it."""

from typing import Final

from tenants.provisioning import Start
from widgets.editing import create_widget
from widgets.personalities import create_personality

PERSONALITY: Final = "Helpful and brief"
INSTRUCTIONS: Final = "You are the friendly assistant on the company's help pages. Be brief and concrete."
WIDGET: Final = "Website"


def first_widget(start: Start) -> None:
    """Make both. Without a website the widget is shown nowhere until it is given one. Raises InvalidInput naming
    `domain_whitelist` for one that is none."""
    personality = create_personality(PERSONALITY, system_prompt=INSTRUCTIONS, is_default=True)
    create_widget(WIDGET, domain_whitelist=start.websites, personality_id=personality.pk)
