"""Signed links: a change of any part, another record, another kind or another key is refused."""

from urllib.parse import parse_qs
from uuid import UUID

import pytest

from shared.errors import BadSignature, LinkExpired
from shared.links import LinkKind, LinkSigner

RECORD_ID = UUID(int=1)
KEY, OTHER_KEY = "the key of today", "the key of before"
TTL_S = 1000
NOW_S = 1_800_000_000.5
SIGNER = LinkSigner([KEY], TTL_S)


def sign(signer: LinkSigner = SIGNER, now_s: float = NOW_S) -> tuple[int, str]:
    query = parse_qs(signer.sign(LinkKind.STATUS, RECORD_ID, now_s), strict_parsing=True)
    assert query.keys() == {"expires", "signature"}
    return int(query["expires"][0]), query["signature"][0]


EXPIRES_S, SIGNATURE = sign()


def test_an_unchanged_link_opens_until_it_expires() -> None:
    assert NOW_S + 0.9 * TTL_S <= EXPIRES_S <= NOW_S + TTL_S
    for now_s in (NOW_S, EXPIRES_S - 0.001):
        SIGNER.check(LinkKind.STATUS, RECORD_ID, EXPIRES_S, SIGNATURE, now_s)
    with pytest.raises(LinkExpired):
        SIGNER.check(LinkKind.STATUS, RECORD_ID, EXPIRES_S, SIGNATURE, EXPIRES_S)


@pytest.mark.parametrize(
    ("kind", "record_id", "expires_s", "signature"),
    [
        (LinkKind.DOWNLOAD, RECORD_ID, EXPIRES_S, SIGNATURE),
        (LinkKind.STATUS, UUID(int=2), EXPIRES_S, SIGNATURE),
        (LinkKind.STATUS, RECORD_ID, EXPIRES_S + 1, SIGNATURE),
        (LinkKind.STATUS, RECORD_ID, -EXPIRES_S, SIGNATURE),
        (LinkKind.STATUS, RECORD_ID, 0, SIGNATURE),
        (LinkKind.STATUS, RECORD_ID, EXPIRES_S, ""),
        (LinkKind.STATUS, RECORD_ID, EXPIRES_S, SIGNATURE[:-1]),
        (LinkKind.STATUS, RECORD_ID, EXPIRES_S, f"{SIGNATURE}A"),
        (LinkKind.STATUS, RECORD_ID, EXPIRES_S, f"{SIGNATURE}="),
        (LinkKind.STATUS, RECORD_ID, EXPIRES_S, SIGNATURE.swapcase()),
        (LinkKind.STATUS, RECORD_ID, EXPIRES_S, f"B{SIGNATURE[1:]}"),
        (LinkKind.STATUS, RECORD_ID, EXPIRES_S, "подпись"),
        (LinkKind.STATUS, RECORD_ID, EXPIRES_S, "\ud800"),
    ],
)
def test_a_changed_link_is_refused(
    kind: LinkKind, record_id: UUID, expires_s: int, signature: str
) -> None:
    with pytest.raises(BadSignature):
        SIGNER.check(kind, record_id, expires_s, signature, NOW_S)


def test_a_wrong_signature_outranks_expiry() -> None:
    with pytest.raises(BadSignature):
        SIGNER.check(LinkKind.STATUS, RECORD_ID, 1, SIGNATURE, NOW_S)


def test_every_key_opens_and_the_first_one_signs() -> None:
    old = LinkSigner([OTHER_KEY], TTL_S)
    rotating = LinkSigner([KEY, OTHER_KEY], TTL_S)
    assert sign(rotating) == (EXPIRES_S, SIGNATURE)
    rotating.check(LinkKind.STATUS, RECORD_ID, *sign(old), NOW_S)
    with pytest.raises(BadSignature):
        SIGNER.check(LinkKind.STATUS, RECORD_ID, *sign(old), NOW_S)


def test_a_link_stays_the_same_for_a_while() -> None:
    later = [sign(now_s=NOW_S + second) for second in range(TTL_S)]
    assert len(set(later)) <= 11


def test_a_short_lifetime_is_not_rounded_away() -> None:
    expires_s, _ = sign(LinkSigner([KEY], 10))
    assert NOW_S + 9 <= expires_s <= NOW_S + 10
