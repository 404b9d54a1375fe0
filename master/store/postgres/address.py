"""Where the database is, as ``--store`` says it, without its secrets wherever it is shown.

What libpq knows holds: several hosts with ``target_session_attrs``, ``service``, ``PGPASSFILE``. The connection off this machine
is encrypted and the server proven (``sslmode=verify-full``) unless the address says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ....common.errors import ConfigError
from ....common.wire.address import is_loopback

if TYPE_CHECKING:
    import types

SCHEMES: Final = ("postgresql://", "postgres://")
EXTRA: Final = "pip install 'tq[postgres]'"
SECRET: Final = ("password", "sslpassword")
HIDDEN: Final = "***"
APPLICATION: Final = "tq-master"
# A host that is gone without a word is noticed, as an answer that does not come is: both by the kernel.
QUIET: Final = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,  # ms
}


def load_psycopg() -> types.ModuleType:
    try:
        import psycopg
    except ImportError as error:
        raise ConfigError(f"a store in PostgreSQL needs psycopg ({error}); install it: {EXTRA}") from error
    return psycopg


@dataclass(frozen=True)
class DatabaseAddress:
    """``given``: the parameters of libpq, secrets among them: hence it has no repr."""

    given: dict[str, Any]
    seconds_max: int = 10

    def __repr__(self) -> str:
        return f"DatabaseAddress({self})"

    def __str__(self) -> str:
        """For people: without password."""
        given = self.given
        if "service" in given and "host" not in given:
            return f"postgresql:///?service={given['service']}"
        user = f"{given['user']}@" if given.get("user") else ""
        hosts = str(given.get("host") or given.get("hostaddr") or "").split(",")
        ports = str(given.get("port") or "").split(",")
        where = ""
        if hosts[0].startswith(("/", "@")):
            query = f"?host={given['host']}" + (f"&port={given['port']}" if given.get("port") else "")
        else:
            query = ""
            named = [
                f"{host}:{port}" if (port := ports[min(place, len(ports) - 1)]) else host
                for place, host in enumerate(hosts)
            ]
            where = ",".join(named)
        return f"postgresql://{user}{where}/{given.get('dbname') or ''}{query}"

    @property
    def secrets(self) -> list[str]:
        return [str(self.given[name]) for name in SECRET if self.given.get(name)]

    def parameters(self, seconds_max: int) -> dict[str, Any]:
        """What ``connect`` is given."""
        return {
            **QUIET,
            "connect_timeout": seconds_max,
            "application_name": APPLICATION,
            "client_encoding": "utf8",
            **self.given,
        }


def read_address(text: str) -> DatabaseAddress:
    """Raises ConfigError, with the line to write."""
    if not text.startswith(SCHEMES):
        raise ConfigError(
            f"the store {_start(text)} is none that this master knows; write postgresql://USER@HOST/DATABASE, or leave --store out for a "
            "file in --data"
        )
    psycopg = load_psycopg()
    try:
        given = psycopg.conninfo.conninfo_to_dict(text)
    except psycopg.ProgrammingError as error:
        # The error of libpq repeats what was written, and a password may stand in it.
        what = str(error).split('"')[0].strip().rstrip(":") or "it cannot be read"
        raise ConfigError(
            f"the store's address cannot be read ({what}); write postgresql://USER@HOST/DATABASE, with each special character of a "
            "name as %XX, and the password in a file (PGPASSFILE)"
        ) from None
    address = DatabaseAddress(given)
    _check_encryption(address)
    return address


def without_secrets(text: str, address: DatabaseAddress) -> str:
    for secret in address.secrets:
        text = text.replace(secret, HIDDEN)
    return text


def refuse_password(text: str) -> None:
    """Of an address that a command line names. Raises ConfigError."""
    if read_address(text).secrets:
        raise ConfigError(
            "--store has a password in it, which every user of this machine can read in the list of processes; leave it out there and "
            "set PGPASSFILE to a file with one line HOST:PORT:DATABASE:USER:PASSWORD that only this user can read (chmod 600), or set "
            "TQ_STORE to the whole address"
        )


def _start(text: str) -> str:
    """As much of it as can hold no secret."""
    return f"{text.split('://')[0]}://…" if "://" in text else "(without a scheme)"


def _check_encryption(address: DatabaseAddress) -> None:
    import os

    given = address.given
    if given.get("sslmode") or os.environ.get("PGSSLMODE") or "service" in given:
        return
    hosts = str(given.get("hostaddr") or given.get("host") or os.environ.get("PGHOST") or "").split(",")
    off = [host for host in hosts if host and not host.startswith(("/", "@")) and not is_loopback(host)]
    if off:
        separator = "&" if "?" in str(address) else "?"
        raise ConfigError(
            f"the connection to {', '.join(off)} is not said to be encrypted and proven, and all tasks and keys go over it; write\n"
            f"  --store '{address}{separator}sslmode=verify-full&sslrootcert=system'\n"
            "or sslrootcert=FILE with the certificate of its authority; sslmode=require or disable if you take that risk"
        )
