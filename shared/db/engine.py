"""The engine and its sessions. Every connection, statement, lock wait and idle transaction has a limit."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import cast

import psycopg2.extensions
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.orm import Session

from shared.settings import get_settings

CONNECT_TIMEOUT_S = 5
STATEMENT_TIMEOUT_S = 15
POOL_SIZE = 10


@cache
def get_engine() -> Engine:
    limit_ms = STATEMENT_TIMEOUT_S * 1000
    return create_engine(
        get_settings().database_url.get_secret_value(),
        pool_pre_ping=True,
        pool_size=POOL_SIZE,
        max_overflow=POOL_SIZE,
        pool_timeout=STATEMENT_TIMEOUT_S,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_S,
            "options": f"-c statement_timeout={limit_ms} -c lock_timeout={limit_ms}"
            # a process that is stopped or cut off during a transaction must not keep its locks
            f" -c idle_in_transaction_session_timeout={limit_ms} -c timezone=UTC",
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": limit_ms,
        },
    )


def connect_outside_pool(engine: Engine) -> Connection:
    """Open a connection that the pool neither counts nor keeps, in autocommit."""
    connection = engine.connect()
    connection.detach()
    # Not by an execution option. The pool would reset that on the connection that replaces this one, and each of its
    # transactions would then set an isolation level first.
    driver_connection(connection).autocommit = True
    return connection


def driver_connection(connection: Connection) -> psycopg2.extensions.connection:
    """Return psycopg2's connection."""
    return cast("psycopg2.extensions.connection", connection.connection.dbapi_connection)


@contextmanager
def transaction() -> Iterator[Session]:
    """Open a transaction. Commit when the block ends, roll back when it raises."""
    with Session(get_engine(), expire_on_commit=False) as session, session.begin():
        yield session
