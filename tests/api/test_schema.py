"""The OpenAPI document: in step with the endpoints, as a machine tries it."""

import json
import re
import subprocess
import sys
from pathlib import Path

from tests.api.conftest import Start
from tests.api.http import Api
from tests.hub_process import ROOT, HubProcess

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_headers_conformance,response_schema_conformance,unsupported_method,"
    "allow_header_conformance"
)
#: A minute of the suite is dear: this many cases of each endpoint here, thousands by hand.
EXAMPLES = 8


def test_the_schema_is_for_everybody_and_names_every_endpoint(hub: HubProcess) -> None:
    answer = Api(hub).get("/api/schema/")
    assert answer.headers["content-type"] == "application/vnd.oai.openapi+json"
    document = answer.json
    assert document["openapi"] == "3.1.0"
    listed = set(document["paths"])
    page = (ROOT / "docs" / "api.md").read_text()
    assert "/api/v1/tasks/{task_id}/events/stream/" in listed
    assert len(listed) == 13
    for path in listed:
        last = path.removeprefix("/api/v1/").replace("{task_id}", "<taskId>")
        last = last.replace("{action}", "<action>")
        assert last in page or f"…/{last.rsplit('/', 2)[1]}/" in page, path


def test_the_socket_is_described_too_with_the_bounds_of_this_hub(hub: HubProcess) -> None:
    document = Api(hub).get("/api/asyncapi.json").json
    assert document["asyncapi"] == "3.0.0"
    committed = json.loads((ROOT / "docs" / "asyncapi.json").read_text())
    assert document["operations"].keys() == committed["operations"].keys()


def test_the_page_loads_nothing_from_elsewhere(hub: HubProcess) -> None:
    answer = Api(hub).get("/api/docs/")
    assert answer.status == 200
    assert b"://" not in answer.body
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert re.search(r"script-src 'self'(;|$)", policy)
    assert not re.search(rb"<script(?! src)|\son\w+=|<style|\sstyle=", answer.body)
    for name in re.findall(rb'(?:src|href)="(/[^"]+)"', answer.body):
        assert Api(hub).get(name.decode()).status == 200


def test_no_request_is_answered_outside_the_schema(start: Start, tmp_path: Path) -> None:
    hub = start(TASKHUB_API_REQUESTS_PER_MINUTE="1000000")
    seed = {"action": "email:send", "payload": {"a": 1}, "taskId": "seed", "startTimeout": 30_000}
    assert Api.of(hub, "old").post("tasks/", seed).status == 201
    config = tmp_path / "schemathesis.toml"
    config.write_text('[parameters]\n"path.task_id" = "seed"\n"path.action" = "email:send"\n')
    address = f"http://127.0.0.1:{hub.port}"
    command = [
        str(Path(sys.executable).parent / "schemathesis"),
        *("--config-file", str(config)),
        *("run", f"{address}/api/schema/", "--url", address),
        *("--header", f"Authorization: Bearer {hub.keys['old']}"),
        *("--exclude-path-regex", "stream"),  # which ends with its task
        *("--phases", "examples,fuzzing", "--max-examples", str(EXAMPLES)),
        *("--checks", CHECKS, "--generation-deterministic", "--seed", "1"),
        *("--no-color", "--request-timeout", "30"),
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    (cases,) = re.findall(r"(\d+) generated", done.stdout)
    assert int(cases) >= 13 * EXAMPLES
    assert not hub.troubles()
