// Copy buttons: `data-copy` names the element whose text is copied.

const SAID_MS = 2_000;

async function copy(button) {
  const source = document.getElementById(button.dataset.copy);
  const label = button.querySelector('span') ?? button;
  const before = label.textContent;
  try {
    await navigator.clipboard.writeText(source.textContent.trim());
    label.textContent = 'Copied';
  } catch {
    // Not allowed here: select it, so that the person can copy it.
    getSelection().selectAllChildren(source);
    label.textContent = 'Selected';
  }
  button.disabled = true;
  setTimeout(() => {
    label.textContent = before;
    button.disabled = false;
  }, SAID_MS);
}

export function startCopying() {
  for (const button of document.querySelectorAll('[data-copy]')) {
    button.hidden = false;
    button.addEventListener('click', () => copy(button));
    label(button);
  }
}

// What changes on the button is read out.
function label(button) {
  (button.querySelector('span') ?? button).setAttribute('aria-live', 'polite');
}
