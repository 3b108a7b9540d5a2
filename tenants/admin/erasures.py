"""The pages of erasures: receipts of visitors who are gone."""

from typing import Any

from django.contrib import admin
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import display

from tenants.administration import RecordAdmin, caller_in_words, moment
from tenants.models import ErasureReceipt

DONE, UNDER_WAY = "done", "under way"


@admin.register(ErasureReceipt)
class ErasureReceiptAdmin(RecordAdmin):
    """Receipts. They name nobody, so they stay."""

    called = ("erasure", "erasures")
    list_display = ("visitor", "state", "erased", "ordered")
    list_display_links = ("visitor",)
    search_fields = ("=subject",)
    search_help_text = "The id that the visitor had"
    ordering = ("-id",)
    fields = ("subject", "state", "by", "ordered", "finished", "held")
    readonly_fields = ("state", "by", "ordered", "finished", "held")
    empty_state = (
        "A visitor is erased on the page of one of their conversations, or over the API. "
        "The receipt says what there was of them and that nothing is left."
    )
    empty_action = ("Go to the conversations", "admin:widgets_session_changelist")

    @display(description="visitor", ordering="subject")
    def visitor(self, receipt: ErasureReceipt) -> str:
        return f"Visitor {str(receipt.subject)[-6:]}"

    @display(description="state", label={DONE: "success", UNDER_WAY: "info"})
    def state(self, receipt: ErasureReceipt) -> str:
        return DONE if receipt.finished_at else UNDER_WAY

    @display(description="erased")
    def erased(self, receipt: ErasureReceipt) -> str:
        return f"{sum(counted['before'] for counted in receipt.counted.values()):,} things"

    @display(description="ordered", ordering="created_at")
    def ordered(self, receipt: ErasureReceipt) -> SafeString | str:
        return moment(receipt.created_at)

    @display(description="finished", ordering="finished_at")
    def finished(self, receipt: ErasureReceipt) -> SafeString | str:
        return moment(receipt.finished_at, never="not yet: reload this page in a moment")

    @display(description="by")
    def by(self, receipt: ErasureReceipt) -> str:
        return caller_in_words(receipt.requested_by)

    @display(description="what there was")
    def held(self, receipt: ErasureReceipt) -> SafeString | str:
        if not receipt.counted:
            return "not counted yet"
        rows: Any = format_html_join(
            "",
            '<tr><td>{}</td><td class="fd-number">{}</td><td class="fd-number">{}</td></tr>',
            (
                (name.replace("_", " "), f"{counted['before']:,}", f"{counted['after']:,}")
                for name, counted in sorted(receipt.counted.items())
            ),
        )
        return format_html(
            '<table class="fd-table"><thead><tr><th scope="col">What</th><th scope="col" class="fd-number">Before</th>'
            '<th scope="col" class="fd-number">After</th></tr></thead><tbody>{}</tbody></table>',
            rows,
        )
