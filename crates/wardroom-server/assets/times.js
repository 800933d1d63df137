// Keeps «3 min ago» true while the page is open. Says the same as the server does.

const TICK_MS = 10_000;

const UNITS = [
  [86_400, 'd'],
  [3_600, 'h'],
  [60, 'min'],
  [1, 's'],
];

function rough(seconds) {
  const [size, unit] = UNITS.find(([least]) => seconds >= least) ?? [1, 's'];
  return `${Math.floor(seconds / size)} ${unit}`;
}

function ago(at, now) {
  const seconds = Math.floor((now - at) / 1000);
  if (seconds < 0) return `in ${rough(-seconds)}`;
  return seconds < 5 ? 'just now' : `${rough(seconds)} ago`;
}

function tick() {
  if (document.hidden) return;
  const now = Date.now();
  for (const time of document.querySelectorAll('time[data-ago]')) {
    const at = Date.parse(time.dateTime);
    if (!Number.isNaN(at)) time.textContent = ago(at, now);
  }
}

export function startTimes() {
  setInterval(tick, TICK_MS);
  document.addEventListener('visibilitychange', tick);
}
