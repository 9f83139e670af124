"""ASGI and HTTP. Nothing here knows about records. Other packages import only this door."""

from api.http.access_log import AccessLog
from api.http.multipart import Multipart, PartHead, clean_filename
from api.http.ranges import parse_ranges
from api.http.request_body import DrainRefusedBodies, body_chunks

__all__ = [
    "AccessLog",
    "DrainRefusedBodies",
    "Multipart",
    "PartHead",
    "body_chunks",
    "clean_filename",
    "parse_ranges",
]
