"""The pages of budgets, with a bar of what is spent, held back and left."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from unfold.decorators import display

from billing.costs.budgeting import change_budget, create_budget
from billing.costs.budgets import refresh
from billing.costs.models import Budget, Degrade
from kernel.money import as_text
from tenants.administration import DeedForm, Lines, TenantAdmin, dollars, moment

WARN_AT: Final = ["0.8", "1"]
WHAT_THEN: Final = {
    "": "Nothing changes until the limit",
    Degrade.CHEAPER_MODEL: "Answer with a cheaper model",
    Degrade.CURATED_ONLY: "Give prepared answers only",
    Degrade.HANDOFF: "Hand over to a person",
}


@dataclass(frozen=True, slots=True)
class BudgetBar:
    """A budget as a bar: per cents of its limit, which together are at most a hundred, and the same in words."""

    budget: Budget
    spent: float
    reserved: float
    warnings: list[tuple[float, bool]]

    @classmethod
    def of(cls, budget: Budget) -> "BudgetBar":
        """The bar of one budget as it stands."""
        spent = min(_share(budget.spent, budget.limit_usd), 100.0)
        reserved = min(_share(budget.reserved, budget.limit_usd), 100.0 - spent)
        used = budget.spent + budget.reserved
        warnings = [(float(at * 100), used >= at * budget.limit_usd) for at in budget.warn_at]
        return cls(budget, spent, reserved, warnings)

    @property
    def name(self) -> str:
        """`Monthly budget`."""
        return f"{self.budget.get_period_display()} budget"

    @property
    def words(self) -> str:
        """`$3.20 spent, $0.05 held back, of $100.00`."""
        held = f", {dollars(self.budget.reserved)} held back" if self.budget.reserved else ""
        return f"{dollars(self.budget.spent)} spent{held}, of {dollars(self.budget.limit_usd)}"

    @property
    def state(self) -> str:
        """ "full", "warned" or "fine"."""
        if self.budget.spent + self.budget.reserved >= self.budget.limit_usd:
            return "full"
        return "warned" if any(is_passed for _, is_passed in self.warnings) else "fine"

    @property
    def note(self) -> str:
        """What the state means for visitors."""
        if self.state == "full":
            return (
                "The limit is reached: answers are refused."
                if self.budget.hard_cap
                else "The limit is passed."
            )
        passed = [at for at, is_passed in self.warnings if is_passed]
        return f"Warning: above {max(passed):g} % of the limit." if passed else ""


def _share(part: Decimal, whole: Decimal) -> float:
    return float(part / whole * 100) if whole else (100.0 if part else 0.0)


class BudgetForm(DeedForm):
    """A limit on spending."""

    warn_at = Lines(
        label="Warn at",
        help_text="Shares of the limit, one per line: 0.8 warns at 80 %.",
    )
    recipients = Lines(label="Tell", help_text="Emails, one per line. Empty: owners and admins.")

    class Meta:
        model = Budget
        fields = (
            "period", "limit_usd", "hard_cap", "fallback_price_usd", "degrade", "warn_at", "recipients",
            "custom_message",
        )  # fmt: skip
        labels = {
            "limit_usd": "Limit",
            "hard_cap": "Hard cap",
            "fallback_price_usd": "Price of unknown models",
        }
        help_texts = {
            "limit_usd": "In US dollars.",
            "hard_cap": "Refuse what would pass the limit, rather than only warn.",
            "custom_message": "Stands in the letter, such as what to do then.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("limit_usd", "fallback_price_usd"):
            if self.initial.get(name) is not None:
                self.initial[name] = as_text(self.initial[name])
        self.initial["warn_at"] = [as_text(share) for share in self.initial.get("warn_at") or ()] or WARN_AT
        degrade = self.fields.get("degrade")
        if isinstance(degrade, forms.ChoiceField):
            degrade.choices = list(WHAT_THEN.items())
            degrade.label = "Once it is used up"

    def clean_warn_at(self) -> list[Decimal]:
        try:
            shares = sorted({Decimal(line) for line in self.cleaned_data["warn_at"]})
        except ArithmeticError as error:
            raise forms.ValidationError("Write shares such as 0.8, one per line.") from error
        if any(not 0 < share <= 2 for share in shares):
            raise forms.ValidationError("Each share must be above 0 and at most 2.")
        return shares

    def clean_recipients(self) -> list[str]:
        field = forms.EmailField()
        return [str(field.clean(line)) for line in self.cleaned_data["recipients"]]

    def deed(self) -> Budget:
        if self.is_new:
            return create_budget(**self.cleaned_data)
        return change_budget(self.instance.pk, **self.cleaned_data)


@admin.register(Budget)
class BudgetAdmin(TenantAdmin):
    """Budgets with what is spent and held back."""

    form = BudgetForm
    list_display = ("period", "limit", "used", "caps", "resets")
    readonly_fields = ("used", "began", "resets")
    empty_state = (
        "A budget warns, or stops answers, before spending passes a limit. Without one nothing is limited."
    )

    def get_fieldsets(self, request: HttpRequest, obj: Budget | None = None) -> Any:
        now = ("Now", {"fields": ("used", ("began", "resets"))})
        limit = ("Limit", {"fields": ("period", "limit_usd", "hard_cap", "fallback_price_usd", "degrade")})
        warnings = ("Warnings", {"fields": ("warn_at", "recipients", "custom_message")})
        return [now, limit, warnings] if obj else [limit, warnings]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        refresh()
        response: HttpResponse = super().changelist_view(request, extra_context)
        return response

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        refresh()
        response: HttpResponse = super().change_view(request, object_id, form_url, extra_context)
        return response

    @display(description="limit", ordering="limit_usd")
    def limit(self, budget: Budget) -> str:
        return dollars(budget.limit_usd)

    @display(description="spent")
    def used(self, budget: Budget) -> SafeString:
        return render_to_string("admin/billing/budget/bar.html", {"bar": BudgetBar.of(budget)})

    @display(description="at the limit", label={"answers stop": "danger", "only warns": "info"})
    def caps(self, budget: Budget) -> str:
        return "answers stop" if budget.hard_cap else "only warns"

    @display(description="since")
    def began(self, budget: Budget) -> SafeString | str:
        return moment(budget.period_start)

    @display(description="begins anew", ordering="period_end")
    def resets(self, budget: Budget) -> SafeString | str:
        return moment(budget.period_end)
