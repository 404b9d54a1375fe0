"""Where a database differs from the working copy of the store that owns it: nowhere, whatever a test has done."""

from __future__ import annotations

from tq.master.store.interface.store import Store


def differences(store: Store) -> list[str]:
    """Table, and the rows that only one of both has, once what is under way is committed; nothing for a store without a database."""
    try:
        from tq.master.store.postgres.loading import rows_of
        from tq.master.store.postgres.store import PostgresStore
        from tq.master.store.postgres.tables import SEQUENCE_TABLE, KeptTable, names, tables_of
    except ImportError:
        return []
    if not isinstance(store, PostgresStore) or not store.is_open:
        return []
    if store.in_transaction:
        store.commit()
    line = store.committer.line
    assert line is not None, "there is no connection to compare by"
    found: list[str] = []

    def compare(table: KeptTable, name: str) -> None:
        there = set(rows_of(line, store.committer.held.shard, table))
        here = set(store._db.execute(f"SELECT {names(table.columns)} FROM {name}"))  # noqa: S608 - names of tables
        only_there, only_here = sorted(there - here, key=repr), sorted(here - there, key=repr)
        if only_there or only_here:
            found.append(f"{table.name}: the database has {only_there}, the copy {only_here}")

    for table in tables_of(store._db):
        compare(table, f'main."{table.name}"')
    compare(SEQUENCE_TABLE, "sqlite_sequence")
    return found
