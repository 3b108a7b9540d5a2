"""docker-compose.yml and the Dockerfile say what the code does: commands, settings, ports, users, secrets, pooler."""

import re
import stat

import pytest
import yaml
from django.conf import settings as django_settings
from django.core.management import get_commands, load_command_class

from config import alive, env, secret_files
from config.urls import urlpatterns
from tests.config.compose_file import (
    CHECKOUT,
    COMPOSE,
    COPIED,
    DOCKERFILE,
    LONG_RUNNING,
    PGBOUNCER_FILE,
    SERVICES,
    filled,
    pgbouncer_settings,
    settings_of,
)
from tests.test_documentation import settings_read

OURS = [name for name, service in SERVICES.items() if service.get("image", "").startswith("frontdesk:")]
OWNERS = {"bootstrap", "migrate", "maintain"}
LISTED = set(re.findall(r"^([A-Z][A-Z0-9_]*)=", (CHECKOUT / ".env.example").read_text(), re.MULTILINE))
# Said by the image or meaningless in it.
FIXED = {"HOST", "PORT", "FRONTDESK_HOME", "LOG_FORMAT", "DATABASE_SUPERUSER_URL", "DATABASE_OWNER_URL"}


def test_every_service_of_the_product_is_there():
    assert set(SERVICES) == {
        "secrets", "postgres", "pgbouncer", "redis", "livekit", "bootstrap", "migrate", "demo", *LONG_RUNNING,
    }  # fmt: skip
    assert set(OURS) == {"secrets", "bootstrap", "migrate", "demo", *LONG_RUNNING}


@pytest.mark.parametrize("service", OURS)
def test_every_command_exists(service):
    python, *arguments = SERVICES[service]["command"]
    assert python == "python"
    assert command_exists(arguments), arguments


@pytest.mark.parametrize("service", LONG_RUNNING)
def test_every_long_running_service_says_whether_it_works_and_comes_back(service):
    kind, python, *arguments = SERVICES[service]["healthcheck"]["test"]
    assert (kind, python) == ("CMD", "python")
    assert arguments == ["-m", "config.alive", service]
    assert service == "web" or service in alive.SEEN_WITHIN_S
    assert SERVICES[service]["restart"] == "unless-stopped"


def test_the_healthchecks_path_is_a_url_of_ours():
    assert alive.PATH.lstrip("/") in {str(pattern.pattern) for pattern in urlpatterns}


def test_what_runs_once_is_not_started_again():
    for service in set(OURS) - set(LONG_RUNNING):
        assert SERVICES[service]["restart"] == "no"
        assert SERVICES[service]["healthcheck"] == {"disable": True}


def test_every_dependency_exists_and_can_fulfil_its_condition():
    for name, service in SERVICES.items():
        for other, wanted in service.get("depends_on", {}).items():
            if wanted["condition"] == "service_healthy":
                assert "test" in SERVICES[other]["healthcheck"], (name, other)
            else:
                assert wanted["condition"] == "service_completed_successfully"
                assert SERVICES[other]["restart"] == "no", (name, other)


@pytest.mark.parametrize("service", OURS)
def test_every_setting_is_read_and_listed(service):
    for name in settings_of(service):
        assert name.removesuffix("_FILE") in LISTED, name


def test_every_setting_can_be_given():
    passed = {name.removesuffix("_FILE") for name in settings_of("web")}
    assert LISTED - FIXED - passed == set()
    assert set(settings_read()) - FIXED - passed == set()


def test_defaults_are_those_of_the_code():
    """Whatever .env leaves out is the same here as under `make up`, but for what the container decides."""
    for setting, value in (
        ("DB_POOL_MAX", str(django_settings.DATABASE_THREADS or 10)),
        ("LLM_MODEL", "offline"),
        ("EMBEDDING_MODEL", "local"),
        ("RATE_LIMITS", "on"),
        ("BASE_URL", "http://localhost:8000"),
    ):
        assert settings_of("web")[setting] == value


def test_no_password_is_in_the_files():
    for file in ("docker-compose.yml", "Dockerfile", "docker/pgbouncer.ini"):
        text = (CHECKOUT / file).read_text()
        assert not re.search(r"://[^/\s:@]+:[^/\s@]+@", text), file
        assert not re.search(
            r"(?im)^\s*[\w-]*(password|secret_key|token|api_key)\w*\s*[:=]\s*[^\s$/{]", text
        ), file


def test_only_the_owners_processes_see_the_owners_password_and_only_bootstrap_the_superusers():
    seen = {name: {volume.split(":")[0] for volume in SERVICES[name].get("volumes", ())} for name in SERVICES}
    assert {name for name in OURS if "secrets-owner" in seen[name]} == {*OWNERS, "secrets"}
    assert {name for name in OURS if "secrets-superuser" in seen[name]} == {"bootstrap", "secrets"}
    for name in OURS:
        assert ("DATABASE_OWNER_URL_FILE" in settings_of(name)) is (name in OWNERS)
        assert ("DATABASE_SUPERUSER_URL_FILE" in settings_of(name)) is (name == "bootstrap")


