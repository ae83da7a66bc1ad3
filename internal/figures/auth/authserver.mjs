// An authorization server on a loopback port: oidc-provider with open registration, rotating refresh tokens and access
// tokens that are JWTs for one resource. Its users are whoever the browser says it is.
//
//	node authserver.mjs MODULES ACCESS_TOKEN_SECONDS
//
// MODULES is the node_modules directory that holds oidc-provider. The issuer is printed on a line of its own. The
// process ends with its standard input.
//
// A browser names its user in the field X-Browser-User, and refuses consent with X-Browser-Denies: there is no form.
// GET /admin/counters tells what happened so far, DELETE /admin/clients/ID makes the server forget a client.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { pathToFileURL } from 'node:url';

const [modules, seconds] = process.argv.slice(2);
const { default: Provider } = await import(pathToFileURL(`${modules}/oidc-provider/lib/index.js`));

const counters = {
  registrations: 0, authorizations: 0, denials: 0, codes: 0, refreshes: 0, reuses: 0, errors: {}, users: {},
};

// The provider's own memory forgets what is beyond a thousand entries.
const entries = new Map();
class Memory {
  constructor(model) { this.model = model; }
  key(id) { return `${this.model}:${id}`; }
  async upsert(id, payload, ttl) {
    entries.set(this.key(id), { payload, ends: ttl ? Date.now() + ttl * 1000 : Infinity });
    if (this.model === 'Session') entries.set(`uid:${payload.uid}`, id);
  }
  async find(id) {
    const found = entries.get(this.key(id));
    return found && found.ends > Date.now() ? found.payload : undefined;
  }
  async findByUid(uid) { return this.find(entries.get(`uid:${uid}`)); }
  async findByUserCode() { return undefined; }
  async consume(id) { entries.get(this.key(id)).payload.consumed = Math.floor(Date.now() / 1000); }
  async destroy(id) { entries.delete(this.key(id)); }
  async revokeByGrantId(grant) {
    for (const [key, { payload }] of entries) if (payload?.grantId === grant) entries.delete(key);
  }
}

const server = createServer();
await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
const issuer = `http://127.0.0.1:${server.address().port}`;
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });

const provider = new Provider(issuer, {
  adapter: Memory,
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'figures', alg: 'RS256', use: 'sig' }] },
  cookies: { keys: [randomBytes(32).toString('hex')] },
  clientDefaults: { grant_types: ['authorization_code', 'refresh_token'] },
  pkce: { required: () => true },
  features: {
    devInteractions: { enabled: false },
    registration: { enabled: true },
    revocation: { enabled: true },
    clientIdMetadataDocument: { enabled: true, ack: 'draft-02' },
    resourceIndicators: {
      enabled: true,
      // A token request that names no resource gets a token for none, which the resource refuses.
      useGrantedResource: () => false,
      getResourceServerInfo: (ctx, resource) => ({
        scope: 'tools',
        audience: resource,
        accessTokenTTL: Number(seconds),
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: 'RS256' } },
      }),
    },
  },
  findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  issueRefreshToken: (ctx, client) => client.grantTypeAllowed('refresh_token'),
  expiresWithSession: () => false,
  rotateRefreshToken: true,
});

const failed = (ctx, err) => {
  const why = err.error_detail ?? err.error_description ?? err.error ?? err.message;
  counters.errors[why] = (counters.errors[why] ?? 0) + 1;
  if (why === 'refresh token already used') counters.reuses += 1;
};
provider.on('registration_create.success', () => { counters.registrations += 1; });
provider.on('authorization.success', (ctx) => {
  counters.authorizations += 1;
  const user = (counters.users[ctx.oidc.session.accountId] ??= { authorizations: 0, clients: [] });
  user.authorizations += 1;
  user.clients.push(ctx.oidc.client.clientId);
});
provider.on('grant.success', (ctx) => {
  counters[ctx.oidc.params.grant_type === 'refresh_token' ? 'refreshes' : 'codes'] += 1;
});
for (const event of ['grant.error', 'authorization.error', 'registration_create.error', 'server_error']) {
  provider.on(event, failed);
}

async function interact(req, res) {
  const user = req.headers['x-browser-user'];
  const { params } = await provider.interactionDetails(req, res);
  if (!user || req.headers['x-browser-denies']) {
    counters.denials += 1;
    await provider.interactionFinished(req, res, { error: 'access_denied', error_description: 'the user refused' });
    return;
  }
  const grant = new provider.Grant({ accountId: user, clientId: params.client_id });
  grant.addOIDCScope('openid offline_access');
  for (const resource of [params.resource].flat().filter(Boolean)) grant.addResourceScope(resource, 'tools');
  const result = { login: { accountId: user }, consent: { grantId: await grant.save() } };
  await provider.interactionFinished(req, res, result, { mergeWithLastSubmission: false });
}

function admin(req, res) {
  const client = /^\/admin\/clients\/([^/]+)$/.exec(req.url);
  if (req.method === 'GET' && req.url === '/admin/counters') {
    res.setHeader('Content-Type', 'application/json').end(JSON.stringify(counters));
  } else if (req.method === 'DELETE' && client) {
    res.writeHead(entries.delete(`Client:${decodeURIComponent(client[1])}`) ? 204 : 404).end();
  } else {
    res.writeHead(404).end();
  }
}

const handle = provider.callback();
server.on('request', (req, res) => {
  if (req.url.startsWith('/admin/')) return admin(req, res);
  if (!req.url.startsWith('/interaction/')) return handle(req, res);
  return interact(req, res).catch((err) => res.writeHead(500).end(String(err)));
});
process.stdin.resume().on('end', () => process.exit(0));
console.log(issuer);
