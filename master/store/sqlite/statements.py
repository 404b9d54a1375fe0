"""The SQL of the embedded store, as it stands in ``sql/*.sql``."""

from __future__ import annotations

from importlib import resources


def load_statements() -> dict[str, str]:
    """The statements of ``sql/*.sql`` by the name in their ``-- name:`` line."""
    statements: dict[str, str] = {}
    for file in sorted(resources.files(__package__).joinpath("sql").iterdir(), key=lambda file: file.name):
        for part in file.read_text("utf-8").split("-- name: ")[1:]:
            name, _, sql = part.partition("\n")
            statements[name.strip()] = sql.strip()
    return statements
