"""Every answer tells the browser how little it may do with it."""

import subprocess
import sys

import pytest
from django.http import HttpResponse

from benchmarks.installation import ROOT
from config.browser_policy import ADMIN, HEADER, NOTHING, PAGE, guarded
from tests import cast, conversations
from tests.widgets.chat.visitors import boot

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("path", "policy"),
    [
        ("/healthz", NOTHING),
        ("/readyz", NOTHING),
        ("/api/v1/openapi.json", NOTHING),
        ("/api/v1/widgets/", NOTHING),
        ("/api/v1/nothing-here/", NOTHING),
        ("/api/docs", PAGE),
        ("/nothing-here", PAGE),
        ("/admin/login/", ADMIN.format(ancestors="'none'")),
        ("/widget/v1.js?w=pk_nobody", NOTHING),
    ],
)
def test_each_place_has_its_policy(client, acme, path, policy):
    response = client.get(path)
    assert response[HEADER] == policy
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["X-Frame-Options"] == "DENY"
    assert "microphone=()" in response["Permissions-Policy"]


def test_no_policy_lets_a_script_of_the_page_run_or_a_stranger_frame_it(client):
    for policy in (NOTHING, PAGE, ADMIN):
        assert "default-src 'none'" in policy
        assert "base-uri 'none'" in policy
    assert "unsafe" not in PAGE + NOTHING
    script = ADMIN.partition("script-src")[2].partition(";")[0]
    assert "unsafe-inline" not in script
    assert "http" not in script


def test_a_page_of_the_admin_that_may_be_framed_is_framed_by_us_alone():
    page = HttpResponse("<p>", headers={"X-Frame-Options": "SAMEORIGIN"})
    assert guarded("/admin/preview/", page)[HEADER] == ADMIN.format(ancestors="'self'")


def test_a_view_with_a_policy_of_its_own_keeps_it():
    page = HttpResponse("<p>", headers={HEADER: "default-src 'self'"})
    assert guarded("/demo/", page)[HEADER] == "default-src 'self'"


def test_other_origins_read_the_widgets_doors_only(client, acme, bolt, redis):
    widget = conversations.known_widget(acme)
    origin = widget.domain_whitelist[0]
    assert boot(widget)["Access-Control-Allow-Origin"] == origin
    secret = cast.api_key(acme)
    for path in ("/api/v1/widgets/", "/admin/login/", "/readyz"):
        answer = client.get(path, headers={"Origin": origin, "Authorization": f"Bearer {secret}"})
        assert "Access-Control-Allow-Origin" not in answer


def test_behind_tls_cookies_are_the_hosts_own_and_browsers_keep_to_tls(tmp_path):
    code = (
        "import django; django.setup(); from django.conf import settings as s; "
        "print(s.SESSION_COOKIE_NAME, s.CSRF_COOKIE_NAME, s.SESSION_COOKIE_SECURE, s.SECURE_HSTS_SECONDS)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env={
            "PATH": "/usr/bin:/bin", "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}", "FRONTDESK_HOME": str(tmp_path),
            "DJANGO_SETTINGS_MODULE": "config.settings", "BASE_URL": "https://support.example.com",
        },
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["__Host-sessionid", "__Host-csrftoken", "True", "31536000"]
