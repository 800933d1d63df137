// The one event stream of a page, shared by all who listen. A hint says only that something changed.

const SOURCE = '/api/v1/events';
const RETRY_MS = 5_000;
const NOTICE_AFTER_MS = 4_000;
const POLL_MS = 15_000;

const listeners = new Set();
let source = null;
let noticeTimer = null;
let pollTimer = null;
let paused = false;

/** Calls `listener({kind, id})` for each hint; `kind` is `all` when hints may have been missed. */
export function onHint(listener) {
  listeners.add(listener);
  if (!source) connect();
}

/** Tells all who listen, as if a hint had come. */
export function tell(hint) {
  for (const listener of listeners) listener(hint);
}

/** Shows or hides the small notice above the page. */
export function notice(text, link) {
  const place = document.getElementById('live-notice');
  if (!place) return;
  place.replaceChildren(text);
  if (link) {
    const anchor = document.createElement('a');
    anchor.href = link.href;
    anchor.textContent = link.text;
    place.append(' ', anchor);
  }
  place.hidden = text === '';
}

function connect() {
  source = new EventSource(SOURCE);
  source.addEventListener('open', opened);
  source.addEventListener('error', failed);
  source.addEventListener('message', (event) => {
    try {
      tell(JSON.parse(event.data));
    } catch {
      tell({ kind: 'all' });
    }
  });
}

function opened() {
  clearTimeout(noticeTimer);
  noticeTimer = null;
  clearInterval(pollTimer);
  pollTimer = null;
  if (paused) notice('');
  paused = false;
  // Nobody heard the hints between the making of the page, or the loss of the stream, and now.
  tell({ kind: 'all' });
}

function failed() {
  // The browser tries again by itself unless the answer was a refusal.
  if (source.readyState === EventSource.CLOSED) setTimeout(connect, RETRY_MS);
  noticeTimer ??= setTimeout(pause, NOTICE_AFTER_MS);
}

function pause() {
  paused = true;
  notice('Live updates are paused; trying to reconnect. The page is refreshed every few seconds meanwhile.');
  pollTimer ??= setInterval(() => tell({ kind: 'all' }), POLL_MS);
}

// Leaving the page closes the stream, which is not an error to tell of.
addEventListener('pagehide', () => source?.close());
addEventListener('pageshow', (event) => {
  if (event.persisted && source) connect();
});
