// Numbers, sizes and times, as the chosen language writes them.

import { language, t } from "./i18n.js";

const unit = (name, maximumFractionDigits = 0, minimumFractionDigits = 0) =>
  new Intl.NumberFormat(language, { style: "unit", unit: name, maximumFractionDigits, minimumFractionDigits });
// With the zero of "26.0 MB", the digits of a column are below each other.
const tenths = (name) => unit(name, 1, 1);

const STEPS = [
  [1e9, tenths("gigabyte"), tenths("gigabyte-per-second"), unit("gigabyte", 1)],
  [1e6, tenths("megabyte"), tenths("megabyte-per-second"), unit("megabyte", 1)],
  [0, unit("kilobyte"), unit("kilobyte-per-second"), unit("kilobyte")],
];
const UNIT_BYTES = [1e9, 1e6, 1e3];
const SECONDS = unit("second");
const SHORT_SECONDS = new Intl.NumberFormat(language, { style: "unit", unit: "second", maximumSignificantDigits: 1 });
const MINUTES = unit("minute");
const HOURS = unit("hour", 1);
const PERCENT = new Intl.NumberFormat(language, { style: "percent" });
const DATE = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });

export const formatDate = (text) => DATE.format(new Date(text));
export const formatSize = (bytes) => inUnits(bytes, 1);
// A limit is often a whole number of units.
export const formatLimit = (bytes) => inUnits(bytes, 3);
export const formatSpeed = (bytesPerSecond) => inUnits(bytesPerSecond, 2);
export const formatPercent = (fraction) => PERCENT.format(Math.floor(100 * fraction) / 100);
export const formatKilohertz = (rate_hz) => t("kilohertz", { value: rate_hz / 1000 });

function inUnits(bytes, column) {
  const index = STEPS.findIndex(([from]) => bytes >= from);
  return STEPS[index][column].format(bytes && Math.max(bytes / UNIT_BYTES[index], index === 2 ? 1 : 0));
}

// Less than a second would be shown as "00:00".
export const formatLength = (seconds) =>
  seconds > 0 && seconds < 0.95 ? SHORT_SECONDS.format(seconds) : formatPosition(seconds);

export function formatPosition(seconds) {
  const whole = Math.round(seconds);
  const fields = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return (fields[0] ? fields : fields.slice(1)).map((field) => String(field).padStart(2, "0")).join(":");
}

export function formatTime(seconds) {
  if (seconds < 10) return SECONDS.format(Math.max(1, Math.ceil(seconds)));
  if (seconds < 55) return SECONDS.format(5 * Math.ceil(seconds / 5));
  return seconds < 5400 ? MINUTES.format(Math.ceil(seconds / 60)) : HOURS.format(seconds / 3600);
}

export const formatLeft = (seconds) => t("left", { time: formatTime(seconds) });

// Describes the MP3 in a few characters: "V2 · stereo · 44.1 kHz".
export function formatTarget({ quality, bitrate_kbps, channels, sample_rate_hz }) {
  const rate = bitrate_kbps ? String(bitrate_kbps) : `V${quality}`;
  return [rate, t(channels === 1 ? "mono" : "stereo"), formatKilohertz(sample_rate_hz)].join(" · ");
}
