// Bytes of a program's output as lines that are safe to show: terminals' escape sequences are left
// out, what is not text is written as \x1f, and characters that reorder or hide text as \u{202e}.
// The server renders what was there when the page was made by the same rules.

const LINE_CHARS_MAX = 4000;
const HIDDEN = /[\u0080-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/u;

const hex = (byte) => `\\x${byte.toString(16).padStart(2, '0')}`;

/** How many bytes the character that begins so has; 0 when nothing begins so. */
function lengthOf(byte) {
  if (byte < 0x80) return 1;
  if (byte >= 0xc2 && byte < 0xe0) return 2;
  if (byte >= 0xe0 && byte < 0xf0) return 3;
  if (byte >= 0xf0 && byte < 0xf5) return 4;
  return 0;
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** One stream. `write(text)` appends to its open line, `end()` closes that line. */
export class Screen {
  #line;
  #pending = [];
  #escape = 'none';
  #returned = false;
  #open = false;
  #chars = 0;
  #text = '';

  /** `line.begin()` makes a new line, `line.write(text)` appends to it. */
  constructor(line) {
    this.#line = line;
  }

  feed(bytes) {
    const all = this.#pending.length > 0 ? Uint8Array.from([...this.#pending, ...bytes]) : bytes;
    this.#pending = [];
    let at = 0;
    while (at < all.length) {
      const size = lengthOf(all[at]);
      if (size === 1) {
        this.#letter(String.fromCharCode(all[at]));
        at += 1;
        continue;
      }
      if (size > 0 && at + size > all.length && isPrefix(all.subarray(at))) {
        this.#pending = [...all.subarray(at)];
        break;
      }
      const letter = size > 0 ? decode(all.subarray(at, at + size)) : null;
      if (letter === null) {
        this.#write(hex(all[at]));
        at += 1;
      } else {
        this.#letter(letter);
        at += size;
      }
    }
    this.#flush();
  }

  /** What is pending will not be completed. */
  end() {
    for (const byte of this.#pending) this.#write(hex(byte));
    this.#flush();
    this.#pending = [];
    this.#escape = 'none';
    this.#returned = false;
    this.#open = false;
  }

  #letter(letter) {
    if (this.#escape !== 'none') {
      this.#escape = afterEscape(this.#escape, letter);
      return;
    }
    if (this.#returned && letter !== '\n') this.#close();
    this.#returned = false;
    const code = letter.codePointAt(0);
    if (letter === '\x1b') this.#escape = 'begun';
    else if (letter === '\n') {
      if (!this.#open) this.#write('');
      this.#close();
    } else if (letter === '\r') this.#returned = this.#open;
    else if (letter === '\t') this.#write(letter);
    else if (code < 0x20 || code === 0x7f) this.#write(hex(code));
    else if (HIDDEN.test(letter)) this.#write(`\\u{${code.toString(16)}}`);
    else this.#write(letter);
  }

  #write(text) {
    if (this.#open && this.#chars >= LINE_CHARS_MAX) this.#close();
    if (!this.#open) {
      this.#line.begin();
      this.#open = true;
      this.#chars = 0;
    }
    this.#text += text;
    this.#chars += 1;
  }

  #flush() {
    if (this.#text !== '') this.#line.write(this.#text);
    this.#text = '';
  }

  #close() {
    this.#flush();
    this.#open = false;
  }
}

function afterEscape(state, letter) {
  if (state === 'begun') {
    if (letter === '[') return 'control';
    if (']P_^X'.includes(letter)) return 'text';
    return letter >= ' ' && letter <= '/' ? 'begun' : 'none';
  }
  if (state === 'control') return letter >= ' ' && letter <= '?' ? 'control' : 'none';
  if (state === 'text') {
    if (letter === '\x1b') return 'ending';
    return letter === '\x07' || letter === '\n' ? 'none' : 'text';
  }
  return 'none';
}

function isPrefix(bytes) {
  return bytes.length < 4 && bytes.subarray(1).every((byte) => byte >= 0x80 && byte < 0xc0);
}

function decode(bytes) {
  try {
    return strict.decode(bytes);
  } catch {
    return null;
  }
}
