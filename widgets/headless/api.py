"""The door of answers/: a program asks, with or without a stream."""

from typing import Any

from asgiref.sync import async_to_sync
from django.http import HttpResponseBase, StreamingHttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from tenants.rest.fields import StrictSerializer, Text
from tenants.rest.rendering import EVENT_STREAM, JSON
from tenants.rest.views import TenantView, routes
from widgets.chat.asking import TURNS_REMEMBERED, Turn
from widgets.chat.protocol import MAX_CONTENT
from widgets.headless.answers import Question, answer_frames, answer_once, refuse_unknown
from widgets.representing import FRAME_EVENT, CitationFields


class EarlierTurnFields(StrictSerializer):
    """What was said before."""

    role = serializers.ChoiceField(choices=["user", "assistant"])
    content = Text(max_length=MAX_CONTENT)


class AskFields(StrictSerializer):
    """A question; `history` oldest first, of which the last turns are read."""

    question = Text(max_length=MAX_CONTENT)
    history = serializers.ListField(child=EarlierTurnFields(), required=False, max_length=100)
    personality = serializers.UUIDField(required=False, allow_null=True)
    stream = serializers.BooleanField(required=False, default=False)


class UsageFields(serializers.Serializer[Any]):
    """Tokens of the model's call."""

    input_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()
    cached_tokens = serializers.IntegerField()
    estimated = serializers.BooleanField()


class AnswerFields(serializers.Serializer[Any]):
    """An answer, or an honest abstention."""

    answer = serializers.CharField()
    abstained = serializers.BooleanField()
    confidence = serializers.FloatField(min_value=0, max_value=1)
    citations = CitationFields(many=True)
    usage = UsageFields()
    cost_usd = serializers.CharField(allow_null=True)


class Answers(TenantView):
    """Ask a question without a conversation."""

    area = "knowledge"
    atomic = False
    read_methods = frozenset({"POST"})
    problems = (402, 503)

    @extend_schema(
        operation_id="answers_create",
        request=AskFields,
        responses={(200, JSON): AnswerFields, (200, EVENT_STREAM): FRAME_EVENT},
    )
    def post(self, request: Request) -> HttpResponseBase:
        """Answer from the tenant's knowledge, or abstain. With `stream`, the socket's frames as server-sent events."""
        body = self.valid(AskFields)
        turns = [Turn(turn["role"], turn["content"]) for turn in body.get("history", [])[-TURNS_REMEMBERED:]]
        question = Question(body["question"], turns, body.get("personality"))
        # Here, where it is still a status: an answer that has begun has none.
        refuse_unknown(self.principal.tenant, question)
        if not body["stream"]:
            return Response(async_to_sync(answer_once)(self.principal.tenant, question))
        frames = answer_frames(self.principal.tenant, question)
        response = StreamingHttpResponse(frames, content_type=EVENT_STREAM)
        response["Cache-Control"] = "no-cache"
        response["X-Accel-Buffering"] = "no"
        return response


urlpatterns = routes("answers/", Answers)
