"""Measures how much longer a page of queued records takes than a page of finished ones."""

from statistics import median

from sqlalchemy import create_engine, text

from tests.bench.measures import Bench, Figure, ratio_figure, timed_s
from tests.worker.processes import suspended

RECORDS = 10_000
PAGE = 100
PAGES = 20
"""The time of a round is the median of so many pages."""
LIMIT = 2.0

ADD_RECORDS = text("""
    INSERT INTO records
        (id, user_id, filename, status, options, tags, source_bytes, duration_s, mp3_bytes, created_at)
    SELECT gen_random_uuid(), :user_id, number || '.wav', :status, '{}', '{}', 1000, 1, 1000,
        now() + number * interval '1 ms'
    FROM generate_series(1, :count) AS number
""")
ADD_JOBS = text("""
    INSERT INTO jobs (record_id, user_id, kind, queue, state, samples)
    SELECT id, user_id, 'encode', 'clips', 'ready', 44100
    FROM records WHERE user_id = :user_id ORDER BY created_at
""")
REMOVE = text("DELETE FROM records WHERE user_id IN (:queued, :done)")


def queued_records(bench: Bench) -> list[Figure]:
    """Measure both pages. Suspend the workers and the sweeper, so that nothing takes the queued records."""
    stack = bench.stack
    engine = create_engine(stack.environment["DATABASE_URL"])
    queued, done = bench.new_user(), bench.new_user()
    with suspended(*map(stack.pid, ("worker", "clips", "sweeper"))):
        try:
            with engine.begin() as connection:
                for user, status in ((queued, "queued"), (done, "done")):
                    values = {"user_id": user["user_id"], "status": status, "count": RECORDS}
                    connection.execute(ADD_RECORDS, values)
                connection.execute(ADD_JOBS, {"user_id": queued["user_id"]})
            found = [_page_s(bench, queued) / _page_s(bench, done) for _ in range(6)][1:]
        finally:
            with engine.begin() as connection:
                connection.execute(REMOVE, {"queued": queued["user_id"], "done": done["user_id"]})
    engine.dispose()
    name = f"listing {PAGE} of {RECORDS:,} queued records, divided by listing done ones"
    return [ratio_figure(name, found, LIMIT)]


def _page_s(bench: Bench, user: dict[str, str]) -> float:
    return median(timed_s(lambda: bench.records(user, PAGE)) for _ in range(PAGES))
