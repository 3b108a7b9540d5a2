"""The document's examples are what the code answers: recorded by a story, of the document's own shape.

After a change that shows in an answer: FRONTDESK_RECORD_EXAMPLES=1 pytest tests/config/test_api_examples.py
"""

import json
import os

import jsonschema
import pytest

from config.api import document
from config.describing import EXAMPLES, TAGS, operations
from tests.config.api_story import differences, shape, told

WITHOUT = {"documents_file", "exports_file"}
"""Operations whose answer is no JSON."""


def schema_of(content):
    return {**content["schema"], "components": document()["components"]}


@pytest.mark.django_db(transaction=True)
def test_what_is_shown_is_what_is_answered(client, acme, redis):
    fresh = told(client, acme)
    if os.environ.get("FRONTDESK_RECORD_EXAMPLES"):
        EXAMPLES.write_text(json.dumps(fresh, indent=1, ensure_ascii=False, sort_keys=False) + "\n")
        describe_anew()
    shown = json.loads(EXAMPLES.read_text())
    assert list(differences(shape(shown), shape(fresh))) == []


def describe_anew():
    from config.describing import describe

    describe.cache_clear()


def test_every_operation_has_its_examples_and_they_fit_its_schemas():
    for operation in operations(document()):
        name, checked = operation["operationId"], 0
        contents = [operation.get("requestBody", {}).get("content", {}).get("application/json")]
        contents += [
            response.get("content", {}).get("application/json")
            for response in operation["responses"].values()
        ]
        for content in filter(None, contents):
            if "example" in content:
                checker = jsonschema.FormatChecker()
                jsonschema.Draft202012Validator(schema_of(content), format_checker=checker).validate(
                    content["example"]
                )
                checked += 1
        has_body = contents[0] is not None
        is_empty = "204" in operation["responses"]
        assert name in WITHOUT or checked >= has_body + (not is_empty), name


def test_every_area_is_described_and_every_operation_has_a_summary():
    used = [operation["tags"][0] for operation in operations(document())]
    assert list(dict.fromkeys(used)) == list(TAGS)
    for operation in operations(document()):
        assert operation["summary"].endswith("."), operation["operationId"]
        assert all(response["description"] for response in operation["responses"].values())
        assert all(parameter.get("description") for parameter in operation.get("parameters", ()))
