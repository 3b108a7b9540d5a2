from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ai.configuration import specs_in
from billing.costs import price_list
from billing.costs.models import CostSummary
from billing.costs.price_list import PricedModel
from billing.costs.pricing import FREE
from tenants.context import acting_as
from tenants.directory import all_tenants
from tenants.owner import owner_connection


class Command(BaseCommand):
    help = "Bring the public price list up to date, as the owner: the models named, or all that tenants use."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("models", nargs="*", metavar="provider:model")

    def handle(self, *args: Any, models: list[str], **options: Any) -> None:
        if any(":" not in name for name in models):
            raise CommandError("a model is named provider:model, for example openai:gpt-4o-mini")
        wanted = {price_list.named(name) for name in models} or _in_use()
        with owner_connection():
            listed = price_list.update(sorted(wanted))
        self.stdout.write(f"{listed.added} new prices of {len(wanted)} models")
        for model in listed.unknown:
            self.stderr.write(f"no public price for {model.provider}:{model.model} ({model.service})")


def _in_use() -> set[PricedModel]:
    chosen = (*specs_in(settings.LLM_MODEL), settings.EMBEDDING_MODEL)
    found = {price_list.named(name) for name in chosen if ":" in name}
    for tenant in all_tenants():
        with acting_as(tenant):
            used = (
                CostSummary.objects.filter(period="day")
                .values_list("service", "provider", "model")
                .distinct()
            )
            found |= {PricedModel(*row) for row in used.order_by()}
    return {model for model in found if model.provider not in FREE and model.service in ("llm", "embedding")}
