"""The containers of the composed stack: their users, limits, networks and images, and what survives a restart.

SERVICE_URL and COMPOSE_PROJECT_NAME name a running stack; without them these tests are skipped. The last ones stop it
and start it again.
"""

import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import httpx
import numpy as np
import pytest

from shared.settings import Settings
from tests.conftest import ROOT, User
from tests.wavs import build, sine

DOCKER = shutil.which("docker") or "docker"
MAKEFILE = (ROOT / "Makefile").read_text()
PROJECT = os.environ.get("COMPOSE_PROJECT_NAME", "")
TIMEOUT_S = 180
READY_TIMEOUT_S = int(re.findall(r"^READY_TIMEOUT_S = (\d+)$", MAKEFILE, re.MULTILINE)[0])

BASE_IMAGE = "python:3.13-slim-trixie"
MAX_ADDED_BYTES = 330_000_000
"""In the worker's image, ffmpeg has 165 MB of them and NumPy 48 MB."""
OURS = ("api", "worker", "clips", "deliveries", "sweeper", "flower")
SERVICES = (*OURS, "db", "redis")
PUBLISHED = ("api", "flower")
SECRETS = {"POSTGRES_PASSWORD": "a", "REDIS_PASSWORD": "b", "FLOWER_BASIC_AUTH": "c:d"}
SET_BY_COMPOSE = {"DATABASE_URL", "REDIS_URL", "MEDIA_DIR"}

if not (PROJECT and os.environ.get("SERVICE_URL")):
    pytest.skip("SERVICE_URL and COMPOSE_PROJECT_NAME do not name a stack", allow_module_level=True)

of_services = partial(pytest.mark.parametrize, "service")


def run(*arguments: str, env: Mapping[str, str] = os.environ) -> subprocess.CompletedProcess[str]:
    command = [DOCKER, *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=TIMEOUT_S
    )


