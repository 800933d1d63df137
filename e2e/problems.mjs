// What a browser context complains about. Nothing is ignored unless a test allowed it beforehand.

import assert from 'node:assert/strict';

const MARK = 'wardroom-csp-violation';

/**
 * Watches every page of the context. Answers `{ all(), allow(pattern), assertNone() }`.
 *
 * `allow(pattern)` lets problems pass that the test brings about on purpose, such as
 * `problems.allow(/status of 401/)` before a wrong password.
 */
export async function watchProblems(context, origin) {
  const found = [];
  const allowed = [];
  const add = (kind, text) => found.push(`${kind}: ${text}`);

  // A violation is also a console error in Chromium; the event tells the directive and the source.
  await context.addInitScript((mark) => {
    document.addEventListener('securitypolicyviolation', (event) => {
      const { violatedDirective, blockedURI, sourceFile, lineNumber, sample } = event;
      console.error(mark, violatedDirective, blockedURI, `${sourceFile}:${lineNumber}`, sample);
    });
  }, MARK);

  context.on('console', (message) => {
    const text = message.text();
    if (text.startsWith(MARK)) add('csp', text.slice(MARK.length + 1));
    else if (message.type() === 'error') add('console', `${text} (${message.location().url})`);
  });
  context.on('weberror', (error) => add('page error', String(error.error())));
  context.on('request', (request) => {
    const url = new URL(request.url());
    const isOwn = url.origin === origin || ['data:', 'blob:', 'about:'].includes(url.protocol);
    if (!isOwn) add('foreign request', `${request.method()} ${request.url()}`);
  });
  context.on('requestfailed', (request) => {
    const reason = request.failure()?.errorText ?? 'unknown';
    if (!isBrokenOffByLeaving(request, reason)) add('request failed', `${request.url()} ${reason}`);
  });
  context.on('response', (response) => {
    if (response.status() >= 500) add('response', `${response.status()} ${response.url()}`);
  });

  const left = () => found.filter((text) => !allowed.some((pattern) => pattern.test(text)));
  return {
    all: () => [...found],
    allow: (pattern) => allowed.push(pattern),
    assertNone: () => assert.deepEqual(left(), [], 'the browser noticed problems'),
  };
}

// Leaving a page ends its event stream and its open fetches, and a download ends a navigation.
// Styles, scripts and images have no such excuse.
function isBrokenOffByLeaving(request, reason) {
  return (
    reason === 'net::ERR_ABORTED' &&
    ['eventsource', 'fetch', 'xhr', 'document'].includes(request.resourceType())
  );
}
