// Forms: a second click sends nothing, empty filters stay out of the address, and the first field
// that was refused gets the focus.

function hold(form, submitter) {
  form.dataset.sent = 'yes';
  const button = submitter ?? form.querySelector('[type="submit"]');
  if (!button) return;
  // Not `disabled`: the focus must stay where it is.
  button.setAttribute('aria-disabled', 'true');
  if (form.dataset.busy) button.textContent = form.dataset.busy;
}

function release() {
  for (const form of document.querySelectorAll('form[data-sent]')) {
    delete form.dataset.sent;
    delete form.dataset.confirmed;
    for (const button of form.querySelectorAll('[aria-disabled]')) button.removeAttribute('aria-disabled');
  }
}

function leaveOutEmpty(form) {
  const fields = [...form.elements].filter((field) => field.name && field.value === '');
  for (const field of fields) field.disabled = true;
  // Back again once the browser has read the form.
  setTimeout(() => {
    for (const field of fields) field.disabled = false;
  });
}

export function startForms() {
  document.addEventListener('submit', (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method === 'dialog') return;
    if (form.dataset.sent) {
      event.preventDefault();
    } else if (form.method === 'get') {
      leaveOutEmpty(form);
    } else {
      hold(form, event.submitter);
    }
  });
  // A page that comes back out of the browser's memory can be sent again.
  addEventListener('pageshow', (event) => {
    if (event.persisted) release();
  });
  const wrong = document.querySelector('form [aria-invalid="true"]');
  if (wrong) {
    wrong.closest('details')?.setAttribute('open', '');
    wrong.focus();
  }
}
