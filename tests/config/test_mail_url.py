"""EMAIL_URL, read strictly."""

import pytest

from config.mail_url import mail_server
from config.readers import ConfigurationError


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://u%40a.ex:p%2Fw@mail.example", ("mail.example", 587, "u@a.ex", "p/w", True, False, "u@a.ex")),
        ("smtp://mail.example:25?tls=0", ("mail.example", 25, "", "", False, False, "frontdesk@mail.example")),
        ("smtps://u:p@mail.example?from=desk@a.ex", ("mail.example", 465, "u", "p", False, True, "desk@a.ex")),
    ],
)  # fmt: skip
def test_what_it_says(monkeypatch, url, expected):
    monkeypatch.setenv("EMAIL_URL", url)
    assert tuple(mail_server()) == expected


def test_unset_is_none(monkeypatch):
    monkeypatch.setenv("EMAIL_URL", "")
    assert mail_server() is None


@pytest.mark.parametrize(
    "wrong",
    ["mail.example", "http://mail.example", "smtp://", "smtp://u@mail.example", "smtp://mail.example?tls=yes",
     "smtp://mail.example?starttls=1", "smtp://mail.example/inbox", "smtp://mail.example?from=no%20address",
     "smtp://mail.example:port", "smtp://mail.example?from=a@b,c@d"],
)  # fmt: skip
def test_what_is_refused_names_the_setting_and_no_password(monkeypatch, wrong):
    if "u@" not in wrong:
        wrong = wrong.replace("mail.example", "user:hunter2@mail.example", 1)
    monkeypatch.setenv("EMAIL_URL", wrong)
    with pytest.raises(ConfigurationError, match="EMAIL_URL") as refused:
        mail_server()
    assert "hunter2" not in str(refused.value)
