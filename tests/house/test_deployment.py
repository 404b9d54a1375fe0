"""The files for systemd, containers and Kubernetes: they parse, and the commands in them exist and take their
options. What only the platforms themselves can judge is not judged here.
"""

from __future__ import annotations

import configparser
import json
import re
import shlex
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from tq.common.runtime.config import MasterSettings, WorkerSettings, load_settings
from tq.master.cli import main as tq_master
from tq.master.store.postgres.address import read_address
from tq.worker.cli import main as tq_worker

CONFIGS = Path(__file__).parents[2] / "configs"
UNITS = sorted((CONFIGS / "systemd").glob("*.service"))
DOCKERFILE = CONFIGS / "docker" / "Dockerfile"
COMPOSE = CONFIGS / "docker" / "compose.yaml"
COMPOSE_POSTGRES = CONFIGS / "docker" / "compose.postgres.yaml"
OF_HOST = {  # what its .env says
    "HOST": "a.example.org",
    "MASTERS": "a.example.org:5000,b.example.org:5000",
    "STORE": "postgresql://tq:secret@db.example.org/tasks?sslmode=verify-full&sslrootcert=system",
}
MANIFESTS = sorted((CONFIGS / "kubernetes").glob("*.yaml"))
PROGRAMS: dict[str, tuple[click.Command, Any]] = {
    "tq-master": (tq_master, MasterSettings),
    "tq-worker": (tq_worker, WorkerSettings),
}


def settings_of(command: list[str], environment: dict[str, str]) -> Any:
    """The settings a command line comes to, through the program's own parser."""
    program, kind = PROGRAMS[Path(command[0]).name]
    context = program.make_context(command[0], command[1:])
    options = {name: value for name, value in context.params.items() if name not in ("config", "authkey")}
    for name in {"labels", "resources"} & options.keys():
        options[name] = ",".join(options[name])
    return load_settings(kind, None, environment, {name: value or None for name, value in options.items()})


