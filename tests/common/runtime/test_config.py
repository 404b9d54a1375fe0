from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import platformdirs
import pytest
from tq.common.domain.indexes import Own
from tq.common.errors import ConfigError
from tq.common.runtime.config import MasterSettings, WorkerSettings, load_settings
from tq.common.wire.address import Address


def master(
    file: Path | None = None, environment: dict[str, str] | None = None, **options: Any
) -> MasterSettings:
    return load_settings(MasterSettings, file, environment or {}, options)


def worker(
    file: Path | None = None, environment: dict[str, str] | None = None, **options: Any
) -> WorkerSettings:
    return load_settings(WorkerSettings, file, environment or {}, options)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "master.toml"


def test_nothing_given_means_the_defaults() -> None:
    assert master() == MasterSettings()
    assert worker() == WorkerSettings()
    assert master().data == Path(platformdirs.user_data_dir("tq", appauthor=False))


def test_a_file_sets_what_it_names(file: Path) -> None:
    file.write_text('bind = "10.0.0.7:6000"\nresults_max = 10\n[expose]\nget_count = "app:make"\n')
    settings = master(file)
    assert settings.bind == Address("10.0.0.7", 6000)
    assert settings.results_max == 10
    assert settings.expose == {"get_count": "app:make"}
    assert settings.lease_seconds == MasterSettings().lease_seconds


def test_an_option_beats_a_variable_and_a_variable_beats_the_file(file: Path) -> None:
    file.write_text('durability = "os"\nlog_level = "debug"\nlog_format = "json"\n')
    environment = {"TQ_DURABILITY": "memory", "TQ_LOG_LEVEL": "error"}
    settings = master(file, environment, durability="fsync", log_level=None)
    assert (settings.durability, settings.log_level, settings.log_format) == ("fsync", "error", "json")


def test_a_variable_is_read_as_the_type_its_setting_has() -> None:
    environment = {"TQ_LEASE_SECONDS": "30", "TQ_RESULTS_MAX": "5", "TQ_DATA": "2026"}
    settings = master(None, environment)
    assert (settings.lease_seconds, settings.results_max, settings.data) == (30.0, 5, Path("2026"))


def test_lists_and_tables_fit_into_a_variable() -> None:
    environment = {"TQ_CONNECT": "a:1, b:2", "TQ_LABELS": "gpu=yes,zone=eu", "TQ_QUEUES": "img,mail"}
    settings = worker(None, environment)
    assert settings.connect == (Address("a", 1), Address("b", 2))
    assert settings.labels == {"gpu": "yes", "zone": "eu"}
    assert settings.queues == ("img", "mail")


def test_a_worker_finds_its_masters_by_the_variable_of_programs_unless_its_own_or_an_option_says_more(
    file: Path,
) -> None:
    file.write_text('connect = ["of-the-file:1"]\n')
    url = {"TQ_URL": "tq://a:1,b"}
    assert worker(file, url).connect == (Address("a", 1), Address("b", 5000))
    assert worker(file, url | {"TQ_CONNECT": "c:2"}).connect == (Address("c", 2),)
    assert worker(file, url | {"TQ_CONNECT": "c:2"}, connect=("d:3",)).connect == (Address("d", 3),)
    assert worker(None, {"TQ_URL": ""}).connect == WorkerSettings().connect
    with pytest.raises(ConfigError, match="TQ_URL: "):
        worker(None, {"TQ_URL": "http://a/"})


