"""What the backend raises that doors translate; apart from it, for doors that are there before Django's apps are."""

from django.db.utils import OperationalError


class TenantMoving(OperationalError):
    """The tenant's rows are being moved to another schema: nothing was done, and it may be tried again in a moment. To
    doors it is what a database is that is away for a moment."""
