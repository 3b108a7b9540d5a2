"""The platform's own people: they belong to no tenant, and act for one once they chose it (`tenants.visiting`)."""

from django.utils import timezone

from kernel.errors import NotFound
from tenants.ending_sessions import end_sessions
from tenants.models import User


def disable_staff(email: str) -> int:
    """They come in no more, and whatever they are doing for a tenant ends at once; how many sessions were ended.
    Raises NotFound. Outside any tenant."""
    person = User.objects.filter(email=email.strip().lower(), tenant=None).first()
    if person is None:
        raise NotFound(f"Nobody of the platform's staff is called {email}.")
    User.objects.filter(pk=person.pk).update(is_active=False, updated_at=timezone.now())
    return end_sessions(person)
