// A run's output as it comes: fetched from where the page left off whenever a hint of the run comes.

import { onHint } from './events.js';
import { Screen } from './terminal.js';

// The page must stay quick however much a program prints.
const LINES_MAX = 5000;
const RETRY_MS = 3_000;
// With hints this is only a safety net.
const QUIET_POLL_MS = 5_000;
const TAIL_PX = 24;

class View {
  #panel;
  #lines;
  #status;
  #follow;
  #dropped;
  #droppedCount;
  #screens;
  #attempt = null;
  #hidden;

  constructor(panel) {
    this.#panel = panel;
    this.#lines = panel.querySelector('[data-output-lines]');
    this.#status = panel.querySelector('[data-output-status]');
    this.#dropped = panel.querySelector('[data-output-dropped]');
    this.#droppedCount = panel.querySelector('[data-output-dropped-count]');
    this.#hidden = Number(this.#droppedCount.textContent) || 0;
    this.#follow = panel.querySelector('#follow');
    panel.querySelector('[data-output-tools]').hidden = false;
    this.#screens = { stdout: this.#screen('out'), stderr: this.#screen('err') };
    this.#tools();
    this.#tail();
  }

  #tools() {
    const wrap = this.#panel.querySelector('#wrap');
    wrap.addEventListener('change', () => this.#lines.classList.toggle('no-wrap', !wrap.checked));
    this.#follow.addEventListener('change', () => this.#tail());
    this.#lines.addEventListener('scroll', () => {
      const below = this.#lines.scrollHeight - this.#lines.scrollTop - this.#lines.clientHeight;
      this.#follow.checked = below < TAIL_PX;
    });
  }

  #screen(kind) {
    let line = null;
    return new Screen({
      begin: () => {
        line = this.#begin(kind);
      },
      write: (text) => line.append(text),
    });
  }

  #begin(kind) {
    const line = document.createElement('div');
    line.className = `l ${kind}`;
    this.#lines.append(line);
    return line;
  }

  append(chunks) {
    const following = this.#follow.checked;
    for (const { attempt, stream, data } of chunks) {
      if (this.#attempt !== null && this.#attempt !== attempt) {
        this.end();
        this.#begin('gap').append('next attempt');
      }
      this.#attempt = attempt;
      this.#screens[stream].feed(Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0)));
    }
    this.#bound();
    if (following) this.#tail();
  }

  end() {
    for (const screen of Object.values(this.#screens)) screen.end();
  }

  #bound() {
    const surplus = this.#lines.childElementCount - LINES_MAX;
    for (let count = 0; count < surplus; count += 1) this.#lines.firstElementChild.remove();
    if (surplus <= 0) return;
    this.#hidden += surplus;
    this.#droppedCount.textContent = this.#hidden;
    this.#dropped.hidden = false;
  }

  #tail() {
    if (this.#follow.checked) this.#lines.scrollTop = this.#lines.scrollHeight;
  }

  get isEmpty() {
    return this.#lines.childElementCount === 0;
  }

  say(text) {
    if (this.#status.textContent !== text) this.#status.textContent = text;
  }
}

class Follower {
  #run;
  #next;
  #view;
  #complete = false;
  #reading = false;
  #again = false;

  constructor(panel) {
    this.#run = panel.dataset.output;
    this.#next = panel.dataset.next;
    this.#complete = panel.dataset.complete === 'true';
    this.#view = new View(panel);
  }

  start() {
    if (this.#complete) return;
    onHint((hint) => {
      if (hint.kind === 'all' || hint.id === this.#run) this.#read();
    });
    this.#read();
    const poll = setInterval(() => {
      if (this.#complete) clearInterval(poll);
      else if (!document.hidden) this.#read();
    }, QUIET_POLL_MS);
  }

  async #read() {
    if (this.#complete) return;
    if (this.#reading) {
      this.#again = true;
      return;
    }
    this.#reading = true;
    try {
      do {
        this.#again = false;
        while (await this.#page()) {
          // There may be more at once.
        }
      } while (this.#again);
    } catch {
      this.#view.say('The output can’t be read now; trying again.');
      setTimeout(() => this.#read(), RETRY_MS);
    } finally {
      this.#reading = false;
    }
  }

  /** Reads one page; answers whether another may follow at once. */
  async #page() {
    const after = this.#next ? `?after=${encodeURIComponent(this.#next)}` : '';
    const response = await fetch(`/api/v1/runs/${this.#run}/output${after}`, {
      headers: { accept: 'application/json' },
      cache: 'no-store',
    });
    if (!response.ok) throw new Error(`output answered ${response.status}`);
    const page = await response.json();
    this.#next = page.next;
    this.#view.append(page.chunks);
    if (page.complete) {
      this.#complete = true;
      this.#view.end();
      this.#view.say(this.#view.isEmpty ? 'The run printed nothing.' : 'Complete.');
      return false;
    }
    this.#view.say(this.#view.isEmpty ? 'Nothing printed yet.' : 'More may come.');
    return page.chunks.length > 0;
  }
}

export function startOutput() {
  for (const panel of document.querySelectorAll('[data-output]')) new Follower(panel).start();
}
