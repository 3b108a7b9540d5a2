"""A Python prompt that acts for one tenant."""

import code
import sys
from types import CodeType
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from tenants import auditing
from tenants.auditing import Target, doing_as, operator
from tenants.context import TenantRef, acting_as
from tenants.directory import resolve_tenant
from tenants.models import KeyKind


class Command(BaseCommand):
    help = (
        "Open a Python prompt that acts for one tenant: it sees that tenant's rows only, each statement is a "
        "transaction of its own, and the tenant's record says that you were there. It reads only, unless --write."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug")
        parser.add_argument(
            "--write", action="store_true", help="statements may change rows; each commits at once"
        )
        parser.add_argument("--reason", default="", help="stands in the tenant's record")
        parser.add_argument("-c", "--command", help="run this instead of a prompt, as one transaction")

    def handle(self, *args: Any, **options: Any) -> None:
        tenant = resolve_tenant(KeyKind.SLUG, options["slug"])
        if tenant is None:
            raise CommandError(f"there is no tenant {options['slug']}, or it is suspended or closed")
        may = "write" if options["write"] else "read"
        with doing_as(operator()):
            with acting_as(tenant):
                told = {"may": may, "reason": options["reason"]}
                auditing.record("opened_shell", Target("account", tenant.id, options["slug"]), after=told)
            console = TenantConsole(tenant, options["slug"], may_write=options["write"])
            if options["command"]:
                if not console.push_whole(options["command"]):
                    raise CommandError("it failed, and nothing of it was kept")
                return
            console.interact(_announcement(options["slug"], tenant, may), exitmsg="")


class TenantConsole(code.InteractiveConsole):
    """A prompt whose every statement runs in a transaction of the tenant's: it commits, or leaves nothing.

    One transaction for the whole session would hold its locks, and every tenant's rollup, for as long as somebody
    thinks.
    """

    def __init__(self, tenant: TenantRef, slug: str, *, may_write: bool) -> None:
        models = {model.__name__: model for model in apps.get_models()}
        super().__init__({"__name__": "__console__", "tenant": tenant, **models})
        self._tenant, self._may_write = tenant, may_write
        self._prompts = (f"{slug}{'!' if may_write else ''}> ", f"{slug}. ")
        self._failed = False

    def interact(self, banner: str | None = None, exitmsg: str | None = None) -> None:
        """Until end of file, with the tenant's name in the prompt."""
        kept = getattr(sys, "ps1", None), getattr(sys, "ps2", None)
        sys.ps1, sys.ps2 = self._prompts
        try:
            super().interact(banner, exitmsg)
        finally:
            for name, value in zip(("ps1", "ps2"), kept, strict=True):
                if value is None:
                    delattr(sys, name)
                else:
                    setattr(sys, name, value)

    def push_whole(self, source: str) -> bool:
        """Run `source` as one statement; whether it did not fail."""
        self._failed = False
        try:
            compiled = compile(source, "<command>", "exec")
        except SyntaxError:
            self.showsyntaxerror("<command>")
            return False
        self.runcode(compiled)
        return not self._failed

    def runcode(self, code: CodeType) -> None:
        """What was entered, in its transaction. A failure is shown after it was rolled back."""
        try:
            with acting_as(self._tenant):
                if not self._may_write:
                    with connection.cursor() as cursor:
                        cursor.execute("SET TRANSACTION READ ONLY")
                exec(code, self.locals)  # noqa: S102 - a prompt
        except SystemExit:
            raise
        except BaseException:
            self._failed = True
            self.showtraceback()


def _announcement(slug: str, tenant: TenantRef, may: str) -> str:
    rule = "change rows, and each statement commits at once" if may == "write" else "not change anything"
    return (
        f"You act for {slug} ({tenant.id}, schema {tenant.schema_name}). You see its rows only and may {rule}.\n"
        f"Its record says that you are here. Models are there by their names; `tenant` is who you act for."
    )
