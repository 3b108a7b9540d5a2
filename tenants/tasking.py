"""The door of Celery tasks: the tenant travels in a header and is entered before the task's body runs. So does whoever
acts: what is done for them later is their doing."""

from typing import Any, ClassVar, Final, Literal

from celery.contrib.django.task import DjangoTask

from tenants.auditing.actors import Actor, current_actor, doing_as
from tenants.context import TenantContextError, TenantMoving, TenantRef, acting_as, current_tenant
from tenants.directory import resolve_tenant
from tenants.models import KeyKind

HEADER: Final = "tenant_id"
ACTOR_HEADER: Final = "actor"
MOVING_RETRY_S: Final = 5


class TenantTask(DjangoTask):  # type: ignore[misc]  # Celery ships no types
    """A task of one tenant.

    tenant_mode "atomic": the body runs inside `acting_as`. "manual": `self.tenant` is set and the body opens short
    contexts itself, as it must when it calls a provider. None: a task of the platform, which has no tenant.
    """

    abstract = True
    tenant_mode: ClassVar[Literal["atomic", "manual"] | None] = "atomic"

    @property
    def tenant(self) -> TenantRef:
        """Whom this run is for. Raises TenantContextError in a task without a tenant."""
        ref: TenantRef | None = getattr(self.request, "tenant_ref", None)
        if ref is None:
            raise TenantContextError(f"task {self.name} has no tenant")
        return ref

    def apply_async(
        self, args: Any = None, kwargs: Any = None, *rest: Any, headers: Any = None, **options: Any
    ) -> Any:
        """Send the task for the acting tenant. Raises TenantContextError where one is needed and none is known."""
        headers = dict(headers or {})
        if self.tenant_mode and HEADER not in headers:
            acting = current_tenant() or getattr(self.request, "tenant_ref", None)
            if acting is None:
                raise TenantContextError(f"task {self.name} needs a tenant: send it inside acting_as()")
            headers[HEADER] = str(acting.id)
        actor = current_actor()
        if actor is not None and ACTOR_HEADER not in headers:
            headers[ACTOR_HEADER] = actor.as_header()
        return super().apply_async(args, kwargs, *rest, headers=headers, **options)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not self.tenant_mode:
            return super().__call__(*args, **kwargs)
        tenant_id = (self.request.headers or {}).get(HEADER) or getattr(self.request, HEADER, None)
        tenant = resolve_tenant(KeyKind.TENANT, str(tenant_id)) if tenant_id else None
        if tenant is None:
            raise TenantContextError(f"task {self.name} came without a known tenant")
        self.request.tenant_ref = tenant
        told = (self.request.headers or {}).get(ACTOR_HEADER) or getattr(self.request, ACTOR_HEADER, None)
        with doing_as(Actor.from_header(told) if told else None):
            try:
                if self.tenant_mode == "manual":
                    return super().__call__(*args, **kwargs)
                with acting_as(tenant):
                    return super().__call__(*args, **kwargs)
            except TenantMoving as error:
                # As often as it takes: a move ends.
                raise self.retry(exc=error, countdown=MOVING_RETRY_S, max_retries=None) from error
