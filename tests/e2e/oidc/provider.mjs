// A real OpenID provider on loopback for the tests: npm's oidc-provider (certified), with TLS.
//
// usage: node provider.mjs SETTINGS.json       (written by tests/e2e/harness/oidc.py)
// Prints READY, then one JSON object for every request that it has answered.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const settings = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const { default: Provider } = await import(
  pathToFileURL(path.join(settings.modules, 'oidc-provider/lib/index.js')));

// One key for each family of algorithms. The file stays over a restart; without it there are new keys: a rotation.
function keys() {
  if (!existsSync(settings.keys)) {
    const made = [
      ['rsa', { modulusLength: 2048 }],
      ['ec', { namedCurve: 'P-256' }],
      ['ec', { namedCurve: 'P-384' }],
      ['ec', { namedCurve: 'P-521' }],
      ['ed25519', {}],
    ].map(([type, options]) => ({
      ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }),
      kid: randomBytes(8).toString('hex'),
      use: 'sig',
    }));
    writeFileSync(settings.keys, JSON.stringify({ keys: made }), { mode: 0o600 });
  }
  return JSON.parse(readFileSync(settings.keys, 'utf8'));
}

const provider = new Provider(settings.issuer, {
  jwks: keys(),
  cookies: { keys: [randomBytes(16).toString('hex')] },
  clients: settings.clients,
  scopes: ['openid', 'profile', 'email', 'groups'],
  claims: {
    openid: ['sub'], profile: ['name', 'preferred_username'], email: ['email', 'email_verified'], groups: ['groups'],
  },
  conformIdTokenClaims: false, // groups and email are wanted in the ID token itself
  ttl: { DeviceCode: 600, ClientCredentials: 600, IdToken: 600, ...settings.ttl },
  findAccount: (_, sub) => ({ accountId: sub, claims: async () => ({ sub, ...settings.accounts[sub] }) }),
  extraTokenClaims: (_, token) => settings.client_claims[token.clientId],
  features: {
    clientCredentials: { enabled: true },
    deviceFlow: { enabled: true },
    devInteractions: { enabled: true }, // pages for login and consent that take any password
    resourceIndicators: {
      enabled: true,
      // "urn:gatehouse:ES384": a JWT for the audience `gatehouse`, signed so.
      getResourceServerInfo: (_, resource) => ({
        scope: 'enrol',
        audience: settings.audience,
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: resource.split(':').pop() } },
      }),
    },
  },
});

let slowDowns = settings.slow_downs; // so many polls that come while the person thinks are told to come less often

// What this provider never does by itself, but others do.
function asOthersDo(ctx) {
  if (ctx.path.endsWith('/openid-configuration')) ctx.body = { ...ctx.body, ...settings.discovery };
  if (ctx.path === '/device/auth' && ctx.status === 200 && settings.interval) ctx.body.interval = settings.interval;
  if (ctx.body?.error === 'authorization_pending' && slowDowns > 0) {
    slowDowns -= 1;
    ctx.body.error = 'slow_down';
  }
}

provider.use(async (ctx, next) => {
  if (settings.redirects?.[ctx.path]) {
    ctx.redirect(settings.redirects[ctx.path]);
  } else {
    await next();
    asOthersDo(ctx);
  }
  console.log(JSON.stringify({
    at: Date.now() / 1000, method: ctx.method, path: ctx.path, status: ctx.status, error: ctx.body?.error,
  }));
});

const server = https.createServer(
  { key: readFileSync(settings.tls_key), cert: readFileSync(settings.tls_certificate) }, provider.callback());
server.listen(settings.port, '127.0.0.1', () => console.log('READY'));
process.on('SIGTERM', () => process.exit(0));
