"""The admin's pages of widgets, personalities and conversations."""

from widgets.admin.messages import MessageAdmin
from widgets.admin.personalities import PersonalityAdmin
from widgets.admin.sessions import SessionAdmin
from widgets.admin.widgets import WidgetAdmin

__all__ = ["MessageAdmin", "PersonalityAdmin", "SessionAdmin", "WidgetAdmin"]
