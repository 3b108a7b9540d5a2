"""The sockets, and what they need when the process stops."""

from functools import partial
from typing import Any

from django.urls import path

from config.lifespan import on_shutdown
from widgets.chat.answering import drain
from widgets.chat.consumers import ChatConsumer

# A little less than lifespan's own patience, so that what is cut short is still stored.
FINISH_WITHIN_S = 3.0

# Channels' consumers are ASGI applications, which Django's own typing of path() does not know.
_chat: Any = ChatConsumer.as_asgi()

websocket_urlpatterns = [path("ws/v1/chat", _chat)]

on_shutdown(partial(drain, FINISH_WITHIN_S))
