// Dialogs: the server can render one open without a script; here it becomes a modal one. Links with
// `data-dialog` open theirs in place, `data-close` closes the one around it. Forms with
// `data-confirm` ask first.

function openModal(dialog) {
  dialog.removeAttribute('open');
  dialog.showModal();
}

function startLinked() {
  for (const link of document.querySelectorAll('[data-dialog]')) {
    link.addEventListener('click', (event) => {
      const dialog = document.getElementById(link.dataset.dialog);
      // A dialog that shows something once has no form left: the link's page has a fresh one.
      if (!dialog?.querySelector('form')) return;
      event.preventDefault();
      openModal(dialog);
    });
  }
  for (const closer of document.querySelectorAll('dialog [data-close]')) {
    closer.addEventListener('click', (event) => {
      event.preventDefault();
      closer.closest('dialog').close();
    });
  }
  for (const dialog of document.querySelectorAll('dialog[data-modal]')) openModal(dialog);
  // The answer to a form stands at the page's own address: reloading must not send that form again.
  const once = document.querySelector('[data-once]');
  if (once) history.replaceState(null, '', once.dataset.once || location.pathname);
}

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

/** Asks `question`; answers whether the person agreed. */
function ask(question, action) {
  const dialog = element('dialog');
  const form = element('form', 'stack');
  form.method = 'dialog';
  const heading = element('h2', '', question);
  heading.id = 'confirm-question';
  dialog.setAttribute('aria-labelledby', heading.id);
  const actions = element('p', 'actions');
  const yes = element('button', 'button danger', action);
  yes.value = 'yes';
  const no = element('button', 'button', 'Keep as it is');
  no.value = 'no';
  actions.append(no, yes);
  form.append(heading, actions);
  dialog.append(form);
  document.body.append(dialog);
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      resolve(dialog.returnValue === 'yes');
      dialog.remove();
    });
    dialog.showModal();
    no.focus();
  });
}

function startConfirming() {
  document.addEventListener('submit', async (event) => {
    const form = event.target;
    if (!form.dataset.confirm || form.dataset.confirmed) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const { submitter } = event;
    if (!(await ask(form.dataset.confirm, form.dataset.confirmLabel ?? 'Go on'))) {
      submitter?.focus();
      return;
    }
    form.dataset.confirmed = 'yes';
    form.requestSubmit(submitter?.isConnected ? submitter : undefined);
  });
}

export function startDialogs() {
  startLinked();
  startConfirming();
}
