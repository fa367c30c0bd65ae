"""SQLite for worlds: all databases share the statements that were compiled once.

SQLAlchemy keeps them for each engine, and a world opens several: compiling anew would take half the time.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

_COMPILED: dict[Any, Any] = {}


class WorldDialect(SQLiteDialect_pysqlite):
    """Any two are the same to the cache of compiled statements."""

    supports_statement_cache = True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WorldDialect)

    def __hash__(self) -> int:
        return hash(WorldDialect)

    @classmethod
    def engine_created(cls, engine: sa.Engine) -> None:
        engine.update_execution_options(compiled_cache=_COMPILED)


registry.register("sqlite.world", __name__, "WorldDialect")


def url(path: object) -> str:
    """The URL of a world's database file."""
    return f"sqlite+world:///{path}"
