// Files: a region with `data-upload` sends the files of its field there, one after the other; one with
// `data-read-into` reads a file's text into the field that it names.

async function send(path, file) {
  const headers = { 'content-type': 'application/octet-stream', accept: 'application/json' };
  const csrf = document.querySelector('meta[name="csrf-token"]')?.content;
  if (csrf) headers['x-csrf-token'] = csrf;
  const answer = await fetch(`${path}?name=${encodeURIComponent(file.name)}`, { method: 'POST', headers, body: file });
  if (answer.ok) return;
  const said = await answer.json().catch(() => undefined);
  const reason = said?.fields?.[0]?.reason ?? said?.detail ?? said?.title ?? `status ${answer.status}`;
  throw new Error(`${file.name}: ${reason}`);
}

function startSending(region) {
  const field = region.querySelector('input[type="file"]');
  const button = region.querySelector('button');
  const problem = region.querySelector('[data-upload-problem]');
  region.hidden = false;
  button.addEventListener('click', async () => {
    if (button.getAttribute('aria-disabled') === 'true') return;
    problem.hidden = true;
    if (field.files.length === 0) {
      field.focus();
      return;
    }
    button.setAttribute('aria-disabled', 'true');
    try {
      for (const file of field.files) await send(region.dataset.upload, file);
      location.reload();
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
    } finally {
      button.removeAttribute('aria-disabled');
    }
  });
}

function startReading(region) {
  const into = document.getElementById(region.dataset.readInto);
  region.hidden = false;
  region.querySelector('input[type="file"]').addEventListener('change', async (event) => {
    const [file] = event.target.files;
    if (file) into.value = await file.text();
  });
}

export function startUploads() {
  for (const region of document.querySelectorAll('[data-upload]')) startSending(region);
  for (const region of document.querySelectorAll('[data-read-into]')) startReading(region);
}
