"""What ``tq-master check`` finds in a database: whether a master would start there, or stand by."""

from __future__ import annotations

from ..common.auth.certificate import CERTIFICATE_FILE, certificate_der
from ..common.auth.leaf import RENEW, shown_by
from ..common.errors import ConfigError
from ..common.runtime.checkup import Checkup
from ..common.runtime.config import MasterSettings
from .check_shards import check_number_of_database
from .standby.standing import check_certificate
from .store.cluster_files import StartOptions, certificate_problem


def check_database(
    found: Checkup,
    settings: MasterSettings,
    start: StartOptions,
    address: str,
    newest: int,
    *,
    is_running: bool,
) -> None:
    """``newest``: the schema version of this program. ``is_running``: a master runs in this data directory."""
    try:
        from .store.postgres.address import read_address
        from .store.postgres.inspection import inspect_database

        database = read_address(address)
        seen = inspect_database(database, newest)
    except ConfigError as error:
        found.fail("store", str(error))
        return
    schema = "it will be prepared" if seen.schema is None else f"schema version {seen.schema}"
    found.ok("store", f"{database}, PostgreSQL {seen.server}, {schema}, durability {settings.durability}")
    check_number_of_database(found, settings, seen.has_cluster, seen.shards, str(database))
    if is_running:
        return
    if seen.owners:
        names = sorted({owner for _, owner in seen.owners})
        more = "" if len(names) == 1 else f" and {len(names) - 1} more"
        would = "stand by" if seen.shards is None else "take its part of the shards"
        found.ok("store", f"another master ({names[0]}){more} serves; this one would {would}")
    try:
        if seen.owners:
            certificate = settings.data / CERTIFICATE_FILE
            own = shown_by(certificate_der(certificate)).pin if certificate.exists() else None
            check_certificate(seen.pin, own, str(database), RENEW)
        elif problem := certificate_problem(seen.pin, settings.data, str(database), start):
            found.fail("certificate", problem)
    except ConfigError as error:
        found.fail("certificate", str(error))
