// Sign-in through a real OpenID provider: accounts that come with it, roles that follow it, keys that change, and a
// sign-out there that ends the session here.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';

import { SignJWT, exportJWK, generateKeyPair, importJWK } from 'jose';
import Provider from 'oidc-provider';

import { look, walk } from './look.mjs';

const TEST_MS_MAX = 300_000;
const PARTY = 'https://app.example.org';

async function signingKey() {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  return { ...(await exportJWK(privateKey)), kid: randomUUID(), use: 'sig', alg: 'RS256' };
}

/** POSTs to a server whose certificate is by an authority of its own. */
const post = (url, options) =>
  new Promise((resolve, reject) => {
    const request = https.request(url, { method: 'POST', headers: Object.fromEntries(new Headers(options.headers)), rejectUnauthorized: false }, (answer) => {
      answer.resume();
      answer.on('end', () => resolve(new Response(null, { status: answer.statusCode })));
    });
    request.on('error', reject);
    request.end(String(options.body));
  });

/** A provider on loopback; `person` is whoever signs in there next. */
async function openProvider() {
  const people = {
    alice: { name: 'Alice Harbour', preferred_username: 'Alice@Harbour', email: 'alice@example.org', email_verified: true, groups: ['ops'] },
    carol: { name: 'Carol', email: 'carol@example.org', email_verified: false, groups: ['others'] },
  };
  const self = { person: 'alice', people, logouts: [] };
  let serve;
  const server = http.createServer((request, response) => serve(request, response));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  self.issuer = `http://127.0.0.1:${server.address().port}`;
  // What it remembers outlives a change of its keys.
  const rows = new Map();
  class Memory {
    constructor(model) { this.model = model; }
    async upsert(id, payload) { rows.set(`${this.model}:${id}`, payload); }
    async find(id) { return rows.get(`${this.model}:${id}`); }
    async findByUid(uid) { return [...rows].find(([key, payload]) => key.startsWith('Session:') && payload.uid === uid)?.[1]; }
    async consume(id) { rows.get(`${this.model}:${id}`).consumed = Math.floor(Date.now() / 1000); }
    async destroy(id) { rows.delete(`${this.model}:${id}`); }
    async revokeByGrantId(grant) { for (const [key, payload] of rows) if (payload.grantId === grant) rows.delete(key); }
  }
  self.start = async (url) => {
    const key = await signingKey();
    self.key = key;
    const provider = new Provider(self.issuer, {
      adapter: Memory,
      jwks: { keys: [key] },
      clients: [{
        client_id: 'wardroom',
        client_secret: 'wardroom-secret: with & signs',
        redirect_uris: [`${url}/sign-in/oidc/callback`],
        backchannel_logout_uri: `${url}/oidc/backchannel-logout`,
        backchannel_logout_session_required: true,
      }],
      fetch: async (to, options) => {
        const answer = await post(to, options);
        self.logouts.push(answer.status);
        return answer;
      },
      pkce: { required: () => true },
      claims: { openid: ['sub'], profile: ['name', 'preferred_username'], email: ['email', 'email_verified'], groups: ['groups'] },
      scopes: ['openid', 'groups'],
      conformIdTokenClaims: false,
      findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...people[id] }) }),
      cookies: { keys: ['only for this walk'] },
      interactions: { url: (_, { uid }) => `/auto/${uid}` },
      loadExistingGrant: async ({ oidc }) => {
        const grant = new provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
        grant.addOIDCScope('openid profile email groups');
        await grant.save();
        return grant;
      },
      ttl: { Grant: 3600, Session: 3600, Interaction: 600, IdToken: 600, AccessToken: 600 },
      features: {
        devInteractions: { enabled: false },
        backchannelLogout: { enabled: true },
        rpInitiatedLogout: {
          enabled: true,
          logoutSource: (ctx, form) => { ctx.body = `<!doctype html><title>Out</title>${form}<button form="op.logoutForm" name="logout" value="yes">Yes</button>`; },
          postLogoutSuccessSource: (ctx) => { ctx.body = '<!doctype html><title>Out</title><h1>Signed out there</h1>'; },
        },
      },
    });
    const callback = provider.callback();
    serve = async (request, response) => {
      if (!request.url.startsWith('/auto/')) return callback(request, response);
      const login = { login: { accountId: self.person, amr: ['pwd'] } };
      return provider.interactionFinished(request, response, login, { mergeWithLastSubmission: false });
    };
  };
  /** A session token such as an application of the provider's sends along. */
  self.sessionToken = async (sub, azp, more = {}) =>
    new SignJWT({ azp, sid: 'sess_1', ...more })
      .setProtectedHeader({ alg: 'RS256', kid: self.key.kid, typ: 'JWT' })
      .setIssuer(self.issuer)
      .setSubject(sub)
      .setIssuedAt()
      .setExpirationTime('60s')
      .sign(await importJWK(self.key, 'RS256'));
  self.close = () => new Promise((resolve) => { server.closeAllConnections(); server.close(resolve); });
  return self;
}

