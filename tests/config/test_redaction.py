"""Secrets do not leave in log lines, whoever quotes them, and what is no secret stays readable."""

import json
import string

import pytest
from django.conf import settings as django_settings
from django.core import signing
from hypothesis import given
from hypothesis import strategies as st

from config.redaction import REDACTED, Redactor, known_secrets

SECRETS = {
    "an API key of ours": "fd_sk_" + "aB3-_" * 8,
    "a provider's key": "sk-proj-" + "x1" * 20,
    "Anthropic's key": "sk-ant-api03-" + "Zz9_" * 12,
    "a bearer token": "Bearer abc.def-123_456",
    "a URL's password": "postgresql://frontdesk_app:hunter2hunter2@db:5432/frontdesk",
    "a socket's ticket": "GET /ws/v1/chat?ticket=Xy12_-abcDEF34567890&v=1",
    "an identity token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJlLXNpZ25hdHVyZQ",
    "a visitor's token": "said " + signing.dumps(["widget", "visitor" * 5], salt="s", compress=False),
    "a row": "IntegrityError: null value\nDETAIL:  Failing row contains (1, hunter2hunter2, x).",
    "a key of a row": "duplicate key\nDETAIL:  Key (email)=(hunter2hunter2@example.com) already exists.",
}
PARTS = (
    "aB3-_aB3",
    "x1x1x1x1",
    "Zz9_Zz9_",
    "abc.def-123",
    "hunter2hunter2",
    "Xy12_-abc",
    "c2lnbmF0",
    "InZpc2l0",
)


@pytest.mark.parametrize("kind", SECRETS)
def test_what_looks_like_a_secret_goes(kind):
    clean = Redactor().text(f"it failed: {SECRETS[kind]} and so on")
    assert REDACTED in clean
    assert not any(part in clean for part in PARTS)
    assert clean.startswith("it failed: ")


@pytest.mark.parametrize(
    "text",
    [
        "GET /api/v1/documents/01a1fcb4-29a7-7ea6-bcfe-8cf50c5d23e8/ 200",
        "https://acme.example/pricing?plan=business",
        "tenant 01a1fcb4-29a7-7ea6-bcfe-8cf50c5d23e8: tokens used 1200",
        "redis://cache:6379/0 does not answer",
        "SELECT id, token_count FROM messages WHERE tenant_id = %s",
        "pk_yxfeOQrdDMtU4yKgyH1ohzA9 is a public key",
    ],
)
def test_what_is_no_secret_stays(text):
    assert Redactor().text(text) == text


@given(
    st.text(string.ascii_letters + string.digits + ".*+?()[]\\|^$ ", min_size=8, max_size=60),
    st.text(),
    st.text(),
)
def test_a_known_secret_goes_from_anything(secret, before, after):
    clean = Redactor([secret])
    found = clean.value(
        {"event": before + secret + after, "list": [secret], "nested": {secret: {"a": secret}}}
    )
    assert secret not in json.dumps(found, ensure_ascii=False).replace("\\\\", "\\") or secret in REDACTED
    assert secret not in found["event"] or secret in REDACTED


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "cookie",
        "password",
        "client_secret",
        "api_key",
        "visitor_token",
        "SENTRY_DSN",
        "ticket",
    ],
)
def test_a_value_with_a_telling_name_goes_whole(name):
    assert Redactor().value({name: "short"}) == {name: REDACTED}
    assert Redactor().value({"headers": {name: ["short"]}}) == {"headers": {name: REDACTED}}


def test_counts_of_tokens_are_no_secrets():
    assert Redactor().value({"input_tokens": 12, "tokensUsed": 5, "monkey": "x"}) == {
        "input_tokens": 12, "tokensUsed": 5, "monkey": "x",
    }  # fmt: skip


def test_the_secrets_of_the_settings_are_known(settings, monkeypatch):
    settings.OPENAI_API_KEY = "key-of-another-shape"
    settings.REDIS_URL = "redis://:p%40ssword-9@cache/0"
    monkeypatch.setitem(settings.DATABASES["default"], "PASSWORD", "hunter2hunter2")
    settings.SECRET_KEY_FALLBACKS = ["a-former-secret-key"]
    found = known_secrets(django_settings)
    assert {
        "key-of-another-shape",
        "p%40ssword-9",
        "p@ssword-9",
        "hunter2hunter2",
        "a-former-secret-key",
        settings.SECRET_KEY,
    } <= found
    assert set(settings.ENCRYPTION_KEYS) <= found


def test_what_is_nested_too_deep_is_left_out():
    value = "x"
    for _ in range(30):
        value = [value]
    assert "…" in str(Redactor().value(value))
