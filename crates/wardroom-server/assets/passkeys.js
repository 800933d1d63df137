// Passkeys: buttons with `data-passkey` carry out a ceremony and go on to `data-next`. `sign-in` opens a
// session, `prove` proves whose this one is, `add` makes a new passkey named by the field `data-name`.

const ROUTES = {
  'sign-in': ['/api/v1/login/passkey', '/sign-in/passkey'],
  prove: ['/api/v1/session/passkey', '/api/v1/session/passkey/finish'],
  add: ['/api/v1/account/factors/passkey', '/api/v1/account/factors/passkey/finish'],
};

async function post(path, body) {
  const headers = { 'content-type': 'application/json', accept: 'application/json' };
  const csrf = document.querySelector('meta[name="csrf-token"]')?.content;
  if (csrf) headers['x-csrf-token'] = csrf;
  const answer = await fetch(path, { method: 'POST', headers, body: JSON.stringify(body ?? {}) });
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(said.fields?.[0]?.reason ?? said.detail ?? said.title ?? `status ${answer.status}`);
  return said;
}

async function ceremony(kind, more) {
  const [begin, finish] = ROUTES[kind];
  const { state, options } = await post(begin);
  const credential = kind === 'add'
    ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) })
    : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) });
  return post(finish, { state, answer: credential.toJSON(), ...more });
}

function showCodes(codes) {
  const panel = document.querySelector('[data-passkey-codes]');
  const list = panel.querySelector('pre');
  list.textContent = codes.join('\n');
  panel.hidden = false;
  for (const other of document.querySelectorAll('[data-before-codes]')) other.hidden = true;
  panel.querySelector('a, button:not([hidden])')?.focus();
}

async function carryOut(button) {
  const problem = document.querySelector('[data-passkey-problem]');
  problem.hidden = true;
  button.setAttribute('aria-disabled', 'true');
  try {
    const name = button.dataset.name ? document.getElementById(button.dataset.name).value : undefined;
    const done = await ceremony(button.dataset.passkey, name === undefined ? {} : { name });
    if (done.recovery_codes?.length > 0) showCodes(done.recovery_codes);
    else location.assign(done.next ?? button.dataset.next ?? '/');
  } catch (error) {
    // The browser's own words for a refusal name nothing that a person could act on.
    problem.textContent = error.name === 'NotAllowedError' || error.name === 'InvalidStateError'
      ? 'The passkey was not used: it was cancelled, took too long, or is known here already.'
      : error.message;
    problem.hidden = false;
  } finally {
    button.removeAttribute('aria-disabled');
  }
}

export function startPasskeys() {
  if (!globalThis.PublicKeyCredential?.parseCreationOptionsFromJSON) return;
  for (const button of document.querySelectorAll('[data-passkey]')) {
    button.hidden = false;
    button.addEventListener('click', () => {
      if (button.getAttribute('aria-disabled') !== 'true') carryOut(button);
    });
  }
  for (const part of document.querySelectorAll('[data-with-passkeys]')) part.hidden = false;
}
