"""A wrong setting stops the start with one sentence that names it, and no secret is in that sentence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import readers
from config.readers import ConfigurationError


def refusal(reader, *arguments, **options) -> str:
    with pytest.raises(ConfigurationError) as caught:
        reader(*arguments, **options)
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


@pytest.mark.parametrize("value", ["abc", "0", "65536", "-1", "1.5", "1e3", "٣", "9" * 5000, "0x10", "+80"])
def test_a_wrong_number_is_refused_with_what_is_allowed(monkeypatch, value):
    monkeypatch.setenv("PORT", value)
    sentence = refusal(readers.integer, "PORT", 8000, 1, 65535)
    assert sentence.startswith("PORT is ")
    assert sentence.endswith("it must be a whole number from 1 to 65535.")
    assert len(sentence) < 150


@given(st.integers(1, 65535))
def test_every_number_within_the_bounds_is_read(value):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PORT", f" {value} ")
        assert readers.integer("PORT", 8000, 1, 65535) == value


@pytest.mark.parametrize("value", ["", "   "])
def test_an_empty_value_counts_as_unset(monkeypatch, value):
    monkeypatch.setenv("SOME_SETTING", value)
    assert readers.text("SOME_SETTING", "default") == "default"
    assert readers.integer("SOME_SETTING", 7, 1, 9) == 7
    assert readers.flag("SOME_SETTING", True) is True
    assert readers.words("SOME_SETTING", ("a",)) == ("a",)
    assert readers.secret("SOME_SETTING") == ""
    assert readers.url("SOME_SETTING") == ""


@pytest.mark.parametrize(("value", "meaning"), [("1", True), ("Yes", True), ("off", False), ("FALSE", False)])
def test_flags(monkeypatch, value, meaning):
    monkeypatch.setenv("FRONTDESK_DEMO", value)
    assert readers.flag("FRONTDESK_DEMO", not meaning) is meaning


def test_a_wrong_flag_and_a_wrong_choice_name_the_setting(monkeypatch):
    monkeypatch.setenv("FRONTDESK_DEMO", "maybe")
    monkeypatch.setenv("RATE_LIMITS", "sometimes")
    assert refusal(readers.flag, "FRONTDESK_DEMO", True) == "FRONTDESK_DEMO is 'maybe': it must be 1 or 0."
    assert (
        refusal(readers.choice, "RATE_LIMITS", ("on", "off"), "on")
        == "RATE_LIMITS is 'sometimes': it must be one of off, on."
    )


def test_lists_and_networks(monkeypatch):
    monkeypatch.setenv("ALLOWED_HOSTS", " a.example, ,b.example,")
    assert readers.words("ALLOWED_HOSTS") == ("a.example", "b.example")
    monkeypatch.setenv("TRUSTED_PROXIES", "10.0.0.0/8,::1")
    assert readers.networks("TRUSTED_PROXIES") == ("10.0.0.0/8", "::1")
    monkeypatch.setenv("TRUSTED_PROXIES", "10.0.0.0/8,proxy.local")
    assert "TRUSTED_PROXIES names 'proxy.local'" in refusal(readers.networks, "TRUSTED_PROXIES")


def test_a_secret_may_come_from_a_file(monkeypatch, tmp_path):
    file = tmp_path / "key"
    file.write_text("s3cret\n")
    monkeypatch.setenv("SECRET_KEY_FILE", str(file))
    assert readers.secret("SECRET_KEY") == "s3cret"
    monkeypatch.setenv("SECRET_KEY", "other")
    sentence = refusal(readers.secret, "SECRET_KEY")
    assert sentence == "SECRET_KEY and SECRET_KEY_FILE are both set: set one of them."


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "No such file"), (b"", "empty"), (b"\xff\xfe", "UTF-8")]
)
def test_an_unusable_secret_file_is_named(monkeypatch, tmp_path, content, reason):
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv("API_KEY_FILE", str(file))
    sentence = refusal(readers.secret, "API_KEY")
    assert sentence.startswith("API_KEY_FILE is ")
    assert reason in sentence


@pytest.mark.parametrize(
    "value",
    [
        "not a url",
        "ftp://:hunter2@h/x",
        "https://:hunter2@",
        "https://:hunter2@h:99999",
        "https://u:hunter2@h:0",
        "//h",
    ],
)
def test_a_wrong_url_is_refused_without_quoting_its_password(monkeypatch, value):
    monkeypatch.setenv("OPENAI_BASE_URL", value)
    sentence = refusal(readers.url, "OPENAI_BASE_URL")
    assert sentence.startswith("OPENAI_BASE_URL ")
    assert "https://" in sentence
    assert "hunter2" not in sentence
