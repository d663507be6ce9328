"""Django's settings, strict by default.

Promises: no secret has a default; cookies are `__Host-` and HTTPS only unless people reach the
house on loopback over http; no page runs an inline script or style. What may differ between
houses comes from the environment (office.environment) and from nowhere else.
"""

from __future__ import annotations

import os

from fondaco.office import environment
from fondaco.office.mail import mail_settings

DATA = environment.data_dir()
SECRET_KEY = environment.secret_key()
BASE_URL = environment.base_url()
HOUSE_NAME = environment.house_name()
RATE_LIMITS = environment.rate_limits()
PAYMENTS = environment.payments(SECRET_KEY)
TREASURY = environment.treasury()
OPEN_API = environment.open_api()
CASH = environment.cash()
HOUSE_ZONE = environment.time_zone()
REPORTS_KEPT = environment.reports_kept()
WEBHOOKS_TO_LOOPBACK = environment.webhooks_to_loopback()
TEST_CLOCK = environment.test_clock()
HTTPS = BASE_URL.startswith("https://")
LOOPBACK = environment.is_loopback(BASE_URL)
PLAIN_COOKIES = LOOPBACK and not HTTPS

DEBUG = False
ALLOWED_HOSTS = [environment.host_of(BASE_URL)]
if LOOPBACK:
    ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
ROOT_URLCONF = "fondaco.office.urls"
WSGI_APPLICATION = "fondaco.office.wsgi.application"
APPEND_SLASH = False

INSTALLED_APPS = [
    "fondaco.office",
    "fondaco.office.billing",
    "fondaco.office.treasury",
    "fondaco.office.proofs",
    "fondaco.office.notices",
    "fondaco.identity",
    "fondaco.strategies",
    "fondaco.robots",
    "fondaco.projections",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "auditlog",
    "unfold",
    "rest_framework",  # for the pages of the routes behind api.open_door
    "drf_spectacular",
    "django.contrib.humanize",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "fondaco.office.middleware.ContentSecurityPolicy",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "fondaco.office.billing.gate.MembershipGate",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "fondaco.office.audit.AuditActor",
    "fondaco.office.staff_gate.StaffGate",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "fondaco.office.middleware.BodyLimit",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "fondaco.office.selectors.house",
            ],
        },
    },
]

# ---- databases
DATABASES = environment.databases(DATA)
DATABASE_ROUTERS = ["fondaco.projections.router.ProjectionsRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# ---- who is who
AUTH_USER_MODEL = "identity.Member"
AUTHENTICATION_BACKENDS = ["fondaco.identity.backends.NameOrEmailBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]  # Argon2id
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "/login"
LOGIN_REDIRECT_URL = "/trade/"
LOGOUT_REDIRECT_URL = "/"

# ---- signing in, by django-allauth
STAFF_MFA = os.environ.get("FONDACO_STAFF_MFA", "1") != "0"
ACCOUNT_ADAPTER = "fondaco.office.members.adapter.OfficeAccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"  # identity.addresses confirms addresses
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = f"[{HOUSE_NAME}] "
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
ACCOUNT_RATE_LIMITS: dict[str, str] | bool = {"reauthenticate": "5/5m/user"}
ACCOUNT_SESSION_REMEMBER = True
MFA_ADAPTER = "fondaco.identity.signing_in.SecondFactorAdapter"
MFA_FORMS = {
    "authenticate": "fondaco.identity.signing_in.AuthenticateForm",
    "reauthenticate": "fondaco.identity.signing_in.ReauthenticateForm",
}
MFA_TOTP_TOLERANCE = 1  # the half minute before and after: phones' clocks and slow fingers
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_ALLOW_UNVERIFIED_EMAIL = True  # whoever may sign in may make it harder for others
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_RECOVERY_CODES_SHOW_ONCE = False
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = PLAIN_COOKIES
CACHES = {  # holds the tries of the last minutes, in the memory of the edge
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 20_000},
    }
}
if not RATE_LIMITS:
    ACCOUNT_RATE_LIMITS = False
    MFA_RATE_LIMITS = False

# ---- what the operator reads of pages that fail
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"failures": {"()": "fondaco.office.failing.WithoutAddress"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "filters": ["failures"]}},
    "loggers": {"django.request": {"handlers": ["stderr"], "level": "ERROR", "propagate": False}},
}

# ---- mail
globals().update(mail_settings(DATA, environment.host_of(BASE_URL)))

# ---- cookies and headers
_PREFIX = "" if PLAIN_COOKIES else "__Host-"
SESSION_COOKIE_NAME = f"{_PREFIX}sessionid"
DEVICE_COOKIE_NAME = f"{_PREFIX}device"  # of a browser that somebody signed in from
SESSION_COOKIE_SECURE = not PLAIN_COOKIES
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 14 * 24 * 3600
CSRF_COOKIE_NAME = f"{_PREFIX}csrftoken"
CSRF_COOKIE_SECURE = not PLAIN_COOKIES
CSRF_COOKIE_HTTPONLY = False  # the terminal copies it into X-CSRFToken
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_TRUSTED_ORIGINS = [BASE_URL]
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS else 0
X_FRAME_OPTIONS = "DENY"
# TLS ends at the proxy, which also redirects (W008); what holds for other names under the domain
# and for browsers' preload lists is for the domain's owner to say (W005, W021).
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W008", "security.W021"]
CONTENT_SECURITY_POLICY = {
    "default-src": ["'none'"],
    "script-src": ["'self'"],
    "style-src": ["'self'"],
    "img-src": ["'self'", "data:"],
    "font-src": ["'self'"],
    "connect-src": ["'self'", environment.websocket_origin(BASE_URL)],
    "manifest-src": ["'self'"],
    "base-uri": ["'none'"],
    "form-action": ["'self'"],
    "frame-ancestors": ["'none'"],
}

# ---- the admin: unfold, under the same policy (office.admin says how)
UNFOLD = {
    "SITE_TITLE": HOUSE_NAME,
    "SITE_HEADER": HOUSE_NAME,
    "SITE_ICON": "/static/terminal/mark.svg",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": "/static/terminal/mark.svg"},
    ],
    "STYLES": ["/static/admin.css"],
    "SCRIPTS": ["/static/admin.js"],
    "GLOBAL_CALLBACK": "fondaco.office.admin.around_every_page",
}

# ---- static files: read from the packages, no collecting; Vite's names carry a hash
STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
WHITENOISE_IMMUTABLE_FILE_TEST = r"^/static/terminal/assets/.+-[\w-]{8}\.\w+$"

# ---- time and words
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-gb"

# ---- the native API
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "fondaco.office.api.callers.Signed",
        "fondaco.office.api.callers.Bearer",
        "fondaco.office.api.callers.Session",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["fondaco.office.api.callers.Allowed"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": [
        "fondaco.office.api.bodies.PlainJSON",
        "rest_framework.parsers.FormParser",  # what signed clients send
    ],
    "EXCEPTION_HANDLER": "fondaco.office.api.faults.answer_fault",
}

SPECTACULAR_SETTINGS = {
    "TITLE": f"{HOUSE_NAME}: API",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "POSTPROCESSING_HOOKS": ["fondaco.openapi.add_gateway"],  # the front door's, by name
}

DATA_UPLOAD_MAX_MEMORY_SIZE = 1 << 20
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1000
