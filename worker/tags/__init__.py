"""Writes the ID3 tag of an MP3 from the metadata of its WAV. Other packages import only this door."""

from worker.tags.tag import Audio, read_tags

__all__ = ["Audio", "read_tags"]
