// The player at the bottom: one audio element for all rows.

import { find, setIcon, setLabel, setText } from "./dom.js";
import { onChange } from "./entries.js";
import { formatLength, formatPosition, formatTarget } from "./format.js";
import { t } from "./i18n.js";
import { shownEntries, showPlaying } from "./list.js";
import { startMediaSession } from "./media_session.js";
import { showNotice } from "./notices.js";
import { drawPeaks, loadPeaks } from "./waveform.js";
import { titleOf } from "./row.js";
import { showPosition } from "./row_waveforms.js";

const STEP_S = 5;
const PAGE_S = 30;
const player = find("#player");
const audio = find("audio", player);
const slider = find(".seek", player);
const toggleButton = find(".toggle", player);
let current = null;
let peaks = null;
let path = null;

const length_s = () => (Number.isFinite(audio.duration) ? audio.duration : (current?.record.duration_s ?? 0));

// Plays an entry from a fraction of its length, or from where it was.
export function play(entry, fraction = null) {
  if (entry !== current) load(entry);
  if (fraction !== null) audio.currentTime = fraction * entry.record.duration_s;
  audio.play().catch(({ name }) => {
    if (name !== "AbortError") showNotice(t("cannotPlay", { name: entry.name }));
  });
}

export function toggle(entry = current) {
  if (!entry) return;
  if (entry === current && !audio.paused) audio.pause();
  else play(entry);
}

export function seekBy(seconds) {
  if (current) audio.currentTime = Math.max(0, Math.min(length_s(), audio.currentTime + seconds));
}

export const isLoaded = () => current !== null;

async function load(entry) {
  current = entry;
  peaks = null;
  setSource();
  player.hidden = false;
  document.body.classList.add("playing");
  setText(find(".title", player), titleOf(entry));
  find(".title", player).title = entry.name;
  setText(find(".applied", player), entry.record.target ? formatTarget(entry.record.target) : "");
  showTime();
  const loaded = await loadPeaks(entry.id);
  if (current !== entry) return;
  peaks = loaded;
  draw();
}

function setSource() {
  path = current.path;
  audio.src = path;
}

// A link can expire while it plays. The list has a newer one then.
function goOnOrTell() {
  if (!current || !audio.error) return;
  if (current.path === path) return showNotice(t("cannotPlay", { name: current.name }));
  const { currentTime, paused } = audio;
  setSource();
  audio.currentTime = currentTime;
  if (!paused) play(current);
}

export function close() {
  const { id } = current;
  current = null;
  audio.removeAttribute("src");
  audio.load();
  player.hidden = true;
  document.body.classList.remove("playing");
  showPlaying(null);
  showPosition(id, 0);
}

// Plays the next or the previous finished row.
export function skip(step) {
  const done = shownEntries().filter(({ status }) => status === "done");
  const next = done[done.indexOf(current) + step];
  if (next) play(next);
  return Boolean(next);
}

function draw() {
  if (!current) return;
  const fraction = length_s() ? audio.currentTime / length_s() : 0;
  drawPeaks(find("canvas", slider), peaks, fraction);
  showPosition(current.id, fraction);
}

function showTime() {
  if (!current) return;
  const now = formatPosition(audio.currentTime);
  const whole = formatLength(length_s());
  setText(find(".time", player), `${now} / ${whole}`);
  slider.setAttribute("aria-valuemax", Math.round(length_s()));
  slider.setAttribute("aria-valuenow", Math.round(audio.currentTime));
  slider.setAttribute("aria-valuetext", t("positionOf", { now, whole }));
  draw();
}

function showState() {
  setIcon(toggleButton, audio.paused ? "play" : "pause");
  setLabel(toggleButton, t(audio.paused ? "play" : "pause"));
  showPlaying(current && { entry: current, isPlaying: !audio.paused });
}

function seekTo({ clientX }) {
  const { left, width } = slider.getBoundingClientRect();
  audio.currentTime = Math.max(0, Math.min(1, (clientX - left) / width)) * length_s();
}

function seekByKey(event) {
  const target_s = {
    ArrowRight: audio.currentTime + STEP_S,
    ArrowUp: audio.currentTime + STEP_S,
    ArrowLeft: audio.currentTime - STEP_S,
    ArrowDown: audio.currentTime - STEP_S,
    PageUp: audio.currentTime + PAGE_S,
    PageDown: audio.currentTime - PAGE_S,
    Home: 0,
    End: length_s(),
  }[event.key];
  if (target_s === undefined) return;
  event.preventDefault();
  event.stopPropagation();
  audio.currentTime = Math.max(0, Math.min(length_s(), target_s));
}

function startSlider() {
  slider.addEventListener("keydown", seekByKey);
  slider.addEventListener("pointerdown", (event) => {
    slider.setPointerCapture(event.pointerId);
    seekTo(event);
  });
  slider.addEventListener("pointermove", (event) => slider.hasPointerCapture(event.pointerId) && seekTo(event));
}

// The entry can be deleted, or converted again, while it plays.
function followEntry(changed) {
  if (current && changed.has(current) && (current.isRemoved || current.isHidden || current.status !== "done")) close();
}

export function startPlayer() {
  toggleButton.onclick = () => toggle();
  find(".previous", player).onclick = () => (audio.currentTime > STEP_S ? seekBy(-length_s()) : skip(-1));
  find(".next", player).onclick = () => skip(1);
  find(".close", player).onclick = close;
  for (const event of ["play", "pause"]) audio.addEventListener(event, showState);
  for (const event of ["timeupdate", "seeking", "loadedmetadata"]) audio.addEventListener(event, showTime);
  audio.addEventListener("ended", () => skip(1));
  audio.addEventListener("error", goOnOrTell);
  addEventListener("resize", draw);
  startSlider();
  startMediaSession(audio, () => current && titleOf(current), { skip, seekBy });
  onChange(followEntry);
}
