"""Django's settings, read from the environment. `config.env` checks every value and names a wrong one."""

from pathlib import Path

from celery.schedules import schedule

from config import env, mail_url, providers

CHECKOUT = Path(__file__).resolve().parents[3]
FRONTDESK_HOME = env.home()

# Where we listen and what we are called.
HOST = env.text("HOST", "127.0.0.1")
PORT = env.integer("PORT", 8000, 1, 65535)
# Whoever listens on every address is reached on this machine by its own.
REACHED_AT = "127.0.0.1" if HOST in ("0.0.0.0", "::") else HOST  # noqa: S104 - compared, not bound
BASE_URL = env.url("BASE_URL", f"http://{REACHED_AT}:{PORT}").rstrip("/")
ALLOWED_HOSTS = list(env.words("ALLOWED_HOSTS", ("localhost", "127.0.0.1", "[::1]")))
TRUSTED_PROXIES = env.networks("TRUSTED_PROXIES")
RATE_LIMITS = env.choice("RATE_LIMITS", ("on", "off"), "on") == "on"

# The most that answers may cost a tenant, in dollars: one conversation's, a visitor's and an address's in a day (UTC).
# Widgets and tenants may say otherwise.
SPEND_CAPS = {
    "session": env.dollars("SPEND_CAP_SESSION_USD", "1"),
    "visitor": env.dollars("SPEND_CAP_VISITOR_DAY_USD", "2"),
    "address": env.dollars("SPEND_CAP_ADDRESS_DAY_USD", "20"),
}

# How many leading zero bits each hash of a proof of work has: each one more doubles a visitor's work.
PROOF_OF_WORK_BITS = env.integer("PROOF_OF_WORK_BITS", 14, 4, 24)

# Uploaded files.
STORAGE_URL = env.storage_url(FRONTDESK_HOME)

# Letters to people: invitations, forgotten passwords. Without EMAIL_URL none are sent (tenants.mailing).
EMAIL_URL = env.url("EMAIL_URL", schemes=("smtp", "smtps"))
MAIL_SERVER = mail_url.mail_server()
if MAIL_SERVER:
    EMAIL_HOST, EMAIL_PORT = MAIL_SERVER.host, MAIL_SERVER.port
    EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = MAIL_SERVER.user, MAIL_SERVER.password
    EMAIL_USE_TLS, EMAIL_USE_SSL = MAIL_SERVER.starttls, MAIL_SERVER.tls
    DEFAULT_FROM_EMAIL = MAIL_SERVER.sender
EMAIL_TIMEOUT = 10
# Whether companies may open accounts by themselves (tenants.signing_up).
SIGNUP = env.choice("SIGNUP", ("on", "off"), "off") == "on"
if SIGNUP and not EMAIL_URL:
    raise env.ConfigurationError("SIGNUP is on: it needs EMAIL_URL, because a letter proves each email.")

SECRET_KEY = env.secret_key()
SECRET_KEY_FALLBACKS = list(env.secret_key_fallbacks())
ENCRYPTION_KEYS = env.encryption_keys()
DEBUG = False

# Applications. tenants first: its migrate_schemas must win over django_tenants' own.
PUBLIC_LIBRARIES = [
    "unfold",
    "django_tenants",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.staticfiles",
    "channels",
    "rest_framework",
    "drf_spectacular",
    "config",
]
OWN_APPS = ["tenants", "widgets", "knowledge", "billing", "meetings"]
INSTALLED_APPS = ["tenants", *PUBLIC_LIBRARIES, *OWN_APPS[1:]]
# Placement is per model (tenants.placement); django-tenants wants these two all the same.
SHARED_APPS = INSTALLED_APPS
TENANT_APPS = OWN_APPS
TENANT_MODEL = "tenants.Tenant"
TENANT_DOMAIN_MODEL = "tenants.Domain"
TENANT_SYNC_ROUTER = "tenants.placement.PlacementRouter"
DATABASE_ROUTERS = [TENANT_SYNC_ROUTER]
GET_EXECUTOR_FUNCTION = "tenants.migrating.get_executor"

