"""The error names the real format of a file that is not a WAV."""

import gzip
import io
import zipfile

import pytest
import soundfile

from shared.errors import BadWav, NotAWav
from shared.wav import read_wav
from tests import wavs


def reason(file: bytes) -> str:
    with pytest.raises(NotAWav) as refusal:
        read_wav(io.BytesIO(file), len(file))
    return refusal.value.detail


@pytest.mark.parametrize(
    ("container", "name"),
    [
        ("FLAC", "FLAC"),
        ("OGG", "Ogg"),
        ("AIFF", "AIFF"),
        ("CAF", "CAF"),
        ("AU", "AU"),
        ("MP3", "MP3"),
    ],
)
def test_other_audio_is_named(container: str, name: str) -> None:
    file = io.BytesIO()
    soundfile.write(file, wavs.sine(9000), 44100, format=container)
    assert f"This is {name}" in reason(file.getvalue())
    assert "Convert it to WAV" in reason(file.getvalue())


@pytest.mark.parametrize("container", ["FLAC", "OGG", "AIFF", "CAF", "AU"])
def test_a_file_inside_a_data_chunk_is_named(container: str) -> None:
    """Read as samples, it would be noise."""
    file = io.BytesIO()
    soundfile.write(file, wavs.sine(9000), 44100, format=container)
    wav = wavs.wrap([wavs.chunk(b"fmt ", wavs.fmt_payload()), wavs.chunk(b"data", file.getvalue())])
    with pytest.raises(
        BadWav, match=f"contains {container.title()}.* instead of samples|{container}"
    ):
        read_wav(io.BytesIO(wav), len(wav))


def test_a_tagged_mp3_in_a_wav_is_named() -> None:
    payload = b"ID3\4\0\0\0\0\0\0" + bytes(5000)
    wav = wavs.wrap([wavs.chunk(b"fmt ", wavs.fmt_payload()), wavs.chunk(b"data", payload)])
    with pytest.raises(BadWav, match="contains MP3 instead of samples"):
        read_wav(io.BytesIO(wav), len(wav))


def test_archives_are_named() -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("a.wav", wavs.build(wavs.sine(10)))
    assert "ZIP archive" in reason(archive.getvalue())
    assert "gzip archive" in reason(gzip.compress(bytes(100)))


@pytest.mark.parametrize(
    ("file", "name"),
    [
        (b"", "empty"),
        (b"ID3\4\0\0\0\0\0\0" + bytes(20), "MP3"),
        (b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X", "the metadata that macOS stores"),
        (b"UklGRiQAAABXQVZFZm10IBAAAAAB", "a WAV as base64 text"),
        (b"data:audio/wav;base64,UklGR", "a data URL"),
        (bytes(4096), "starts with zeros in place of a header"),
        (b"\xff\xf1\x50\x80" + bytes(20), "AAC"),
        (b"\0\0\0\x20ftypM4A " + bytes(20), "M4A"),
        (b"\x1aE\xdf\xa3" + bytes(20), "Matroska"),
        (b"RIFF\0\0\0\0AVI LIST", "AVI video"),
        (b"RIFF\0\0\0\0XWMAfmt ", "This is xWMA"),
        (b"\x0b\x77\xad\xe6" + bytes(20), "Dolby Digital"),
        (b"\0\xa0\0\1\xf8\x72\x6f\xba" + bytes(20), "Dolby TrueHD"),
        (b"\x7f\xfe\x80\x01" + bytes(20), "This is DTS"),
        (b"DTSHDHDR" + bytes(20), "DTS-HD"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "WebP image"),
        (b"RIFF\0\0\0\0QQQQ", "not a WAV header"),
        (b"RIFF", "cut off inside its header"),
        (b"FORM\0\0\0\0AIFCFVER", "AIFF-C"),
        (b"\x89PNG\r\n\x1a\n" + bytes(20), "PNG"),
        (b"\xff\xd8\xff\xe0" + bytes(20), "JPEG"),
        (b"%PDF-1.7\n%abcdefgh", "PDF"),
        (b"#EXTM3U\n#EXTINF:4,\nfile:///etc/passwd", "playlist"),
        (b"ffconcat version 1.0\nfile other", "playlist"),
        (b"\xef\xbb\xbf \n<!DOCTYPE html><title>404", "HTML"),
        (b"<?xml version='1.0'?><MPD/>", "XML"),
        (b'{"error": "not found"}', "JSON"),
        (b"Nothing to hear here.", "text"),
        (b"\xff\xfeN\0o\0t\0h\0i\0n\0g\0", "text"),
        (bytes(100), "not a WAV"),
        (b"RF65\xff\xff\xff\xffWAVEds64\x1c\0\0\0", "not a WAV"),
    ],
)
def test_files_without_audio_are_named(file: bytes, name: str) -> None:
    assert name in reason(file)
