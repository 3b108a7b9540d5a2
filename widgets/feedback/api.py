"""The doors of feedback/."""

import uuid
from typing import Final

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from kernel.errors import InvalidInput
from tenants.rest.filtering import Filter, identified, moment, narrowed, parameters
from tenants.rest.pagination import PAGE_PARAMETERS, newest_first, page_of
from tenants.rest.views import OneRow, TenantView, found, routes
from widgets.feedback.rating import feedback_object, rate
from widgets.models import Feedback, Message
from widgets.representing import FeedbackFields, NewFeedbackFields

RATINGS: Final = ("1", "-1")


def _rating(text: str) -> int:
    if text not in RATINGS:
        raise ValueError("must be 1 or -1")
    return int(text)


FILTERS: Final = (
    identified("session", "Only feedback of this conversation.", lookup="message__session_id"),
    identified("message", "Only feedback on this message."),
    Filter("rating", "rating", _rating, "Only 1 (helpful) or only -1 (not).", int, (1, -1)),
    moment("created_after", "created_at__gte", "Only feedback given at or after this time."),
    moment("created_before", "created_at__lt", "Only feedback given before this time."),
)


class FeedbackGiven(TenantView):
    """What visitors think of the answers."""

    area = "conversations"

    @extend_schema(
        operation_id="feedback_list",
        parameters=[*PAGE_PARAMETERS, *parameters(FILTERS)],
        request=None,
        responses=page_of(FeedbackFields),
    )
    def get(self, request: Request) -> Response:
        """List feedback, newest first."""
        rows = narrowed(request, Feedback.objects.select_related("message"), FILTERS)
        return newest_first(request, rows, as_object=feedback_object)

    @extend_schema(operation_id="feedback_create", request=NewFeedbackFields, responses={201: FeedbackFields})
    def post(self, request: Request) -> Response:
        """Rate an answer for the visitor who got it. There is one rating of an answer; the last one counts."""
        fields = self.valid(NewFeedbackFields)
        visitor = (
            Message.objects.filter(pk=fields["message"]).values_list("session__visitor_id", flat=True).first()
        )
        if visitor is None:
            raise InvalidInput.of("message", "must be the id of an answer that a visitor got")
        given = rate(visitor, fields["message"], fields["rating"], fields.get("comment"))
        return Response(feedback_object(given), status=201)


class OneFeedback(OneRow):
    """One rating."""

    area = "conversations"

    @extend_schema(operation_id="feedback_read", responses=FeedbackFields)
    def get(self, request: Request, id: uuid.UUID) -> Response:
        """Read a rating."""
        return Response(feedback_object(found(Feedback.objects.select_related("message"), id)))


urlpatterns = [*routes("feedback/", FeedbackGiven), *routes("feedback/<uuid:id>/", OneFeedback)]
