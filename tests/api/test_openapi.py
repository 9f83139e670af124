"""The OpenAPI description: complete, and fit for generated clients."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pydantic import RootModel

from api.schemas import FilenameTakenProblem, NotReadyProblem, Problem
from shared import errors
from shared.mpeg import SAMPLE_RATES_HZ
from tests.api.wire import SHORT_WAV
from tests.conftest import User

Json = dict[str, Any]


@pytest.fixture(scope="module")
def description(client: httpx.Client) -> Json:
    found: Json = client.get("/openapi.json").json()
    return found


def _operations(description: Json) -> Iterator[Json]:
    for methods in description["paths"].values():
        yield from methods.values()


def test_operation_ids_are_short_and_unique(description: Json) -> None:
    ids = [each["operationId"] for each in _operations(description)]
    assert len(set(ids)) == len(ids)
    assert {"create_user", "create_record", "get_record", "list_records", "download_mp3"} <= {*ids}
    assert max(map(len, ids)) <= 24


def test_every_parameter_is_described(description: Json) -> None:
    parameters = [each for one in _operations(description) for each in one.get("parameters", [])]
    assert parameters
    assert [each["name"] for each in parameters if not each.get("description")] == []


def test_every_parameter_has_an_example(description: Json) -> None:
    parameters = [each for one in _operations(description) for each in one.get("parameters", [])]
    assert [each["name"] for each in parameters if not _has_example(description, each)] == []


def test_no_parameter_is_ignored_by_openapi(description: Json) -> None:
    """OpenAPI 3.1, 4.8.12.2."""
    names = {
        each["name"].lower()
        for one in _operations(description)
        for each in one.get("parameters", [])
    }
    assert not names & {"accept", "content-type", "authorization"}


def test_every_field_is_described_and_has_an_example(description: Json) -> None:
    fields = {
        f"{name}.{field}": schema
        for name, model in description["components"]["schemas"].items()
        for field, schema in model.get("properties", {}).items()
    }
    assert [name for name, field in fields.items() if not field.get("description")] == []
    assert [name for name, field in fields.items() if not _has_example(description, field)] == []


def _has_example(description: Json, element: Json) -> bool:
    """Return True if a schema has an example, or refers to one that has. Bytes need none."""
    schema = element.get("schema", element)
    if "$ref" in schema:
        model = description["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return "properties" in model or _has_example(description, model)
    if "items" in schema and _has_example(description, schema["items"]):
        return True
    others = [each for each in schema.get("anyOf", []) if each != {"type": "null"}]
    if others and all(_has_example(description, each) for each in others):
        return True
    return schema.get("format") == "binary" or bool(
        {"example", "examples", "default", "enum"} & (element.keys() | schema.keys())
    )


def test_summaries_are_the_first_sentences(description: Json) -> None:
    assert description["paths"]["/users"]["post"]["summary"] == "Create a user"
    for operation in _operations(description):
        summary = operation["summary"]
        assert len(summary) < 100
        assert " ".join(operation["description"].split()).startswith(f"{summary}.")


def test_every_answer_and_body_is_described(description: Json) -> None:
    for operation in _operations(description):
        answers = operation["responses"].values()
        assert all(each["description"] != "Successful Response" for each in answers)
        assert operation["description"]
        assert operation.get("requestBody", {"description": "none"})["description"]


def test_every_error_has_an_example_of_each_code(description: Json) -> None:
    examples = description["components"]["examples"]
    for operation in _operations(description):
        for status, answer in operation["responses"].items():
            for code, ref in _problem(answer).get("examples", {}).items():
                assert ref == {"$ref": f"#/components/examples/{code}"}
                assert (examples[code]["value"]["status"], code) == (int(status), code)
                assert f"`{code}`" in answer["description"]
            assert ("application/problem+json" in answer.get("content", {})) == (status >= "400")


def _problem(answer: Json) -> Json:
    found: Json = answer.get("content", {}).get("application/problem+json", {})
    return found


def test_examples_fit_their_schemas(description: Json) -> None:
    for example in description["components"]["examples"].values():
        RootModel[NotReadyProblem | FilenameTakenProblem | Problem].model_validate(example["value"])
    taken = description["components"]["examples"]["filename_taken"]["value"]
    assert taken["detail"] == errors.FilenameTaken.message
    assert taken["record_id"]


def test_headers_of_answers_are_described(description: Json) -> None:
    upload = description["paths"]["/records"]["post"]["responses"]
    assert {"Location", "Retry-After"} <= upload["202"]["headers"].keys()
    assert upload["401"]["headers"].keys() == {"WWW-Authenticate"}
    assert upload["429"]["headers"].keys() == {"Retry-After"}
    mp3 = description["paths"]["/records/{record_id}/mp3"]["get"]["responses"]
    assert {"200", "206", "304", "416"} <= mp3.keys()
    assert "Content-Range" in mp3["206"]["headers"]


def test_tokens_are_security_schemes(description: Json) -> None:
    schemes = description["components"]["securitySchemes"]
    assert schemes["bearer"]["scheme"] == "bearer"
    assert (schemes["token_query"]["in"], schemes["token_header"]["in"]) == ("query", "header")
    secured = [each["operationId"] for each in _operations(description) if "security" in each]
    assert {"create_record", "list_records", "delete_record"} <= {*secured}
    names = [each["name"] for one in _operations(description) for each in one.get("parameters", [])]
    assert not {"token", "authorization"} & {*names}


def test_problems_are_shared_schemas(description: Json) -> None:
    problems = [
        answer["content"]["application/problem+json"]["schema"]
        for one in _operations(description)
        for answer in one["responses"].values()
        if "application/problem+json" in answer.get("content", {})
    ]
    assert problems
    refs = [ref for each in problems for ref in each.get("anyOf", [each])]
    names = {each["$ref"].rpartition("/")[2] for each in refs}
    assert {"Problem", "FilenameTakenProblem"} <= names <= {*description["components"]["schemas"]}


def test_error_codes_are_listed(description: Json) -> None:
    upload = description["paths"]["/records"]["post"]["responses"]
    assert (
        f"`{errors.FilenameTaken.code}`: {errors.FilenameTaken.message}"
        in upload["409"]["description"]
    )
    assert f"`{errors.TooLong.code}`" in upload["422"]["description"]


def test_every_call_lists_the_errors_of_all(description: Json) -> None:
    for operation in _operations(description):
        assert f"`{errors.UnknownParameter.code}`" in operation["responses"]["422"]["description"]
        assert f"`{errors.ShuttingDown.code}`" in operation["responses"]["503"]["description"]


def test_rates_are_enums_and_mp3s_are_binary(description: Json) -> None:
    upload = description["paths"]["/records"]["post"]
    (rate,) = [each for each in upload["parameters"] if each["name"] == "sample_rate_hz"]
    assert rate["schema"]["enum"] == list(SAMPLE_RATES_HZ)
    mp3 = description["paths"]["/records/{record_id}/mp3"]["get"]["responses"]["200"]
    assert mp3["content"]["audio/mpeg"]["schema"] == {"type": "string", "format": "binary"}


def test_raw_bodies_are_binary(description: Json) -> None:
    raw = {"schema": {"type": "string", "format": "binary"}}
    upload = description["paths"]["/records"]["post"]["requestBody"]["content"]
    assert set(upload) == {"multipart/form-data", "application/octet-stream"}
    convert = description["paths"]["/mp3/{filename}"]["put"]
    assert convert["requestBody"]["content"] == {"application/octet-stream": raw}
    assert upload["application/octet-stream"] == raw
    assert {"200", "202", "409", "415", "422", "507"} <= convert["responses"].keys()
    assert "audio/mpeg" in convert["responses"]["200"]["content"]


def test_creating_calls_describe_their_key(description: Json) -> None:
    """Calls that read or delete need no key, because repeating them does no harm."""
    for methods in description["paths"].values():
        for method, call in methods.items():
            parameters = {each["name"]: each for each in call.get("parameters", [])}
            assert ("Idempotency-Key" in parameters) == (method in ("post", "put"))
            if method in ("post", "put"):
                assert parameters["Idempotency-Key"]["description"]
                assert (
                    f"`{errors.RequestInProgress.code}`" in call["responses"]["409"]["description"]
                )
                assert f"`{errors.KeyReused.code}`" in call["responses"]["422"]["description"]


def test_newer_paths_equal_the_older_ones(user: User) -> None:
    files = {"wav_file": ("song.wav", SHORT_WAV, "audio/wav")}
    headers = {"Authorization": f"Bearer {user.token}"}
    accepted = user.client.post("/records", files=files, headers=headers)
    assert accepted.status_code == 202, accepted.text
    record_id = accepted.json()["id"]
    mp3 = user.client.get(f"/records/{record_id}/mp3", headers={"Range": "bytes=0-2"})
    assert (mp3.status_code, mp3.content) == (206, b"ID3")
    whole = user.client.get(accepted.json()["download_link"]).content
    assert user.client.get(f"/records/{record_id}/mp3").content == whole


def test_records_are_listed_by_status(user: User) -> None:
    record_id = user.upload(SHORT_WAV).json()["id"]
    user.wait(record_id)
    for status, found in (("done", [record_id]), ("failed", [])):
        page = user.client.get("/records", params=user.credentials | {"status": status}).json()
        assert [each["id"] for each in page["records"]] == found


def test_an_unknown_page_start_is_refused(user: User) -> None:
    before = {"before": "00000000-0000-0000-0000-000000000000"}
    answer = user.client.get("/records", params=user.credentials | before)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_request")