test('people come through an OpenID provider, with the role that they have there, and go with it', { timeout: TEST_MS_MAX }, async () => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'wardroom-oidc-'));
  const provider = await openProvider();
  const secret = path.join(folder, 'secret');
  await writeFile(secret, 'wardroom-secret: with & signs\n', { mode: 0o600 });
  const settings = {
    oidc_issuer: provider.issuer,
    oidc_client_id: 'wardroom',
    oidc_client_secret_file: secret,
    oidc_label: 'Harbour ID',
    oidc_scope: 'openid profile email groups',
    oidc_role_claim: 'groups',
    oidc_roles: 'ops=operator,leads=manager',
    oidc_session_parties: PARTY,
    outbound_allow: '127.0.0.1',
  };
  const args = Object.entries(settings).flatMap(([name, value]) => ['--set', `${name}=${value}`]);
  try {
    await walk(
      async ({ page, signIn, openPerson, wardroom }) => {
        await provider.start(wardroom.url);
        const alice = await openPerson();
        alice.problems.allow(/127\.0\.0\.1/);
        alice.problems.allow(/status of 401/);
        const enter = async (next = '/') => {
          await alice.page.goto(`/sign-in?next=${encodeURIComponent(next)}`);
          await alice.page.getByRole('link', { name: 'Sign in with Harbour ID' }).click();
        };
        await alice.page.goto('/sign-in');
        await look(alice.page, 'sign-in-outside');
        await enter('/nodes');
        await alice.page.waitForURL((url) => url.pathname === '/nodes');
        await alice.page.getByText('alice', { exact: true }).first().waitFor();
        await alice.page.goto('/account');
        assert.equal(await alice.page.locator('[name="email"]').inputValue(), 'alice@example.org');

        await signIn();
        await page.goto('/users');
        await page.getByRole('link', { name: 'alice', exact: true }).click();
        await page.getByText('Alice Harbour, operator').waitFor();
        await page.goto('/audit?action=user.vouched');
        await page.getByRole('link', { name: 'user.vouched' }).waitFor();

        // The role follows the provider, whose keys are new by now; nothing is asked again but the role.
        provider.people.alice.groups = ['ops', 'leads'];
        await provider.start(wardroom.url);
        await alice.context.clearCookies({ domain: 'localhost' });
        await enter('/users');
        await alice.page.waitForURL((url) => url.pathname === '/users');
        await alice.page.getByRole('link', { name: 'alice', exact: true }).waitFor();

        // A fresh proof is one at the provider.
        await alice.page.goto('/account/prove?next=/account');
        await look(alice.page, 'prove-outside');
        await alice.page.getByRole('link', { name: 'Sign in again with Harbour ID' }).click();
        await alice.page.waitForURL((url) => url.pathname === '/account');

        // Signing out there ends the session here.
        await alice.page.goto(`${provider.issuer}/session/end`);
        await alice.page.getByRole('button', { name: 'Yes' }).click();
        await alice.page.getByText('Signed out there').waitFor();
        assert.deepEqual([...new Set(provider.logouts)], [200]);
        await alice.page.goto('/nodes');
        await alice.page.waitForURL((url) => url.pathname === '/sign-in');

        // Who has no role gets in nowhere, and an answer to nothing is none.
        provider.person = 'carol';
        await enter();
        await alice.page.getByText('Nothing that the provider says about you gives you a role').waitFor();
        await look(alice.page, 'no-role-outside');
        await alice.page.goto('/sign-in/oidc/callback?code=x&state=y');
        await alice.page.getByText('The sign-in did not come through').waitFor();

        // A session token of an application of the provider's is taken as it should be and no other.
        const whoami = async (token) => {
          const answer = await page.context().request.get('/api/v1/whoami', { headers: { authorization: `Bearer ${token}`, cookie: '' } });
          return [answer.status(), (await answer.json()).credential];
        };
        const claims = { groups: ['leads'] };
        assert.deepEqual(await whoami(await provider.sessionToken('alice', PARTY, claims)), [200, 'outside']);
        assert.equal((await whoami(await provider.sessionToken('alice', 'https://evil.example.org', claims)))[0], 401);
        assert.equal((await whoami((await provider.sessionToken('alice', PARTY, claims)).slice(0, -4)))[0], 401);
      },
      { name: 'oidc', args },
    );
  } finally {
    await provider.close();
    await rm(folder, { recursive: true, force: true });
  }
});
