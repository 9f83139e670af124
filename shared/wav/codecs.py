"""The codecs of WAVs: their format tags, and their limits.

Source of the tags: mmreg.h.
"""

from enum import StrEnum

from shared.errors import BadWav


class Codec(StrEnum):
    """How samples are stored. The value of a compressed codec is the name of ffmpeg's decoder."""

    PCM = "pcm"
    FLOAT = "float"
    ALAW = "alaw"
    MULAW = "mulaw"
    MS_ADPCM = "adpcm_ms"
    IMA_ADPCM = "adpcm_ima_wav"
    YAMAHA_ADPCM = "adpcm_yamaha"
    G722 = "g722"
    G726 = "g726"
    GSM = "gsm_ms"
    TRUESPEECH = "truespeech"
    MP2 = "mp2float"
    MP3 = "mp3float"
    AC3 = "ac3"
    EAC3 = "eac3"
    DTS = "dca"
    FLAC = "flac"
    G723_1 = "g723_1"
    WMA_1 = "wmav1"
    WMA_2 = "wmav2"
    WMA_PRO = "wmapro"
    XBOX_ADPCM = "adpcm_ima_xbox"
    XMA_2 = "xma2"
    AAC = "aac"
    OKI_ADPCM = "adpcm_ima_oki"

    @property
    def label(self) -> str:
        """The codec's name for the user."""
        return _LABELS[self]


_LABELS = {
    Codec.PCM: "PCM",
    Codec.FLOAT: "float",
    Codec.ALAW: "A-law",
    Codec.MULAW: "µ-law",
    Codec.MS_ADPCM: "MS ADPCM",
    Codec.IMA_ADPCM: "IMA ADPCM",
    Codec.YAMAHA_ADPCM: "Yamaha ADPCM",
    Codec.XBOX_ADPCM: "Xbox ADPCM",
    Codec.G722: "G.722",
    Codec.G726: "G.726",
    Codec.G723_1: "G.723.1",
    Codec.GSM: "GSM",
    Codec.TRUESPEECH: "TrueSpeech",
    Codec.MP2: "MP2",
    Codec.MP3: "MP3",
    Codec.AC3: "Dolby AC-3",
    Codec.EAC3: "Dolby E-AC-3",
    Codec.DTS: "DTS",
    Codec.FLAC: "FLAC",
    Codec.WMA_1: "WMA",
    Codec.WMA_2: "WMA",
    Codec.WMA_PRO: "WMA Pro",
    Codec.XMA_2: "XMA2",
    Codec.AAC: "AAC",
    Codec.OKI_ADPCM: "OKI ADPCM",
}


RAW_CODECS = frozenset({Codec.PCM, Codec.FLOAT, Codec.ALAW, Codec.MULAW})

# The limits of ffmpeg's decoders.
MAX_CHANNELS_OF = {
    Codec.MS_ADPCM: 2,
    Codec.IMA_ADPCM: 2,
    Codec.YAMAHA_ADPCM: 2,
    Codec.G722: 1,
    Codec.G726: 1,
    Codec.GSM: 1,
    Codec.TRUESPEECH: 1,
    Codec.MP2: 2,
    Codec.MP3: 2,
    Codec.AC3: 6,
    Codec.EAC3: 8,
    Codec.DTS: 8,
    Codec.FLAC: 8,
    Codec.G723_1: 1,
    Codec.WMA_1: 2,
    Codec.WMA_2: 2,
    Codec.WMA_PRO: 8,
    Codec.XBOX_ADPCM: 2,
    Codec.XMA_2: 8,
    Codec.AAC: 8,
    Codec.OKI_ADPCM: 1,
}
EAC3_TAG = -1
"""E-AC-3 has a GUID and no format tag."""
_CODECS = {
    EAC3_TAG: Codec.EAC3,
    0x0001: Codec.PCM,
    0x0002: Codec.MS_ADPCM,
    0x0003: Codec.FLOAT,
    0x0006: Codec.ALAW,
    0x0007: Codec.MULAW,
    0x0010: Codec.OKI_ADPCM,
    0x0011: Codec.IMA_ADPCM,
    0x0017: Codec.OKI_ADPCM,
    0x0020: Codec.YAMAHA_ADPCM,
    0x0022: Codec.TRUESPEECH,
    0x0031: Codec.GSM,
    0x0032: Codec.GSM,  # MSN Audio
    0x0045: Codec.G726,
    0x0050: Codec.MP2,
    0x0055: Codec.MP3,
    0x028F: Codec.G722,
    0x2000: Codec.AC3,
    0x0042: Codec.G723_1,
    0x0069: Codec.XBOX_ADPCM,
    0x0160: Codec.WMA_1,
    0x0161: Codec.WMA_2,
    0x0162: Codec.WMA_PRO,
    0x0166: Codec.XMA_2,
    0x1600: Codec.AAC,
    0x6C75: Codec.MULAW,
    0x2001: Codec.DTS,
    0xF1AC: Codec.FLAC,
}
_UNSUPPORTED = {
    0x0008: "DTS",
    0x000A: "WMA Voice",
    0x0014: "G.723 ADPCM",
    0x0038: "AMR or NMS ADPCM",
    0x0039: "Roland RDAC",
    0x003B: "Rockwell ADPCM",
    0x0040: "G.721 ADPCM",
    0x0041: "G.728",
    0x0057: "AMR",
    0x0058: "AMR-WB",
    **dict.fromkeys((0x0061, 0x0062), "Duck ADPCM"),
    0x0064: "G.726 ADPCM",
    0x0065: "G.722 ADPCM",
    0x0075: "MetaSound",
    **dict.fromkeys((0x0083, 0x0133, 0x0134), "G.729"),
    0x0092: "Dolby AC-3 over S/PDIF",
    0x00FF: "AAC",
    0x0111: "G.723.1",
    0x0112: "Siren",
    **dict.fromkeys((0x0130, 0x0131, 0x0132, 0x0135), "Sipro ACELP"),
    0x0163: "WMA Lossless",
    0x0165: "XMA",
    0x0190: "DTS",
    0x0270: "ATRAC3",
    0x0200: "Creative ADPCM",
    0x0202: "Creative FastSpeech",
    0x028E: "Siren",
    0x0401: "Intel Music Coder",
    0x0402: "Indeo Audio",
    0x1602: "AAC",
    0x1610: "AAC",
    **dict.fromkeys((0x3040, 0x3041), "Opus of Wwise"),
    0x4143: "AAC",
    0x566F: "Vorbis",
    0x5756: "WavPack",
    **dict.fromkeys((0x674F, 0x6750, 0x6751, 0x676F, 0x6770, 0x6771), "Ogg Vorbis"),
    0x704F: "Opus",
    0x706D: "AAC",
    0xA106: "AAC",
    0xA109: "Speex",
    0x77A1: "TTA",
    0xFFFF: "Vorbis of Wwise",
}


def find_codec(tag: int) -> Codec:
    if tag in _CODECS:
        return _CODECS[tag]
    name = _UNSUPPORTED.get(tag, "an unknown kind of audio")
    raise unsupported(name, f"format tag 0x{tag:04X}")


def unsupported(name: str, mark: str) -> BadWav:
    return BadWav(f"This WAV contains {name} ({mark}), which is not supported. Export it as PCM.")
