// Looks into a file before it is uploaded: whether it is a WAV, and which tags it has.

const MAGICS = [
  [0, "fLaC", "FLAC"],
  [0, "OggS", "Ogg"],
  [0, "ID3", "MP3"],
  [4, "ftyp", "MP4"],
  [8, "AIFF", "AIFF"],
  [8, "AIFC", "AIFF-C"],
  [8, "AVI ", "AVI"],
  [0, "MThd", "MIDI"],
  [0, "caff", "CAF"],
  [0, ".snd", "AU"],
  [0, "wvpk", "WavPack"],
  [0, "MAC ", "Monkey’s Audio"],
  [0, "PK\x03\x04", "ZIP"],
  [0, "\x89PNG", "PNG"],
  [0, "\xff\xd8\xff", "JPEG"],
  [0, "%PDF", "PDF"],
  [0, "0&\xb2u", "WMA"],
  [0, "\x1aE\xdf\xa3", "WebM"],
];
const INFO_TAGS = {
  INAM: "title", IART: "artist", IPRD: "album", ITRK: "track", ICRD: "year", IGNR: "genre", ICMT: "comment",
};
// The names that browsers have for charsets of the service.
const BROWSER_NAMES = { cp874: "windows-874", cp932: "shift_jis", cp949: "euc-kr", "mac-roman": "macintosh" };
const MAX_CHUNKS = 64;
const MAX_INFO_BYTES = 65_536;

async function read(file, from, bytes) {
  return new DataView(await file.slice(from, from + bytes).arrayBuffer());
}

function latin1(view, from, bytes) {
  let text = "";
  for (let at = from; at < Math.min(from + bytes, view.byteLength); at += 1) {
    text += String.fromCharCode(view.getUint8(at));
  }
  return text;
}

// Returns the name of the format if it certainly is not WAV, "" for an empty file, and null otherwise.
export async function otherFormat(file) {
  if (!file.size) return "";
  const view = await read(file, 0, 16);
  const found = MAGICS.find(([at, magic]) => latin1(view, at, magic.length) === magic);
  return found ? found[2] : null;
}

// Returns the tags of the RIFF INFO list, such as {title: "Take 1"}, read in this charset.
export async function readTags(file, charset = "") {
  const tags = {};
  let at = 12;
  for (let chunks = 0; chunks < MAX_CHUNKS && at + 12 <= file.size; chunks += 1) {
    const head = await read(file, at, 12);
    const size = head.getUint32(4, true);
    if (latin1(head, 0, 4) === "LIST" && latin1(head, 8, 4) === "INFO") {
      readInfo(await read(file, at + 12, Math.min(size - 4, MAX_INFO_BYTES)), charset, tags);
    }
    at += 8 + size + (size % 2);
  }
  return tags;
}

function readInfo(view, charset, tags) {
  let at = 0;
  while (at + 8 <= view.byteLength) {
    const size = view.getUint32(at + 4, true);
    const tag = INFO_TAGS[latin1(view, at, 4)];
    const end = Math.min(at + 8 + size, view.byteLength);
    const text = decode(new Uint8Array(view.buffer, at + 8, end - at - 8), charset);
    if (tag && text) tags[tag] = text;
    at += 8 + size + (size % 2);
  }
}

// INFO declares no encoding: most programs write UTF-8 or Windows-1252.
function decode(bytes, charset) {
  const end = bytes.indexOf(0);
  const text = end < 0 ? bytes : bytes.subarray(0, end);
  const decodeAs = (name) => new TextDecoder(name, { fatal: true }).decode(text).trim();
  for (const name of [BROWSER_NAMES[charset] ?? charset, "utf-8"].filter(Boolean)) {
    try {
      return decodeAs(name);
    } catch {
      // The text is in another charset.
    }
  }
  return new TextDecoder("windows-1252").decode(text).trim();
}
