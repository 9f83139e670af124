"""Lists the users that store most: `python -m api.largest_users`."""

from shared import db

COUNT = 10


def main() -> None:
    with db.transaction() as session:
        found = db.quotas.largest_users(session, COUNT)
    print(f"{'stored':>13}  {'records':>7}  {'user_id':36}  name")
    for user in found:
        stored = f"{user.stored_bytes / 1e6:,.1f} MB"
        # The name as a Python string, because a user may choose characters that control a terminal.
        print(f"{stored:>13}  {user.records:>7}  {user.user_id}  {user.name!r}")


if __name__ == "__main__":
    main()