def test_resources_are_amounts_in_a_variable_an_option_and_a_file(file: Path) -> None:
    file.write_text("[resources]\ngpu = 2\nmem = '16G'\n[labels]\nzone = 'eu 1'\n", "utf-8")
    settings = worker(file)
    assert settings.resources == {"gpu": Own(2_000), "mem": Own(16 * 10**12)}
    assert settings.labels == {"zone": "eu 1"}
    assert worker(None, {"TQ_RESOURCES": "gpu=0.5, mem=4Gi"}).resources == {
        "gpu": Own(500),
        "mem": Own(4 * 2**30 * 1000),
    }
    assert worker(None, resources="gpu=1").resources == {"gpu": Own(1_000)}
    named = {"gpu": Own(2_000, ("0", "3")), "mem": Own(5_000)}
    assert worker(None, resources="gpu=0,3,mem=5").resources == named
    file.write_text("[resources]\ngpu = [0, 3]\nmem = 5\n", "utf-8")
    assert worker(file).resources == named


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("resources", "gpu", "must be NAME=VALUE, each name once"),
        ("resources", "gpu=1,gpu=2", "must be NAME=VALUE, each name once"),
        ("resources", "gpu=many", "gpu is an amount such as 1, 0.5 or 16G"),
        ("resources", "gpu=0", "gpu is out of range: an amount is at least 0.001"),
        ("resources", "gpu=a,a", "names of units are letters, digits"),
        ("resources", "my gpu=1", "a resource has a name of up to 63 letters"),
        ("resources", ",".join(f"r{number}=1" for number in range(17)), "a table of at most 16 amounts"),
        ("labels", "zone", "must be NAME=VALUE, each name once"),
        ("labels", "has=1", "a label has a name of up to 63 letters"),
        ("labels", "a=1,a=2", "must be NAME=VALUE, each name once"),
    ],
)
def test_what_is_no_label_or_resource_is_refused_at_the_start(name: str, text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        worker(None, {f"TQ_{name.upper()}": text})


def test_variables_of_other_programs_are_let_be() -> None:
    assert master(None, {"TQ_MASTER_PORT": "tcp://10.0.0.1:5000", "TQ_AUTHKEY": "x"}) == MasterSettings()


def test_an_option_given_no_time_counts_as_not_given() -> None:
    assert worker(None, {"TQ_MODULES": "app"}, modules=()).modules == ("app",)


def test_an_unknown_key_is_an_error_that_names_the_nearest_one(file: Path) -> None:
    file.write_text("lease_second = 20\n")
    with pytest.raises(
        ConfigError, match=r"master\.toml: unknown key 'lease_second'; did you mean lease_seconds\?"
    ):
        master(file)


def test_an_unknown_key_like_no_other_lists_what_is_known(file: Path) -> None:
    file.write_text("zzz = 1\n")
    with pytest.raises(ConfigError, match=r"unknown key 'zzz'; known are bind, advertise, data"):
        master(file)


def test_all_faults_are_reported_at_once_with_their_places(file: Path) -> None:
    file.write_text('durability = "always"\nresults_max = -1\nbindd = "x"\nheartbeat_seconds = 60\n')
    with pytest.raises(ConfigError) as caught:
        master(file, {"TQ_LOG_FORMAT": "xml"}, grace_seconds="soon")
    assert str(caught.value).splitlines() == [
        f"{file}: unknown key 'bindd'; did you mean bind?",
        f"{file}: durability: must be one of fsync, os, memory, not 'always'",
        f"{file}: results_max: must be a whole number from 0 to 1,000,000,000,000, not -1",
        "--grace-seconds: must be a number of seconds from 0, not 'soon'",
        "TQ_LOG_FORMAT: must be one of text, json, not 'xml'",
        f"{file}: heartbeat_seconds: lease_seconds must be at least twice heartbeat_seconds, "
        "or one lost beat loses the leases",
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("heartbeat_seconds = nan", "number of seconds"),
        ("heartbeat_seconds = true", "number of seconds"),
        ('heartbeat_seconds = "5"', "number of seconds"),
        ("results_max = 1.5", "whole number"),
        ("frame_bytes_max = 1024", "whole number from 16,777,216"),
        ("bind = 5000.5", "must be host:port"),
        ('data = ""', "a path"),
        ("expose = 3", "a table of texts"),
        ("[expose]\nget_count = 3", "a table of texts"),
        ("grace_seconds = 21", "must not be longer than lease_seconds"),
    ],
)
def test_a_value_that_cannot_be_is_refused(file: Path, line: str, message: str) -> None:
    file.write_text(line)
    with pytest.raises(ConfigError, match=message):
        master(file)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("slots = 0", "whole number from 1"),
        ("connect = []", "host:port, or several"),
        ('connect = ["a:0"]', "is not a number from 1"),
        ("queues = [1]", "a list of texts"),
        ("kill_grace_seconds = 0", "number of seconds"),
    ],
)
def test_a_worker_value_that_cannot_be_is_refused(file: Path, line: str, message: str) -> None:
    file.write_text(line)
    with pytest.raises(ConfigError, match=message):
        worker(file)


