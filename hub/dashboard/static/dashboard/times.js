// Writes times as the reader has them: "3 s ago", or in the reader's zone where the server wrote
// UTC; the whole of it is in the title. The server writes absolute ones, so that its HTML differs
// only when something has happened.

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

// How far this machine's clock is behind the hub's, in milliseconds.
let skew = 0;

export function setServerTime(now) {
  skew = now - Date.now();
}

export function showTimes() {
  const now = Date.now() + skew;
  for (const time of document.querySelectorAll("time[data-ms]")) {
    const at = Number(time.dataset.ms);
    if (!time.dataset.shown) {
      time.title = absolute(at);
      if (!("relative" in time.dataset)) time.textContent = clock(at, time.textContent.length);
      time.dataset.shown = "";
    }
    if (!("relative" in time.dataset)) continue;
    const text = relative(now - at);
    if (time.textContent !== text) time.textContent = text;
  }
}

// A whole date and time; in a zone other than UTC also in that one.
function absolute(at) {
  const utc = written(at);
  const here = local(at);
  return here === utc ? `${utc} UTC` : `${here} (${utc} UTC)`;
}

// The time of day, as far as the server wrote it.
function clock(at, length) {
  return local(at, 23).slice(11, 11 + length);
}

function local(at, length) {
  return written(at - new Date(at).getTimezoneOffset() * MINUTE, length);
}

function written(at, length = 19) {
  return new Date(at).toISOString().replace("T", " ").slice(0, length);
}

function relative(age) {
  const span = Math.abs(age);
  if (span < SECOND) return "now";
  return age > 0 ? `${words(span)} ago` : `in ${words(span)}`;
}

function words(span) {
  if (span < MINUTE) return `${Math.floor(span / SECOND)} s`;
  if (span < HOUR) return `${Math.floor(span / MINUTE)} min`;
  if (span < DAY) return `${Math.floor(span / HOUR)} h`;
  return `${Math.floor(span / DAY)} d`;
}
