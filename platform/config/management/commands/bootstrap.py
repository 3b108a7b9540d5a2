"""Prepare a PostgreSQL of one's own: roles, database, extension, grants, as its superuser."""

from typing import Any

from django.core.management.base import BaseCommand

from config import env
from config.bootstrap import Login, bootstrap
from config.readers import ConfigurationError


class Command(BaseCommand):
    help = (
        "Make the roles and the database that DATABASE_URL and DATABASE_OWNER_URL name, with the vector extension"
        " and the grants, as the superuser of DATABASE_SUPERUSER_URL. May be run again."
    )
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        superuser = env.url("DATABASE_SUPERUSER_URL", schemes=("postgresql", "postgres"))
        if not superuser:
            raise ConfigurationError(
                "DATABASE_SUPERUSER_URL is not set: it must be the URL of a superuser of your PostgreSQL."
            )
        if env.embedded_postgres() or not env.database_owner_url():
            raise ConfigurationError(
                "DATABASE_URL and DATABASE_OWNER_URL must both be set: they name the roles and the database to make."
            )
        application = env.database(env.database_url())
        owner = env.database(env.database_owner_url(), setting="DATABASE_OWNER_URL")
        if application["NAME"] != owner["NAME"]:
            raise ConfigurationError(
                "DATABASE_URL and DATABASE_OWNER_URL name two databases: they must name one."
            )
        bootstrap(
            superuser,
            application=Login(application["USER"], application["PASSWORD"]),
            owner=Login(owner["USER"], owner["PASSWORD"]),
            database=application["NAME"],
        )
        self.stdout.write(f"Database {application['NAME']} is ready: now run manage.py migrate_schemas.")
