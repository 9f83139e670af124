"""ASGI and HTTP. Nothing here knows about records. Other packages import only this door."""

from api.http.access_log import AccessLog
from api.http.body import Linger, arriving
from api.http.multipart import Multipart, PartHead, clean_filename
from api.http.ranges import satisfiable

__all__ = [
    "AccessLog",
    "Linger",
    "Multipart",
    "PartHead",
    "arriving",
    "clean_filename",
    "satisfiable",
]