def unit(file: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(file.read_text("utf-8"))
    return parser


def image_environment() -> dict[str, str]:
    return dict(re.findall(r"(TQ_\w+)=(\S+)", DOCKERFILE.read_text("utf-8")))


def manifests(kind: str) -> list[Any]:
    documents = [one for file in MANIFESTS for one in yaml.safe_load_all(file.read_text("utf-8"))]
    return [one for one in documents if one["kind"] == kind]


def pods() -> Iterator[tuple[Any, Any]]:
    """Every pod's specification with its only container."""
    for one in (*manifests("StatefulSet"), *manifests("Deployment")):
        spec = one["spec"]["template"]["spec"]
        [container] = spec["containers"]
        yield spec, container


@pytest.mark.parametrize("file", UNITS, ids=lambda file: file.name)
def test_a_unit_starts_a_program_that_takes_its_options(file: Path) -> None:
    service = unit(file)["Service"]
    settings = settings_of(shlex.split(service["ExecStart"]), {})
    assert settings.http.host == "127.0.0.1"
    assert service["Type"] == "notify"
    assert service["DynamicUser"] == service["NoNewPrivileges"] == "yes"
    assert service["ProtectSystem"] == "strict"


def test_the_sample_for_supervisord_starts_programs_that_take_its_options() -> None:
    parser = configparser.ConfigParser(strict=True, interpolation=None, delimiters=("=",))
    parser.read_string((CONFIGS / "supervisord" / "tq.conf").read_text("utf-8"))
    assert parser.sections() == ["program:tq-master", "program:tq-worker"]
    master, worker = (settings_of(shlex.split(parser[one]["command"]), {}) for one in parser.sections())
    assert worker.authkey_file == master.data / "worker.key"
    assert [(one.host, one.port) for one in worker.connect] == [("127.0.0.1", master.bind.port)]
    assert {master.http.host, worker.http.host} == {"127.0.0.1"}
    assert parser["program:tq-worker"]["stopasgroup"] == "false", "tasks may finish"
    assert "2" in parser["program:tq-master"]["exitcodes"].split(","), "a wrong setting does not become right"


def test_the_masters_unit_keeps_its_state_where_it_may_write() -> None:
    service = unit(CONFIGS / "systemd" / "tq-master.service")["Service"]
    settings = settings_of(shlex.split(service["ExecStart"]), {})
    assert settings.data == Path("/var/lib", service["StateDirectory"])


def test_the_masters_unit_with_a_database_names_its_host_and_keeps_no_password_in_its_command() -> None:
    service = unit(CONFIGS / "systemd" / "tq-master-postgres.conf")["Service"]
    command = service["ExecStart"].replace("%H", "a.example.org").replace("%%", "%")
    settings, file = settings_of(shlex.split(command), {}), unit(CONFIGS / "systemd" / "tq-master.service")
    alone = settings_of(shlex.split(file["Service"]["ExecStart"]), {})
    assert (settings.data, settings.http, settings.bind.port) == (alone.data, alone.http, alone.bind.port)
    assert str(settings.advertise) == "a.example.org:5000", (
        "a host's own name may be a loopback address on it"
    )
    assert settings.bind.host == alone.bind.host
    assert read_address(settings.store).parameters(1)["sslmode"] == "verify-full"
    assert "password" not in read_address(settings.store).parameters(1)
    [(name, _)] = re.findall(r"^(\w+):(/\S+)$", service["LoadCredential"])
    assert service["Environment"] == f"PGPASSFILE=%d/{name}"
    assert service["RestartPreventExitStatus"] == "", "a database that is not up yet is waited for"


def test_a_stopped_worker_may_finish_its_tasks_and_survives_one_that_eats_memory() -> None:
    service = unit(CONFIGS / "systemd" / "tq-worker.service")["Service"]
    assert (service["KillMode"], service["OOMPolicy"]) == ("mixed", "continue")


def test_the_image_starts_a_master_that_everybody_reaches_with_its_pages_on_loopback() -> None:
    [command] = re.findall(r"^CMD (\[.*\])$", DOCKERFILE.read_text("utf-8"), re.MULTILINE)
    settings = settings_of(json.loads(command), image_environment())
    assert settings.bind.host == "0.0.0.0"  # noqa: S104 - compared with
    [volume] = re.findall(r"^VOLUME (\S+)$", DOCKERFILE.read_text("utf-8"), re.MULTILINE)
    assert settings.data == Path(volume)


def test_the_image_is_probed_where_it_serves_and_runs_as_an_ordinary_user() -> None:
    text = DOCKERFILE.read_text("utf-8")
    assert f"http://{image_environment()['TQ_HTTP']}/livez" in text
    assert re.search(r"^USER [1-9]\d+:[1-9]\d+$", text, re.MULTILINE)


def test_composed_services_take_their_options_and_fit_together() -> None:
    compose = yaml.safe_load(COMPOSE.read_text("utf-8"))
    services = compose["services"]
    settings = {name: settings_of(one["command"], image_environment()) for name, one in services.items()}
    [address] = settings["worker"].connect
    assert (address.host, address.port) == ("master", settings["master"].bind.port)
    for name, one in services.items():
        assert one["read_only"] is True
        assert one["cap_drop"] == ["ALL"]
        [secret] = one["secrets"]
        assert settings[name].authkey_file == Path("/run/secrets", secret)
        assert secret in compose["secrets"]
    assert settings["worker"].modules == ("jobs.py",)
    assert services["worker"]["volumes"] == ["./jobs.py:/app/jobs.py:ro"]


def test_composed_services_of_a_host_with_a_database_are_the_same_on_each_host() -> None:
    text = string.Template(COMPOSE_POSTGRES.read_text("utf-8")).substitute(OF_HOST)
    services, alone = yaml.safe_load(text)["services"], yaml.safe_load(COMPOSE.read_text("utf-8"))["services"]
    settings = {
        name: settings_of(one["command"], {**image_environment(), **one.get("environment", {})})
        for name, one in services.items()
    }
    assert str(settings["master"].advertise) == f"{OF_HOST['HOST']}:5000"
    assert settings["master"].store == OF_HOST["STORE"]
    assert OF_HOST["STORE"] not in " ".join(services["master"]["command"])
    assert ",".join(map(str, settings["worker"].connect)) == OF_HOST["MASTERS"]
    assert set(services) == set(alone)
    for name, one in services.items():
        for key in ("read_only", "cap_drop", "security_opt", "secrets", "stop_grace_period", "volumes"):
            assert one[key] == alone[name][key], (name, key)


def test_pods_take_their_options_and_fit_together() -> None:
    [service] = manifests("Service")
    [secret] = manifests("Secret")
    for spec, container in pods():
        settings = settings_of(container["args"], image_environment())
        mounts = {mount["name"]: Path(mount["mountPath"]) for mount in container["volumeMounts"]}
        assert settings.authkey_file == mounts["key"] / next(iter(secret["stringData"]))
        keys = [volume for volume in spec["volumes"] if volume["name"] == "key"]
        assert keys[0]["secret"]["secretName"] == secret["metadata"]["name"]
        if isinstance(settings, MasterSettings):
            assert settings.data.is_relative_to(mounts["state"])
            assert service["spec"]["ports"][0]["port"] == settings.bind.port
        else:
            assert settings.connect[0].host == service["metadata"]["name"]


def test_pods_are_probed_where_they_serve() -> None:
    for _, container in pods():
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        settings = settings_of(container["args"], {})
        probes = {name: container[name]["httpGet"] for name in container if name.endswith("Probe")}
        assert {probes[name]["path"] for name in ("startupProbe", "livenessProbe")} == {"/livez"}
        assert probes["readinessProbe"]["path"] == "/readyz"
        assert {ports[probe["port"]] for probe in probes.values()} == {settings.http.port}


def test_pods_run_as_an_ordinary_user() -> None:
    for spec, container in pods():
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["automountServiceAccountToken"] is False
        assert container["securityContext"]["capabilities"]["drop"] == ["ALL"]
        assert container["securityContext"]["readOnlyRootFilesystem"] is True


def test_there_is_one_master() -> None:
    [stateful] = manifests("StatefulSet")
    assert stateful["spec"]["replicas"] == 1


def test_the_secret_as_shipped_lets_no_one_in() -> None:
    from tq.common.auth.keys import check_authkey_strength
    from tq.common.errors import ConfigError

    [secret] = manifests("Secret")
    with pytest.raises(ConfigError, match="characters"):
        check_authkey_strength(secret["stringData"]["authkey"], "master.example.org")
