// Makes times relative: "3 s ago", with the absolute one in the title. The server writes absolute
// ones, so that its HTML differs only when something has happened.

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

// How far this machine's clock is behind the hub's, in milliseconds.
let skew = 0;

export function setServerTime(now) {
  skew = now - Date.now();
}

export function makeTimesRelative() {
  const now = Date.now() + skew;
  for (const time of document.querySelectorAll("time[data-relative]")) {
    if (!time.title) time.title = `${time.textContent.trim()} UTC`;
    const text = relative(now - Number(time.dataset.ms));
    if (time.textContent !== text) time.textContent = text;
  }
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
