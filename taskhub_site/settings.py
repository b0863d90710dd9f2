"""Django's settings, made from the environment (see environment.py for what it may say)."""

import os
import sys
from typing import Any, Final

from csp.constants import NONE, SELF

from hub.core.values import ParticipantState, TaskState
from hub.logs import logging_setup
from taskhub_site.data_dir import (
    STATIC_DIR,
    prepare_data_dir,
    secret_key_load,
)
from taskhub_site.database import database_settings
from taskhub_site.environment import BASE_DIR, Environment, read_environment

#: The one object the rest of the project reads.
TASKHUB: Final[Environment] = read_environment(os.environ)

prepare_data_dir(TASKHUB.data_dir)

SECRET_KEY = TASKHUB.secret_key or secret_key_load(TASKHUB.data_dir)
DEBUG = TASKHUB.debug
ALLOWED_HOSTS = list(TASKHUB.allowed_hosts)
CSRF_TRUSTED_ORIGINS = list(TASKHUB.csrf_trusted_origins)

INSTALLED_APPS = [
    # Before staticfiles, so that runserver speaks ASGI. Only there: it brings Twisted, which is
    # a quarter of a hub's time to start.
    *(["daphne"] if sys.argv[1:2] == ["runserver"] else []),
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "csp",
    "credentials",
    "hub",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    # Static files too. What BREACH needs is not there: the session cookie is SameSite=Lax, so no
    # other site can make a browser ask for pages in somebody's name over and over; the CSRF token
    # is masked anew in each answer, and Django pads what it compresses.
    "taskhub_site.compression.CompressionMiddleware",
    "taskhub_site.static.StaticFilesMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "taskhub_site.urls"
ASGI_APPLICATION = "taskhub_site.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {"default": database_settings(TASKHUB)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"


def _channel_layer(redis_url: str | None) -> dict[str, Any]:
    if redis_url is None:
        return {"BACKEND": "channels.layers.InMemoryChannelLayer"}
    host = {
        "address": redis_url,
        # redis-py's own 5 s ends a subscriber that has nothing to receive for 5 s; the regular
        # ping finds a connection that died without a word.
        "socket_timeout": 15,
        "socket_connect_timeout": 5,
        "health_check_interval": 10,
    }
    return {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [host]},
    }


CHANNEL_LAYERS = {"default": _channel_layer(TASKHUB.redis_url)}

_VALIDATORS = "django.contrib.auth.password_validation"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"{_VALIDATORS}.UserAttributeSimilarityValidator"},
    {"NAME": f"{_VALIDATORS}.MinimumLengthValidator"},
    {"NAME": f"{_VALIDATORS}.CommonPasswordValidator"},
    {"NAME": f"{_VALIDATORS}.NumericPasswordValidator"},
]

LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "login"

# No inline script, no inline style, nothing of other hosts. 'self' covers the live WebSocket.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "object-src": [NONE],
    }
}

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = True
FORMAT_MODULE_PATH = "taskhub_site.formats"
USE_TZ = True

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "hub" / "dashboard" / "static"]
STATIC_ROOT = TASKHUB.data_dir / STATIC_DIR
# Served from where the apps keep them: collectstatic is only for a web server in front.
WHITENOISE_USE_FINDERS = True

# Closed unless a view says otherwise.
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "hub.api.authentication.BearerAuthentication",
        "hub.api.authentication.BasicAuthentication",
        "hub.api.authentication.StaffSessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": [
        "rest_framework.permissions.IsAuthenticated",
        "hub.api.permissions.StaffNeedPermission",
    ],
    "DEFAULT_THROTTLE_CLASSES": ["hub.api.throttling.CallerThrottle"],
    "DEFAULT_RENDERER_CLASSES": ["hub.api.media.JsonRenderer"],
    "DEFAULT_PARSER_CLASSES": ["hub.api.media.JsonParser"],
    "DEFAULT_METADATA_CLASS": None,  # OPTIONS is answered by 405
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "hub.api.problems.handle",
    "URL_FORMAT_OVERRIDE": None,  # "format" is a parameter like any other that is not known
}
SPECTACULAR_SETTINGS = {
    "TITLE": "TaskHub",
    "DESCRIPTION": "Query tasks, publish them without a socket, and follow their events.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SORT_OPERATIONS": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "TaskState": [state.value for state in TaskState],
        "ParticipantState": [state.value for state in ParticipantState],
    },
}

# TASKHUB_HTTPS: the proxy in front speaks TLS. It must set X-Forwarded-Proto itself, replacing
# what the browser sent, or a browser could claim a secure connection it does not have.
if TASKHUB.https:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    SECURE_REDIRECT_EXEMPT = [r"^metrics$"]  # asked from inside, without TLS
    SECURE_HSTS_SECONDS = 365 * 24 * 3600
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True

LOGGING = logging_setup(TASKHUB.log_format, TASKHUB.log_level)
