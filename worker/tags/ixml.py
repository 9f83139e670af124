"""Reads the slate in an iXML chunk as (kind, text) pairs, as `riff` does, and names the other fields.

In: the payload of an `iXML` chunk, valid or not. Searches the text instead of parsing XML, so that no entity can
expand. Raises nothing. Time is linear. Source: iXML 3.01.
"""

import html
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections import Counter
from collections.abc import Iterator, Sequence

from worker.tags.charset import FileText
from worker.tags.riff import Pair
from worker.tags.text import MAX_TEXT_BYTES, find_utf16_order

_SLATE = "PROJECT|SCENE|TAKE|TAPE|NOTE"
_FIELD = re.compile(rf"<({_SLATE})>\s*(?:<!\[CDATA\[([^\]]*)\]\]>\s*|([^<]*))</\1>")
_ELEMENT = re.compile(r"<([A-Za-z_][\w:.-]*)(?:\s[^<>]*)?>\s*(?:<!\[CDATA\[\s*[^\]\s]|[^<\s])")
# Only code pages: some of Python's other codecs raise other errors or take quadratic time.
_CHARSET = re.compile(
    rb"\s*<\?xml[^>]{0,99}? encoding=[\"']"
    rb"((?:windows|cp|iso|koi8|shift|euc|gb|big5|mac)[A-Za-z0-9_.-]{1,20})[\"']",
    re.IGNORECASE,
)


def decode_xml(payload: bytes, texts: FileText) -> str:
    """Decode UTF-8, UTF-16 or the charset that the XML declares, up to the limit of a text."""
    raw = payload[:MAX_TEXT_BYTES]
    if raw.startswith((BOM_UTF16_BE, BOM_UTF16_LE)) or find_utf16_order(raw):
        return texts.decode_utf16(raw)
    declared = _CHARSET.match(raw)
    return texts.decode_xml(raw, declared[1].decode() if declared else "")


def slate_pairs(xml: str, texts: FileText) -> Iterator[Pair]:
    for name, raw, escaped in _FIELD.findall(xml):
        yield f"TXXX:{name.lower()}", texts.clean(raw or html.unescape(escaped))


def unread_fields(xml: str) -> Sequence[str]:
    """Return the names of the elements with a text that `slate_pairs` does not give."""
    read = Counter(name for name, _, _ in _FIELD.findall(xml))
    found = _ELEMENT.findall(xml)
    return [name for name, count in Counter(found).items() if count > read[name]]
