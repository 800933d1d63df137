// Live regions: `<section id data-live="run node" data-live-id>` is fetched anew with its page when a
// hint of one of its kinds comes, and swapped for the region of the same id. What changes without hints, as counts of
// calls do, says with `data-every` after how many seconds it is fetched anew.

import { notice, onHint } from './events.js';

const DEBOUNCE_MS = 300;
const INTERVAL_MS_MIN = 1_000;

// SECURITY: the only place where text becomes elements. It is a page of this server, fetched from
// this origin, in which the server escaped every value; no script in it ever runs, because
// DOMParser's documents do not run scripts and the policy forbids inline ones.
const policy = globalThis.trustedTypes?.createPolicy('wardroom', { createHTML: (text) => text });

const waiting = new Set();
let timer = null;
let last = 0;
let fetching = false;

function regions() {
  return [...document.querySelectorAll('[data-live][id]')];
}

function wants(region, hint) {
  if (hint.kind === 'all') return true;
  if (!region.dataset.live.split(' ').includes(hint.kind)) return false;
  // A kind without ids, such as audit, concerns all of its regions.
  return !region.dataset.liveId || hint.id === undefined || region.dataset.liveId === hint.id;
}

const fetched = new Map();

/** Whether a region that is fetched now and then is due. */
function isDue(region) {
  const seconds = Number(region.dataset.every);
  if (!(seconds > 0)) return false;
  const at = fetched.get(region.id) ?? last;
  if (Date.now() - at < seconds * 1000) return false;
  fetched.set(region.id, Date.now());
  return true;
}

/** Whether a person is at work inside: then nothing is taken from under their hands. */
function isBusy(region) {
  const active = document.activeElement;
  const typing = active && region.contains(active) && active.matches('input, select, textarea');
  const changed = [...region.querySelectorAll('textarea, input:not([type="hidden"])')].some(
    (field) => field.value !== field.defaultValue,
  );
  const selecting = !getSelection().isCollapsed && region.contains(getSelection().anchorNode);
  return typing || changed || selecting || region.querySelector('form[data-sent], dialog[open]') !== null;
}

function swap(region, fresh) {
  if (region.isEqualNode(fresh)) return;
  const active = document.activeElement;
  const focused = active && region.contains(active) ? active : null;
  const path = focused ? address(focused, region) : null;
  for (const details of region.querySelectorAll('details[id][open]')) {
    fresh.querySelector(`#${CSS.escape(details.id)}`)?.setAttribute('open', '');
  }
  const made = document.importNode(fresh, true);
  region.replaceWith(made);
  if (path) find(made, path)?.focus({ preventScroll: true });
}

/** How to find an element again: by its id, or by where its link or form leads. */
function address(element, region) {
  if (element.id) return `#${CSS.escape(element.id)}`;
  const href = element.getAttribute('href');
  if (href) return `a[href="${CSS.escape(href)}"]`;
  if (element.matches('summary')) {
    const details = element.closest('details[id]');
    return details && region.contains(details) ? `#${CSS.escape(details.id)} > summary` : null;
  }
  return null;
}

function find(region, path) {
  return region.querySelector(path);
}

async function refresh() {
  timer = null;
  if (document.hidden || fetching) return;
  fetching = true;
  last = Date.now();
  const ids = [...waiting];
  waiting.clear();
  try {
    const response = await fetch(location.href, { headers: { accept: 'text/html' }, cache: 'no-store' });
    if (new URL(response.url).pathname === '/sign-in' || response.status === 401) {
      notice('Your session has ended.', { href: location.href, text: 'Sign in again' });
      return;
    }
    if (!response.ok) return;
    const text = await response.text();
    const page = new DOMParser().parseFromString(policy ? policy.createHTML(text) : text, 'text/html');
    for (const id of ids) {
      const region = document.getElementById(id);
      const fresh = page.getElementById(id);
      if (!region || !fresh) continue;
      if (isBusy(region)) waiting.add(id);
      else swap(region, fresh);
    }
    document.title = page.title;
  } catch {
    // The connection is gone: the event stream notices and tells.
    for (const id of ids) waiting.add(id);
  } finally {
    fetching = false;
    if (waiting.size > 0) plan();
  }
}

function plan() {
  if (timer !== null || document.hidden || fetching) return;
  const pause = Math.max(DEBOUNCE_MS, last + INTERVAL_MS_MIN - Date.now());
  timer = setTimeout(refresh, pause);
}

export function startLive() {
  if (regions().length === 0) return;
  onHint((hint) => {
    for (const region of regions()) if (wants(region, hint)) waiting.add(region.id);
    if (waiting.size > 0) plan();
  });
  setInterval(() => {
    if (document.hidden) return;
    for (const region of regions()) if (isDue(region)) waiting.add(region.id);
    if (waiting.size > 0) plan();
  }, INTERVAL_MS_MIN);
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) return;
    for (const region of regions()) waiting.add(region.id);
    plan();
  });
}
