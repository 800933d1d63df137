// What an agent says at the moment, as it comes; what counts is what the server shows once it is said.

import { tell } from './events.js';

const RETRY_MS = 2_000;
const NEAR_END_PX = 160;

const streams = new Map();

/** Follows the run of each conversation on the page that is under way. */
function follow() {
  const wanted = new Set();
  for (const list of document.querySelectorAll('[data-stream]')) wanted.add(list.dataset.stream);
  for (const [run, stream] of streams) {
    if (wanted.has(run)) continue;
    stream.source?.close();
    streams.delete(run);
  }
  for (const run of wanted) {
    if (streams.has(run)) continue;
    const stream = { run, source: null, step: null, text: '' };
    streams.set(run, stream);
    open(stream);
  }
}

function leave() {
  for (const stream of streams.values()) stream.source?.close();
  streams.clear();
}

function open(stream) {
  const source = new EventSource(`/api/v1/runs/${encodeURIComponent(stream.run)}/stream`);
  stream.source = source;
  source.addEventListener('saying', (event) => hear(stream, JSON.parse(event.data)));
  source.addEventListener('step', (event) => {
    const step = JSON.parse(event.data);
    if (step.kind === 'answered' || step.kind === 'asked') stream.text = '';
    // The page of the server has it: the part of the page that shows it is fetched anew.
    tell({ kind: 'run', id: stream.run });
  });
  source.addEventListener('end', () => {
    source.close();
    tell({ kind: 'run', id: stream.run });
  });
  source.addEventListener('error', () => {
    // The browser tries again by itself unless the answer was a refusal.
    if (source.readyState !== EventSource.CLOSED || streams.get(stream.run) !== stream) return;
    setTimeout(() => streams.get(stream.run) === stream && open(stream), RETRY_MS);
  });
}

function hear(stream, saying) {
  stream.text = saying.whole || saying.step !== stream.step ? saying.text : stream.text + saying.text;
  stream.step = saying.step;
  show(stream);
}

/** Says what Enter does, where that is so. */
function hint() {
  const hint = document.querySelector('[data-composer-hint]');
  if (hint) hint.hidden = matchMedia('(pointer: coarse)').matches;
}

/** Shows what is being said where the page says that the agent works. */
function show(stream) {
  if (stream.text === '') return;
  const list = document.querySelector(`[data-stream="${CSS.escape(stream.run)}"]`);
  const line = list?.querySelector('[data-working] .talk-text');
  if (!line || line.textContent === stream.text) return;
  const isNear = nearEnd();
  line.classList.remove('quiet');
  line.textContent = stream.text;
  if (isNear) scrollTo({ top: document.documentElement.scrollHeight });
}

function nearEnd() {
  const { scrollHeight, clientHeight } = document.documentElement;
  return scrollHeight - clientHeight - scrollY < NEAR_END_PX;
}

function startComposer() {
  const form = document.querySelector('form[data-composer]');
  const text = form?.querySelector('textarea');
  if (!text) return;
  const grow = () => {
    text.rows = Math.min(12, Math.max(2, text.value.split('\n').length));
  };
  text.addEventListener('input', grow);
  text.addEventListener('keydown', (event) => {
    // On a screen keyboard, Enter begins a line.
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    if (matchMedia('(pointer: coarse)').matches) return;
    event.preventDefault();
    if (text.value.trim() !== '' && document.getElementById('send')) form.requestSubmit();
  });
}

export function startChat() {
  startComposer();
  if (!document.querySelector('[data-stream], form[data-composer]')) return;
  // A page that is kept for the way back keeps no connection.
  addEventListener('pagehide', leave);
  addEventListener('pageshow', (event) => event.persisted && follow());
  follow();
  hint();
  // A part of the page that was fetched anew shows again what is being said.
  new MutationObserver(() => {
    follow();
    hint();
    for (const stream of streams.values()) show(stream);
  }).observe(document.getElementById('main'), { childList: true, subtree: true });
  if (document.querySelector('form[data-composer]')) {
    scrollTo({ top: document.documentElement.scrollHeight });
  }
}
