"""Writes the ID3 tag of an MP3 from the metadata of its WAV. Other packages import only this door."""

from worker.tags.tag import Audio, build_tag

__all__ = ["Audio", "build_tag"]