# PostgreSQL: the application's role here; the owner's only where migrations and maintain run.
DATABASES = {"default": env.database(env.database_url())}
# tenants.db looks at the socket of a pooled connection instead of asking the server: no round trip.
DATABASES["default"]["CONN_HEALTH_CHECKS"] = False
# Whom migrations grant to; remembered, because they run with the owner's user in its place.
APPLICATION_ROLE = DATABASES["default"]["USER"]
_owner_url = env.database_owner_url()
DATABASE_OWNER = env.database(_owner_url, setting="DATABASE_OWNER_URL", pooled=False) if _owner_url else None
# Off for a transaction pooler that keeps none: PgBouncer before 1.21.
DATABASE_PREPARES = env.choice("DB_PREPARED_STATEMENTS", ("on", "off"), "on") == "on"
DATABASE_THREADS = env.integer("DB_POOL_MAX", 10, 1, 1000)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Redis: the broker, the channel layer, streams of running answers.
REDIS_URL = env.redis_url()
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {
            "hosts": [
                {
                    "address": REDIS_URL,
                    "socket_timeout": 15,
                    "socket_keepalive": not REDIS_URL.startswith("unix"),
                }
            ]
        },
    }
}
CELERY_BROKER_URL = env.celery_url(REDIS_URL)
CELERY_RESULT_BACKEND = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# Celery's Django fixup would open a connection per task (measured.md section 4).
CELERY_DB_REUSE_MAX = 1000
CELERY_WORKER_HIJACK_ROOT_LOGGER = CELERY_WORKER_REDIRECT_STDOUTS = False
CELERY_TIMEZONE = "UTC"
# Half of a worker's threads may wait for receivers of webhooks (`tenants.webhooks.delivering`).
WEBHOOK_SLOTS = max(1, env.integer("WORKER_THREADS", 4, 1, 100) // 2)
CELERY_BEAT_SCHEDULE = {
    "recover-answers": {"task": "widgets.recover_answers", "schedule": schedule(5.0)},
    "end-idle-sessions": {"task": "widgets.end_idle_sessions", "schedule": schedule(600.0)},
    "erase-visitors": {"task": "widgets.erase_visitors", "schedule": schedule(60.0)},
    "delete-old": {"task": "tenants.delete_old", "schedule": schedule(3600.0)},
    "clear-sessions": {"task": "tenants.clear_sessions", "schedule": schedule(3600.0)},
    "requeue-documents": {"task": "knowledge.requeue_documents", "schedule": schedule(60.0)},
    "purge-documents": {"task": "knowledge.purge_documents", "schedule": schedule(3600.0)},
    "resume-reembedding": {"task": "knowledge.resume_reembedding", "schedule": schedule(60.0)},
    "find-outdated-vectors": {"task": "knowledge.find_outdated_vectors", "schedule": schedule(600.0)},
    "forget-idempotency-keys": {"task": "tenants.forget_idempotency_keys", "schedule": schedule(3600.0)},
    "sweep-webhooks": {"task": "tenants.sweep_webhooks", "schedule": schedule(5.0)},
    "forget-webhooks": {"task": "tenants.forget_webhooks", "schedule": schedule(3600.0)},
    "end-staff-visits": {"task": "tenants.end_staff_visits", "schedule": schedule(60.0)},
    "sweep-exports": {"task": "tenants.sweep_exports", "schedule": schedule(60.0)},
    "sound-off": {"task": "tenants.sound_off", "schedule": schedule(60.0)},
    "send-budget-letters": {"task": "billing.send_budget_letters", "schedule": schedule(15.0)},
    "sweep-rollups": {"task": "billing.sweep_rollups", "schedule": schedule(300.0)},
}

# The web.
ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
MIDDLEWARE = [
    "config.access.RouteNoted",
    "django.middleware.security.SecurityMiddleware",
    "config.browser_policy.middleware",
    "config.problem_net.middleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "tenants.middleware.TenantMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [CHECKOUT / "platform" / "config" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
STATIC_URL = "/static/"
STATIC_ROOT = FRONTDESK_HOME / "static"
# Empty: static files are found in the apps. whitenoise wants the directory to be there all the same.
STATIC_ROOT.mkdir(parents=True, exist_ok=True, mode=0o700)
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
SILENCED_SYSTEM_CHECKS: list[str] = []

# People.
AUTH_USER_MODEL = "tenants.User"
AUTHENTICATION_BACKENDS = ["tenants.authentication.EmailBackend"]
PASSWORD_HASHERS = ["tenants.passwords.Argon2Hasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
SESSION_ENGINE = "tenants.sessions"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BASE_URL.startswith("https://")
CSRF_TRUSTED_ORIGINS = [BASE_URL]
# A cookie named __Host- is taken from this host alone, over TLS and for every path: no subdomain can plant one.
if SESSION_COOKIE_SECURE:
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-sessionid", "__Host-csrftoken"
    SECURE_HSTS_SECONDS = 365 * 24 * 3600
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
DATA_UPLOAD_MAX_MEMORY_SIZE = 12 * 1024 * 1024

LANGUAGE_CODE = "en"
USE_TZ = True
TIME_ZONE = "UTC"

# AI.
LLM_MODEL = env.text("LLM_MODEL", "offline")
EMBEDDING_MODEL = env.text("EMBEDDING_MODEL", "local")
ERASE_CLOSED_AFTER_DAYS = env.integer("ERASE_CLOSED_AFTER_DAYS", 0, 0, 3650)
HNSW_MIN_CHUNKS = env.integer("HNSW_MIN_CHUNKS", 50_000, 1, 1_000_000_000)
OPENAI_API_KEY = env.secret("OPENAI_API_KEY")
OPENAI_BASE_URL = env.url("OPENAI_BASE_URL", "https://api.openai.com/v1").rstrip("/")
ANTHROPIC_API_KEY = env.secret("ANTHROPIC_API_KEY")
ANTHROPIC_BASE_URL = env.url("ANTHROPIC_BASE_URL", "https://api.anthropic.com").rstrip("/")
VOYAGE_API_KEY = env.secret("VOYAGE_API_KEY")
VOYAGE_BASE_URL = env.url("VOYAGE_BASE_URL", "https://api.voyageai.com/v1").rstrip("/")
providers.check(LLM_MODEL, EMBEDDING_MODEL)
# Whether tenants may have providers paid by keys of their own, and whether ours step in where such a key is refused.
TENANT_PROVIDER_KEYS = env.choice("TENANT_PROVIDER_KEYS", ("on", "fall_back", "off"), "on")

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "tenants.rest.authentication.ApiKeyAuthentication",
        "tenants.rest.authentication.AdminSessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["tenants.rest.scopes.HasScope"],
    "DEFAULT_RENDERER_CLASSES": ["tenants.rest.rendering.OrjsonRenderer"],
    "DEFAULT_PARSER_CLASSES": ["tenants.rest.rendering.OrjsonParser"],
    "DEFAULT_PAGINATION_CLASS": "tenants.rest.pagination.NewestFirst",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "tenants.rest.problems.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "COERCE_DECIMAL_TO_STRING": True,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Frontdesk API",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
}

# Operations.
METRICS_TOKEN = env.secret("METRICS_TOKEN")
SENTRY_DSN = env.url("SENTRY_DSN")
OTEL_EXPORTER_OTLP_ENDPOINT = env.url("OTEL_EXPORTER_OTLP_ENDPOINT")
LOG_FORMAT = env.choice("LOG_FORMAT", ("auto", "json", "text"), "auto")
LOG_LEVEL = env.choice("LOG_LEVEL", ("debug", "info", "warning", "error"), "info").upper()
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "config.logs.formatter"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    # Libraries speak up when something is wrong; we also say what we do.
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        **{name: {"level": LOG_LEVEL} for name in ("config", *OWN_APPS, "ai", "kernel")},
        # Refused requests have their line in the access log; Django would warn of each once more.
        "django.request": {"level": "ERROR"},
    },
}
