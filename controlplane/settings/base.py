"""Settings shared by all installations, read from the environment."""

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

BASE_DIR = Path(__file__).resolve().parents[2]
STATE_DIR = Path(os.environ.get("DATAHALL_STATE", BASE_DIR / ".state"))

SECRET_KEY = os.environ.get("DATAHALL_SECRET_KEY", "")
DEBUG = False
ALLOWED_HOSTS = os.environ.get("DATAHALL_ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]").split(",")
CSRF_TRUSTED_ORIGINS = [o for o in os.environ.get("DATAHALL_ORIGINS", "").split(",") if o]
PUBLIC_URL = os.environ.get("DATAHALL_PUBLIC_URL", "http://127.0.0.1:8480")
GATEWAY_URL = os.environ.get("DATAHALL_GATEWAY_URL") or PUBLIC_URL  # where endpoints are called

ROOT_URLCONF = "controlplane.urls"
ASGI_APPLICATION = "controlplane.asgi.application"
AUTH_USER_MODEL = "accounts.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django_filters",
    "django_linear_migrations",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "apps.common",
    "apps.audit",
    "apps.accounts",
    "apps.projects",
    "apps.fleet",
    "apps.artifacts",
    "apps.telemetry",
    "apps.workloads",
    "apps.datasets",
    "apps.registry",
    "apps.jobs",
    "apps.serving",
    "apps.live",
    "apps.ingest",
]

MIDDLEWARE = [
    "controlplane.headers.SecurityHeaders",
    "django.middleware.security.SecurityMiddleware",
    "controlplane.static.StaticFiles",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True, "OPTIONS": {}}
]


def database(url: str) -> dict[str, object]:
    """Django's settings for a postgresql:// URL."""
    parts = urlsplit(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.lstrip("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or 5432),
        "CONN_MAX_AGE": 0,
        # without it a pooled connection whose backend died is handed out once more
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"pool": {"min_size": 1, "max_size": 8, "timeout": 10}},
    }


DATABASES = {
    "default": database(os.environ.get("DATABASE_URL", "postgresql://datahall@127.0.0.1/datahall"))
}
REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")
# what a node is told; empty: it lives by pulling
NODE_BROKER_URL = os.environ.get("DATAHALL_NODE_BROKER_URL", "")

# how long readings are kept: as the nodes sent them, and as minutes
TELEMETRY_BLOCK_DAYS = int(os.environ.get("DATAHALL_BLOCK_DAYS", "7"))
TELEMETRY_ROLLUP_DAYS = int(os.environ.get("DATAHALL_ROLLUP_DAYS", "400"))

# how much of the stored bytes is read every day to find what rotted; 0: nothing
SCRUB_BYTES_A_DAY = int(os.environ.get("DATAHALL_SCRUB_BYTES_A_DAY", 256 * 1024**3))
# how long is kept, in days, what is over: tokens, keys, invitations and orders to nodes; and what
# happened to nodes and workloads
SPENT_DAYS = int(os.environ.get("DATAHALL_SPENT_DAYS", "30"))
EVENT_DAYS = int(os.environ.get("DATAHALL_EVENT_DAYS", "400"))

CELERY_BROKER_URL = REDIS_URL
CELERY_RESULT_BACKEND = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_DEFAULT_QUEUE = "control"
CELERY_TASK_ROUTES = {"apps.*": {"queue": "control"}}
CELERY_TASK_TIME_LIMIT = 30
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

PASSWORD_HASHERS = ["django.contrib.auth.hashers.ScryptPasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024  # bytes travel through artifacts/transfer.py

# what a gateway takes in (apps/serving/gateway.py)
GATEWAY_MAX_BODY_BYTES = int(os.environ.get("DATAHALL_GATEWAY_MAX_BODY_BYTES", 16 * 1024 * 1024))
GATEWAY_HELD_BYTES = int(os.environ.get("DATAHALL_GATEWAY_HELD_BYTES", 512 * 1024 * 1024))
GATEWAY_BODY_SECONDS = 10.0  # for all of a body to come

STATIC_URL = "/static/"
FRONTEND_DIST = BASE_DIR / "frontend" / "dist"
WHITENOISE_ROOT = FRONTEND_DIST if FRONTEND_DIST.is_dir() else None
WHITENOISE_USE_FINDERS = True
WHITENOISE_ALLOW_ALL_ORIGINS = False
WHITENOISE_IMMUTABLE_FILE_TEST = r"^/assets/.+-[\w-]{8,}\.\w+$"  # Vite puts the hash there

EXAMPLES_DIR = BASE_DIR / "examples"  # data to try the installation with
ARTIFACTS_DIR = Path(os.environ.get("DATAHALL_ARTIFACTS", STATE_DIR / "artifacts"))
SIGNING_KEY_FILE = Path(os.environ.get("DATAHALL_SIGNING_KEY", STATE_DIR / "signing.key"))
# signatures under the audit; worth most on another disk than the database
AUDIT_CHECKPOINTS_FILE = Path(
    os.environ.get("DATAHALL_AUDIT_CHECKPOINTS", STATE_DIR / "audit-checkpoints.jsonl")
)

REST_FRAMEWORK = {
    "URL_FORMAT_OVERRIDE": None,  # an answer's form is asked for by Accept
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "apps.accounts.authentication.BearerAuthentication",
        "apps.accounts.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["apps.common.parsers.StrictJSONParser"],
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_PAGINATION_CLASS": "apps.common.pagination.KeysetPagination",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "apps.common.schema.AutoSchema",
    "EXCEPTION_HANDLER": "apps.common.api.problem",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Datahall",
    "DESCRIPTION": "The control plane of an AI datacenter.",
    "VERSION": "v1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "JobKindEnum": "apps.jobs.models.JobKind",
        "JobStateEnum": "apps.jobs.models.JobState",
        "RunStateEnum": "apps.jobs.models.RunState",
        "ReplicaStateEnum": "apps.serving.models.ReplicaState",
        "EndpointStateEnum": "apps.serving.reconciliation.EndpointState",
        "RoleEnum": "apps.projects.models.Role",
        "VersionStateEnum": "apps.datasets.models.VersionState",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "apps.serving.schema.describe_predict",
        "apps.common.schema.describe_problems",
    ],
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": os.environ.get("DATAHALL_LOG_LEVEL", "INFO")},
}
