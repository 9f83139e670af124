"""The query parameters of an upload: what the MP3 should be, and what its tag should say."""

from typing import Annotated

from fastapi import Depends, Query

from shared.mp3_options import Options, check_options
from shared.mpeg import SAMPLE_RATES_HZ

Tag = Annotated[str | None, Query(max_length=1000)]


async def _options(
    quality: Annotated[
        int | None, Query(ge=0, le=9, description="VBR, 0 best to 9 smallest; 2 if nothing is said")
    ] = None,
    bitrate_kbps: Annotated[
        int | None, Query(description="CBR, instead of quality: 8 to 320, as the rate allows")
    ] = None,
    channels: Annotated[
        int | None, Query(ge=1, le=2, description="as the source, at most 2, if nothing is said")
    ] = None,
    sample_rate_hz: Annotated[
        int | None,
        Query(description=f"one of {SAMPLE_RATES_HZ}; the best for the source if nothing is said"),
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
    given = {
        "title": title,
        "artist": artist,
        "album": album,
        "track": track,
        "year": year,
        "genre": genre,
        "comment": comment,
    }
    # PostgreSQL's JSON cannot hold a NUL.
    return {name: value.replace("\0", "") for name, value in given.items() if value is not None}


ConversionOptions = Annotated[Options, Depends(_options)]
TagOptions = Annotated[dict[str, str], Depends(_tags)]
