"""Identifies files that are not WAVs from their first bytes, for the error message.

In: the first bytes of a file (512 are enough). Out: one or two sentences for the user. Never raises.
"""

_AUDIO_OR_VIDEO = (
    (0, b"fLaC", "FLAC"),
    (0, b"OggS", "Ogg (Vorbis or Opus)"),
    (0, b"ID3", "MP3"),
    (4, b"ftyp", "MP4 or M4A"),
    (8, b"AIFF", "AIFF"),
    (8, b"AIFC", "AIFF-C"),
    (0, b"\x1aE\xdf\xa3", "Matroska or WebM"),
    (8, b"AVI ", "AVI video"),
    (8, b"XWMA", "xWMA"),
    (0, b"\x0bw", "Dolby Digital (AC-3 or E-AC-3)"),
    (0, b"w\x0b", "Dolby Digital (AC-3 or E-AC-3)"),
    (4, b"\xf8ro\xba", "Dolby TrueHD"),
    (4, b"\xf8ro\xbb", "MLP"),
    (0, b"DTSHDHDR", "DTS-HD"),
    (0, b"\x7f\xfe\x80\x01", "DTS"),
    (0, b"\xfe\x7f\x01\x80", "DTS"),
    (0, b"\x1f\xff\xe8\x00", "DTS"),
    (0, b"\xff\x1f\x00\xe8", "DTS"),
    (0, b"r\xf8\x1fN", "an S/PDIF recording (Dolby or DTS)"),
    (8, b"RMID", "MIDI"),
    (0, b"MThd", "MIDI"),
    (0, b"caff", "CAF"),
    (0, b".snd", "AU"),
    (0, b"0&\xb2u\x8ef\xcf\x11", "WMA or WMV"),
    (0, b"wvpk", "WavPack"),
    (0, b"MAC ", "Monkey's Audio"),
    (0, b"DSD ", "DSD audio"),
    (0, b"FRM8", "DSD audio (DSDIFF)"),
    (0, b"TTA1", "TTA"),
    (0, b"ADIF", "AAC"),
    (0, b"#!AMR", "AMR"),
)
_ARCHIVES = (
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (0, b"Rar!", "a RAR archive"),
)
_OTHERS = (
    (0, b"\x89PNG", "a PNG image"),
    (0, b"\xff\xd8\xff", "a JPEG image"),
    (0, b"GIF8", "a GIF image"),
    (8, b"WEBP", "a WebP image"),
    (0, b"%PDF", "a PDF document"),
    (
        0,
        b"\x00\x05\x16\x07",
        "the metadata that macOS stores beside a file (its name starts with ._)",
    ),
)
_TEXTS = (
    (b"#extm3u", "an HLS or M3U playlist"),
    (b"ffconcat", "an ffconcat playlist"),
    (b"<!doctype html", "an HTML page"),
    (b"<html", "an HTML page"),
    (b"uklgr", "a WAV as base64 text"),
    (b"data:audio", "a data URL"),
    (b"<", "XML"),
    (b"{", "JSON"),
    (b"[", "JSON"),
)
_ZEROS = (
    "This is not a WAV file: it starts with zeros in place of a header, because its recording or copying was "
    "interrupted. Upload a WAV that the recorder's software has repaired, or a new copy."
)
_UNKNOWN = "This is not a WAV file. Upload a WAV (RIFF, RIFX, RF64, BW64 or W64)."
NO_OTHER_FORMAT = (_ZEROS, _UNKNOWN)
_WAV_MAGICS = (b"RIFF", b"RIFX", b"RF64", b"BW64", b"riff")
_MIN_HEADER_BYTES = 12
_CERTAIN_BYTES = 4
_CERTAIN_FORMATS = ("Matroska or WebM", "WMA or WMV")
_UTF8_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")


def describe_file(head: bytes) -> str:
    """Name the format of a file that starts with `head`, and say what to do about it."""
    if not head:
        return "The file is empty. Upload a WAV file."
    answers = (
        (_match(_AUDIO_OR_VIDEO, head) or _match_mpeg(head), "Convert it to WAV and upload that."),
        (_match(_ARCHIVES, head), "Unpack it and upload the WAV inside."),
        (_match(_OTHERS, head) or _match_text(head), "Upload a WAV file."),
    )
    for name, advice in answers:
        if name:
            return f"This is {name}, not WAV. {advice}"
    if head.startswith(_WAV_MAGICS) and len(head) < _MIN_HEADER_BYTES:
        return (
            "This WAV is cut off inside its header: the rest is missing. Copy or upload it again."
        )
    if head.startswith(_WAV_MAGICS):
        return "This starts like a WAV, but its header is not a WAV header. Export the file again."
    if not any(head) and len(head) >= _MIN_HEADER_BYTES:
        return _ZEROS
    return _UNKNOWN


def detect_wrapped_file(samples: bytes) -> str | None:
    """Return the format of an audio file that someone put into a data chunk.

    Only words are certain, and a few other magics.
    """
    certain = tuple(
        (at, magic, name)
        for at, magic, name in _AUDIO_OR_VIDEO
        if len(magic) >= _CERTAIN_BYTES and (magic.isascii() or name in _CERTAIN_FORMATS)
    )
    tags = tuple((0, b"ID3" + bytes([version, 0]), "MP3") for version in (2, 3, 4))
    return _match(certain + tags, samples)


def _match(magics: tuple[tuple[int, bytes, str], ...], head: bytes) -> str | None:
    return next((name for at, magic, name in magics if head.startswith(magic, at)), None)


def _match_mpeg(head: bytes) -> str | None:
    """Check the frame sync of MPEG audio (ISO 11172-3, 2.4.1.3) and of ADTS AAC (ISO 13818-7, 6.2)."""
    if len(head) < 3 or head[0] != 0xFF or head[:2] in _UTF16_BOMS:
        return None
    if head[1] & 0xF6 == 0xF0:
        return "AAC"
    is_mpeg = head[1] & 0xE0 == 0xE0 and head[1] & 0x06
    return "MP3" if is_mpeg and head[2] >> 4 != 15 and head[2] & 0x0C != 0x0C else None


def _match_text(head: bytes) -> str | None:
    if head.startswith(_UTF16_BOMS):
        return "text"
    start = head.removeprefix(_UTF8_BOM).lstrip().lower()
    for prefix, name in _TEXTS:
        if start.startswith(prefix):
            return name
    has_controls = any(byte < 0x20 and byte not in b"\t\n\r\f" for byte in head)
    return None if has_controls or head.startswith(_WAV_MAGICS) else "text"