def test_every_volume_is_declared_and_writable_by_the_images_user():
    used = {
        tuple(volume.split(":")) for service in SERVICES.values() for volume in service.get("volumes", ())
    }
    assert {volume[0] for volume in used} == set(COMPOSE["volumes"])
    user = re.search(r"^USER (\d+)$", DOCKERFILE.rpartition("AS frontdesk")[2], re.MULTILINE)[1]
    assert f"--uid {user} " in DOCKERFILE.rpartition("AS frontdesk")[2]
    given = set(re.findall(r"(?<=\s)/(?:secrets/\w+|var/lib/frontdesk)(?=\s|$)", "\n".join(owned())))
    for name in OURS:
        for volume in SERVICES[name]["volumes"]:
            _, path, *mode = volume.split(":")
            assert mode == ["ro"] or path in given, (name, path)
            assert path in given


def test_the_image_runs_as_nobody_in_particular_and_holds_no_tools():
    final = DOCKERFILE.rpartition("AS frontdesk")[2]
    assert "apt-get" not in final
    assert "requirements-dev" not in DOCKERFILE
    assert "--require-hashes" in DOCKERFILE
    assert re.search(r"PYTHONPATH=/srv/frontdesk:/srv/frontdesk/platform", final)
    assert re.search(r"^HEALTHCHECK .*config\.alive.*web", final, re.MULTILINE)
    assert {"manage.py", "platform", "tenants"} <= set(COPIED)
    for source in COPIED:
        assert (CHECKOUT / source).exists(), source
    ignored = (CHECKOUT / ".dockerignore").read_text().split()
    assert "*" in ignored
    assert {f"!{source}" for source in COPIED} <= set(ignored)


def test_ports_are_published_to_this_machine_only():
    for service in SERVICES.values():
        for port in service.get("ports", ()):
            assert filled(port).startswith("127.0.0.1:")
    assert filled(SERVICES["web"]["ports"][0]) == "127.0.0.1:8000:8000"
    assert "PORT=8000" in DOCKERFILE
    assert "HOST=0.0.0.0" in DOCKERFILE


def test_pgbouncer_does_what_we_rely_on():
    found = pgbouncer_settings()
    assert found["pool_mode"] == "transaction"
    assert int(found["max_prepared_statements"]) > 0
    # Our driver sends only what PgBouncer knows by itself: nothing may be dropped without a word.
    assert found["ignore_startup_parameters"] == ""
    assert set(django_settings.DATABASES["default"]["OPTIONS"]) <= {
        "connect_timeout", "pool", "prepare_threshold", "server_side_binding",
    }  # fmt: skip
    assert f"listen_port = {secret_files.POOLER.partition(':')[2]}" in PGBOUNCER_FILE.read_text()
    allowed = int(
        next(word for word in SERVICES["postgres"]["command"] if "max_connections" in word).partition("=")[2]
    )
    assert int(found["default_pool_size"]) + int(found["reserve_pool_size"]) < allowed - 20


def test_the_secrets_are_made_once_and_fit_together(tmp_path):
    made = secret_files.make(tmp_path)
    assert secret_files.make(tmp_path) == []
    before = {file: file.read_text() for file in tmp_path.rglob("*") if file.is_file()}
    assert len(before) == len(made) == 11
    assert all(stat.S_IMODE(file.stat().st_mode) == secret_files.READABLE for file in before)
    application = env.database((tmp_path / "app/database_url").read_text())
    owner = env.database((tmp_path / "owner/database_owner_url").read_text())
    superuser = env.database((tmp_path / "superuser/database_superuser_url").read_text())
    assert (application["USER"], application["HOST"], application["PORT"]) == (
        env.APP_ROLE,
        "pgbouncer",
        "6432",
    )
    assert (owner["USER"], owner["HOST"], owner["NAME"]) == (env.OWNER_ROLE, "postgres", application["NAME"])
    assert superuser["PASSWORD"] == (tmp_path / "superuser/password").read_text()
    assert (tmp_path / "pgbouncer/users.txt").read_text() == f'"{env.APP_ROLE}" "{application["PASSWORD"]}"'
    assert len({application["PASSWORD"], owner["PASSWORD"], superuser["PASSWORD"]}) == 3
    keys = yaml.safe_load((tmp_path / "livekit/livekit.yaml").read_text())["keys"]
    assert keys == {
        (tmp_path / "app/livekit_api_key").read_text(): (tmp_path / "app/livekit_api_secret").read_text()
    }
    # One that is lost is made again, the rest stays.
    (tmp_path / "app/metrics_token").unlink()
    assert secret_files.make(tmp_path) == ["app/metrics_token"]


def test_every_secret_that_a_service_names_is_made(tmp_path):
    secret_files.make(tmp_path)
    named = {
        value
        for name in SERVICES
        for setting, value in settings_of(name).items()
        if setting.endswith("_FILE")
    }
    assert len(named) >= 8
    for path in named:
        assert (tmp_path / path.removeprefix("/secrets/")).exists(), path


def command_exists(arguments):
    if arguments[0] == "-m":
        return (CHECKOUT / "platform" / (arguments[1].replace(".", "/") + ".py")).exists()
    assert arguments[0] == "manage.py"
    name = arguments[1]
    parser = load_command_class(get_commands()[name], name).create_parser("manage.py", name)
    options = {option for action in parser._actions for option in action.option_strings}
    return set(arguments[2:]) <= options


def owned():
    """The directories that the image gives to its user."""
    joined = DOCKERFILE.replace("\\\n", " ")
    return re.findall(r"install -d -o frontdesk [^&\n]*", joined)
