"""Users: whoever has a token may upload."""

import secrets

from fastapi import APIRouter

from api.deps import DbSession, hash_token
from api.schemas import NewUser, UserCreated
from shared.models import User

router = APIRouter(tags=["users"])


@router.post("/users", status_code=201)
def create_user(new_user: NewUser, session: DbSession) -> UserCreated:
    """Create a user. The token is shown this once: only its hash is kept."""
    token = secrets.token_urlsafe(32)
    user = User(name=new_user.name, token_hash=hash_token(token))
    session.add(user)
    session.flush()
    return UserCreated(id=user.id, token=token)
