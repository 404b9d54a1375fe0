"""The version, kept in one place that needs no installed metadata to be read."""

from typing import Final

VERSION: Final = "0.1.0"
