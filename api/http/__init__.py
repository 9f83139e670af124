"""ASGI and HTTP. Nothing here knows about records. Other packages import only this door."""

from api.http.access_log import AccessLog
from api.http.connections import Connections, limited, raise_descriptor_limit
from api.http.cross_origin import CrossOrigin, refusal_headers
from api.http.disposition import parse_disposition
from api.http.large_reads import keep_freed_memory
from api.http.methods import HeadAndOptions, allowed_methods
from api.http.multipart import Multipart, PartHead
from api.http.ranges import parse_ranges
from api.http.raw_body import RawBody
from api.http.request_body import BodyLimits, DrainRefusedBodies, body_chunks
from api.http.security_headers import SecurityHeaders
from api.http.shares import Shares, client_address, client_network
from api.http.stopping import AnswerUnfinished, Stopping
from api.http.titles import status_title
from api.http.turns import Turns
from api.http.waiting import Waiting

__all__ = [
    "AccessLog",
    "AnswerUnfinished",
    "BodyLimits",
    "Connections",
    "CrossOrigin",
    "DrainRefusedBodies",
    "HeadAndOptions",
    "Multipart",
    "PartHead",
    "RawBody",
    "SecurityHeaders",
    "Shares",
    "Stopping",
    "Turns",
    "Waiting",
    "allowed_methods",
    "body_chunks",
    "client_address",
    "client_network",
    "keep_freed_memory",
    "limited",
    "parse_disposition",
    "parse_ranges",
    "raise_descriptor_limit",
    "refusal_headers",
    "status_title",
]
