// The charsets that programs wrote into WAVs before UTF-8, each with some languages that use it.

import { element } from "./dom.js";
import { language, t } from "./i18n.js";

const LANGUAGES = {
  "utf-8": [],
  cp1252: ["de", "fr", "es"],
  cp1250: ["pl", "cs", "hu"],
  "iso8859-2": ["pl", "cs", "hu"],
  cp1251: ["ru", "uk", "bg"],
  "koi8-r": ["ru"],
  cp866: ["ru"],
  cp1253: ["el"],
  cp1254: ["tr"],
  cp1255: ["he"],
  cp1256: ["ar"],
  cp1257: ["lt", "lv"],
  cp874: ["th"],
  cp932: ["ja"],
  "euc-jp": ["ja"],
  gb18030: ["zh-Hans"],
  big5: ["zh-Hant"],
  cp949: ["ko"],
  "mac-roman": ["de", "fr", "es"],
};

const names = new Intl.DisplayNames(language, { type: "language" });

function describe(charset) {
  const known = LANGUAGES[charset].map((each) => names.of(each));
  return known.length ? `${charset} (${known.join(", ")})` : charset;
}

// Returns the choices of `tag_charset`. The empty one lets the service guess.
export const charsetChoices = () => [
  element("option", { value: "", textContent: t("charsetGuessed") }),
  ...Object.keys(LANGUAGES).map((value) => element("option", { value, textContent: describe(value) })),
];