def test_a_file_that_is_not_there_or_not_toml_is_said_so(file: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        master(file)
    file.write_text("bind =")
    with pytest.raises(ConfigError, match="is not TOML"):
        master(file)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot read"):
        master(file)


@pytest.mark.parametrize("kind", [MasterSettings, WorkerSettings])
def test_settings_cannot_be_changed_once_in_force(kind: type) -> None:
    settings = kind()
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.log_format = "json"


def test_there_are_few_settings_in_all() -> None:
    names = {one.name for kind in (MasterSettings, WorkerSettings) for one in dataclasses.fields(kind)}
    assert len(names) <= 45


@pytest.mark.parametrize(("given", "meant"), [("true", True), ("True", True), ("false", False)])
def test_a_switch_is_true_or_false(given: str, meant: bool) -> None:
    assert worker(environment={"TQ_ALLOW_SHELL": given}).allow_shell is meant
    assert worker(allow_shell=True, environment={"TQ_ALLOW_SHELL": given}).allow_shell


def test_private_addresses_without_the_switch_for_fetching_are_a_mistake_that_says_what_to_write() -> None:
    with pytest.raises(ConfigError, match="needs allow_http: --allow-http --http-private"):
        worker(http_private=True)
    assert worker(http_private=True, allow_http=True).sources == ("--allow-http", "--http-private")


@pytest.mark.parametrize(
    ("pattern", "switch"),
    [
        ("tq.tasks.http.fetch", "--allow-http"),
        ("tq.tasks.http.*", "--allow-http"),
        ("tq.tasks.shell*", "--allow-shell"),
    ],
)
def test_a_pattern_that_would_allow_nothing_without_a_switch_is_refused_with_the_switch_to_write(
    pattern: str, switch: str
) -> None:
    with pytest.raises(
        ConfigError, match=f"--allow {re.escape(pattern)} would allow nothing.*write {switch} instead"
    ):
        worker(allow=(pattern,))
    assert worker(allow=(pattern,), allow_http=True, allow_shell=True).allow == (pattern,)
    assert worker(allow=("tq.tasks.*", "*")).allow == (
        "tq.tasks.*",
        "*",
    )  # they allow other callables as well


@pytest.mark.parametrize("given", ["1", "yes", "no", "on"])
def test_a_switch_is_nothing_else(given: str) -> None:
    with pytest.raises(ConfigError, match=r"TQ_ALLOW_SHELL: must be true or false, not "):
        worker(environment={"TQ_ALLOW_SHELL": given})


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("512MiB", 512 * 2**20),
        ("2 GB", 2 * 10**9),
        ("1.5GiB", 3 * 2**29),
        ("0", 0),
        (2**21, 2**21),
        ("2097152", 2**21),
    ],
)
def test_a_size_is_a_number_of_bytes_or_has_a_unit(text: object, size: int) -> None:
    settings = load_settings(WorkerSettings, None, {}, {"max_memory_per_child": text})
    assert settings.max_memory_per_child == size


@pytest.mark.parametrize("text", ["much", "512 MB please", "-1MiB", "1KiB", "1e99", True, 2**60])
def test_what_is_no_size_is_refused_with_an_example(text: object) -> None:
    with pytest.raises(ConfigError, match="max-memory-per-child: must be a size from 1MiB such as 512MiB"):
        load_settings(WorkerSettings, None, {}, {"max_memory_per_child": text})


def test_a_range_of_processes_is_a_setting_or_stands_in_the_pool_and_not_in_both() -> None:
    [pool] = worker(autoscale="2,8").all_pools
    assert str(pool) == "process:2-8"
    assert (pool.slots, pool.slots_most) == (2, 8)
    assert worker(autoscale=[3, 3]).all_pools[0].is_scaled is False
    with pytest.raises(ConfigError, match=r"the smaller number stands first; write 2,5"):
        worker(autoscale="5,2")
    for wrong in ("0,2", "2", "two,8", "-1,3", ""):
        with pytest.raises(ConfigError, match=r"--autoscale: must be MIN,MAX such as 2,8"):
            worker(autoscale=wrong)
    with pytest.raises(ConfigError, match=r"say it in the pool: process:2-8"):
        worker(autoscale="2,8", pools=["async:50"])


def test_the_page_of_a_master_is_for_this_machine() -> None:
    assert master(web="127.0.0.1").web == ("127.0.0.1", 15672)
    for public in ("10.0.0.5:80", "192.168.0.1", ":15672"):
        with pytest.raises(ConfigError, match="others can reach"):
            master(web=public)


@pytest.mark.parametrize("name", ["queues", "pools", "allow", "preload", "labels", "resources", "modules"])
def test_an_option_that_is_given_and_empty_is_refused_and_not_taken_for_none(name: str) -> None:
    flag = f"--{name}"
    for given in (("",), ("good", " ")):
        with pytest.raises(
            ConfigError, match=f"^{flag} '': it is empty; leave the option out, or write what"
        ):
            worker(**{name: given})
    assert worker(**{name: ()}) == worker(**{name: None}) == WorkerSettings()


def test_no_queue_at_all_is_not_every_queue(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^TQ_QUEUES: must be a list of texts that are not empty, not ','"):
        worker(environment={"TQ_QUEUES": ","})
    file = tmp_path / "worker.toml"
    file.write_text('queues = [""]\n')
    with pytest.raises(ConfigError, match="queues: must be a list of texts that are not empty"):
        worker(file)
    file.write_text("queues = []\n")
    assert worker(file).queues == ()
    assert worker(environment={"TQ_QUEUES": "a,,b"}).queues == ("a", "b")
