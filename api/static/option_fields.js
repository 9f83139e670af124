// The chips with which a person chooses the options of a conversion.

import { element } from "./dom.js";
import { formatKilohertz } from "./format.js";
import { t } from "./i18n.js";

// The usual bitrates of music in stereo at 44.1 kHz.
const QUALITIES = [[0, 245, "best"], [2, 190, "veryGood"], [4, 165, "good"], [6, 115, "speech"], [9, 65, "smallest"]];
const BITRATES_KBPS = [320, 256, 224, 192, 160, 128, 96, 64];
const RATES_HZ = [48000, 44100, 32000, 24000, 22050, 16000];
const GAINS_DB = [-24, -18, -12, -9, -6, -3, -2, -1, 0, 1, 2, 3, 6, 9, 12, 18, 24];

export const DEFAULTS = { mp3: "quality=2", channels: "", sample_rate_hz: "", gain_db: "" };

const option = (value, textContent) => element("option", { value, textContent });
const asSource = () => option("", t("asSource"));
const sign = (gain_db) => (gain_db > 0 ? "+" : gain_db < 0 ? "−" : "");
const decibels = (gain_db) => t("decibels", { value: `${sign(gain_db)}${Math.abs(gain_db)}` });

function group(label, options) {
  return element("optgroup", { label }, ...options);
}

function qualities() {
  const vbr = QUALITIES.map(([level, kbps, word]) =>
    option(`quality=${level}`, t("vbr", { level, word: t(word), kbps })),
  );
  const cbr = BITRATES_KBPS.map((kbps) => option(`bitrate_kbps=${kbps}`, t("cbr", { kbps })));
  return [group(t("variable"), vbr), group(t("constant"), cbr)];
}

const CHOICES = {
  mp3: ["quality", qualities],
  channels: ["channels", () => [asSource(), option("1", t("mono")), option("2", t("stereo"))]],
  sample_rate_hz: ["rate", () => [asSource(), ...RATES_HZ.map((rate) => option(rate, formatKilohertz(rate)))]],
  gain_db: ["gain", () => GAINS_DB.map((gain) => option(gain || "", decibels(gain)))],
};

// Returns one labelled select for each option. `changed` hears of every choice.
export function createFields(values, changed = () => {}) {
  return Object.entries(CHOICES).map(([name, [label, choices]]) => {
    const select = element("select", { name }, ...choices());
    select.value = values[name] ?? DEFAULTS[name];
    if (select.selectedIndex < 0) select.value = DEFAULTS[name];
    select.onchange = () => changed(name, select.value);
    return element("label", { className: "chip", data: { option: name } },
      element("span", { textContent: t(label) }), select);
  });
}

// Returns the query of these options.
export function toQuery({ mp3, channels, sample_rate_hz, gain_db, tags = {} }) {
  const query = new URLSearchParams(mp3);
  for (const [name, value] of Object.entries({ channels, sample_rate_hz, gain_db, ...tags })) {
    if (value) query.set(name, value);
  }
  return query.toString();
}