def docker(*arguments: str, env: Mapping[str, str] = os.environ) -> str:
    done = run(*arguments, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout


def containers(service: str) -> list[str]:
    labels = (f"com.docker.compose.project={PROJECT}", f"com.docker.compose.service={service}")
    ids = docker("ps", "--quiet", *(f"--filter=label={label}" for label in labels)).split()
    assert ids, f"{service} does not run"
    return ids


def inspected(container: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(docker("inspect", container))[0]
    return found


def environment_of(service: str) -> dict[str, str]:
    lines = inspected(containers(service)[0])["Config"]["Env"]
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


@pytest.fixture
def host_address() -> Iterator[str]:
    """An address of this machine, as bash spells it, that a container with a route out reaches."""
    template = "{{(index .IPAM.Config 0).Gateway}}"
    gateway = docker("network", "inspect", f"{PROJECT}_frontend", "--format", template).strip()
    with socket.create_server(("0.0.0.0", 0)) as listener:
        yield f"/dev/tcp/{gateway}/{listener.getsockname()[1]}"


def reaches(service: str, address: str) -> bool:
    connect = ("timeout", "5", "bash", "-c", f": > {address}")
    return run("exec", containers(service)[0], *connect).returncode == 0


@of_services(SERVICES)
def test_no_process_runs_as_root(service: str) -> None:
    for container in containers(service):
        uids = docker("top", container, "-eo", "pid,uid").splitlines()[1:]
        assert uids
        assert all(int(line.split()[1]) > 0 for line in uids), uids


@of_services(SERVICES)
def test_no_process_can_gain_a_privilege(service: str) -> None:
    for container in containers(service):
        lines = docker("exec", container, "cat", "/proc/1/status").splitlines()
        status = dict(line.split(":", 1) for line in lines)
        assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
        assert status["NoNewPrivs"].strip() == "1"


@of_services(SERVICES)
def test_the_root_file_system_is_read_only(service: str) -> None:
    for container in containers(service):
        touched = run("exec", "--user", "0", container, "touch", "/etc/written")
        assert "Read-only file system" in touched.stderr


@of_services(SERVICES)
def test_every_service_is_checked_limited_and_restarted(service: str) -> None:
    for container in containers(service):
        found = inspected(container)
        # A container that becomes unhealthy earlier would end the wait of `make run-docker`.
        assert found["Config"]["Healthcheck"]["StartPeriod"] >= READY_TIMEOUT_S * 1e9
        assert found["State"]["Health"]["Status"] == "healthy"
        assert found["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
        assert found["HostConfig"]["Memory"] > 0
        assert found["HostConfig"]["PidsLimit"] > 0


@of_services(SERVICES)
def test_only_api_and_flower_have_host_ports(service: str) -> None:
    for container in containers(service):
        bound = inspected(container)["NetworkSettings"]["Ports"]
        published = [host for hosts in bound.values() for host in hosts or []]
        assert bool(published) == (service in PUBLISHED)
        if service == "flower":
            assert {host["HostIp"] for host in published} == {"127.0.0.1"}


@of_services(("worker", "clips", "sweeper", "db", "redis"))
def test_workers_and_databases_have_no_route_out(service: str, host_address: str) -> None:
    assert reaches("api", host_address), "the address must be reachable for a service with a route"
    assert not reaches(service, host_address)


def test_deliveries_have_a_route_out_and_no_media(host_address: str) -> None:
    assert reaches("deliveries", host_address)
    assert inspected(containers("deliveries")[0])["Mounts"] == []


@of_services(("api", "worker"))
def test_an_image_contains_only_its_own_code(service: str) -> None:
    image = inspected(containers(service)[0])["Image"]
    contents = docker("run", "--rm", "--entrypoint", "ls", image, "-A", "/app").split()
    assert set(contents) == {".venv", "pyproject.toml", "shared", service}


@of_services(("api", "worker"))
def test_an_image_adds_little_to_its_base(service: str) -> None:
    image = inspected(containers(service)[0])["Image"]
    base_bytes, image_bytes = (
        json.loads(docker("image", "inspect", name))[0]["Size"] for name in (BASE_IMAGE, image)
    )
    assert 0 < image_bytes - base_bytes < MAX_ADDED_BYTES


def test_every_setting_reaches_the_services() -> None:
    names = {name.upper() for name in Settings.model_fields} - SET_BY_COMPOSE
    chosen = {name: f"chosen {name}" for name in names}
    config = docker("compose", "config", "--format", "json", env=os.environ | chosen)
    for service in (*OURS, "migrate"):
        environment = json.loads(config)["services"][service]["environment"]
        assert {name: environment.get(name) for name in names} == chosen
        assert environment.keys() >= SET_BY_COMPOSE


@pytest.mark.parametrize("missing", SECRETS)
def test_a_missing_secret_stops_the_start_with_a_reason(missing: str) -> None:
    check = ("compose", "--env-file", os.devnull, "config", "--quiet")
    docker(*check, env=os.environ | SECRETS)
    refused = run(*check, env=os.environ | SECRETS | {missing: ""})
    assert refused.returncode != 0
    assert f"{missing} is missing" in refused.stderr
    assert "make run-docker" in refused.stderr


def test_only_flower_gets_its_password() -> None:
    having = [service for service in SERVICES if "FLOWER_BASIC_AUTH" in environment_of(service)]
    assert having == ["flower"]


def test_flower_lists_workers_and_tasks_after_login(user: User) -> None:
    user.convert(build(sine(44100)))
    port = docker("port", containers("flower")[0], "5555").strip()
    name, _, password = environment_of("flower")["FLOWER_BASIC_AUTH"].partition(":")
    with httpx.Client(base_url=f"http://{port}", trust_env=False) as browser:
        assert browser.get("/workers").status_code == 401
        assert browser.get("/api/tasks").status_code == 401
        login = httpx.BasicAuth(name, password)
        page = browser.get("/workers", auth=login).text
        for service, role in (("worker", "main"), ("clips", "clips")):
            assert all(f"{role}@{container}" in page for container in containers(service))
        tasks = browser.get("/api/tasks", auth=login).json().values()
        assert "run_job" in {task["name"] for task in tasks}


def test_a_record_survives_killed_workers(user: User) -> None:
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, (300 * 44100, 2))
    wav = build(noise)
    undisturbed = user.convert(wav)
    accepted = user.upload(wav, "disturbed.wav").json()
    workers = containers("worker")
    docker("kill", "--signal", "KILL", *workers)
    assert user.client.get(accepted["status_link"]).json()["status"] in ("queued", "converting")
    docker("start", *workers)
    user.client.get(accepted["status_link"], headers={"Prefer": "wait=30"})
    assert user.wait(accepted["id"])["status"] == "done"
    assert user.client.get(accepted["download_link"]).content == undisturbed


def test_down_and_up_keep_every_record(user: User) -> None:
    accepted = user.upload(build(sine(44100, 2)), "kept.wav").json()
    mp3 = user.client.get(accepted["download_link"]).content
    workers = len(containers("worker"))
    docker("compose", "down")
    docker("compose", "up", "--detach", "--wait", "--scale", f"worker={workers}")
    record = user.client.get(accepted["status_link"]).json()
    assert record["status"] == "done"
    assert user.client.get(accepted["download_link"]).content == mp3
