"""Query parameters of an upload: conversion options and tags."""

from typing import Annotated

from fastapi import Depends, Query

from shared.mp3_options import Options, check_options
from shared.mpeg import SAMPLE_RATES_HZ

Tag = Annotated[str | None, Query(max_length=1000, description="Overrides the WAV's own metadata.")]


async def _options(
    quality: Annotated[
        int | None, Query(ge=0, le=9, description="VBR, 0 (best) to 9 (smallest file). Default: 2.")
    ] = None,
    bitrate_kbps: Annotated[
        int | None,
        Query(
            description="Constant bitrate in kbit/s, instead of `quality`. "
            "Allowed values depend on the sample rate."
        ),
    ] = None,
    channels: Annotated[
        int | None, Query(ge=1, le=2, description="1 or 2. Default: same as the source, at most 2.")
    ] = None,
    sample_rate_hz: Annotated[
        int | None,
        Query(description=f"One of {SAMPLE_RATES_HZ}. Default: same as the source if possible."),
    ] = None,
) -> Options:
    options = Options(quality, bitrate_kbps, channels, sample_rate_hz)
    check_options(options)
    return options


async def _tags(
    title: Tag = None,
    artist: Tag = None,
    album: Tag = None,
    track: Tag = None,
    year: Tag = None,
    genre: Tag = None,
    comment: Tag = None,
) -> dict[str, str]:
    given = {"title": title, "artist": artist, "album": album, "track": track, "year": year, "genre": genre,
             "comment": comment}  # fmt: skip
    # PostgreSQL's JSON cannot hold a NUL.
    return {name: value.replace("\0", "") for name, value in given.items() if value is not None}


ConversionOptions = Annotated[Options, Depends(_options)]
TagOptions = Annotated[dict[str, str], Depends(_tags)]
