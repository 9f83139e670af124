"""ASGI and HTTP. Nothing here knows about records. Other packages import only this door."""

from api.http.access_log import AccessLog
from api.http.disposition import MAX_FILENAME_CHARS, clean_filename
from api.http.multipart import Multipart, PartHead
from api.http.ranges import parse_ranges
from api.http.request_body import DrainRefusedBodies, body_chunks

__all__ = [
    "MAX_FILENAME_CHARS",
    "AccessLog",
    "DrainRefusedBodies",
    "Multipart",
    "PartHead",
    "body_chunks",
    "clean_filename",
    "parse_ranges",
]
