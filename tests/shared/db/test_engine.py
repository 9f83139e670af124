"""Connections to PostgreSQL."""

from sqlalchemy import create_engine

from shared import db


def test_the_pool_sets_no_isolation_level(database_url: str) -> None:
    engine = create_engine(database_url)
    with db.connect_outside_pool(engine):
        for _ in range(2):
            with engine.connect() as pooled:
                assert db.driver_connection(pooled).isolation_level is None
    engine.dispose()


def test_a_connection_outside_the_pool_leaves_it_free(database_url: str) -> None:
    engine = create_engine(database_url, pool_size=1, max_overflow=0, pool_timeout=0)
    with db.connect_outside_pool(engine) as outside, engine.connect() as pooled:
        assert db.driver_connection(outside).autocommit
        assert not db.driver_connection(pooled).autocommit
    engine.dispose()
