// An OpenID Provider that none of us wrote: the certified npm package
// oidc-provider, with as little of our own around it as it allows. It listens
// on loopback, keeps everything in memory, and takes any name and password on
// its own development pages.
//
//	node provider.mjs '{"issuer": "http://idp.localhost:8080", "clients": [...], ...}'
//
//	issuer          what the browser and the clients call it; plain http
//	port            where it listens on 127.0.0.1; 0 or none: a free one
//	clients         registrations, as in OIDC Dynamic Client Registration §2; what
//	                a client must do (PAR, DPoP, private_key_jwt) is said there
//	accessSeconds   life of the access token that a code brings; 60 if none
//	renewedSeconds  life of one that a refresh token brings; as accessSeconds if none
//	dpopNonce       whether every DPoP proof must hold a nonce of ours (RFC 9449 §8)
//	resources       {indicator: scopes} of the APIs that get JWTs (RFC 8707)
//	fapi            whether the FAPI 2.0 Security Profile's rules hold too
//	userinfoOnly    whether the claims of profile and email are behind userinfo,
//	                instead of in the ID token (OIDC Core §5.4): its own default too
//	strictOffline   refresh tokens only for offline_access, which needs
//	                prompt=consent (OIDC Core §11): this package's own default
//
// Standard output has one JSON object a line: first {"ready": port}, then an
// {"event": name, ...} for what the package tells of itself. No token is in
// them. It ends when its standard input does.
import * as crypto from 'node:crypto';
import process from 'node:process';

console.info = console.error; // the package's notices are not for our standard output
const { Provider, errors } = await import('oidc-provider');

const config = JSON.parse(process.argv[2] ?? '{}');
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

const key = (type, options) => ({
  ...crypto.generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }), use: 'sig',
});

const provider = new Provider(config.issuer, {
  clients: config.clients,
  jwks: { keys: [key('rsa', { modulusLength: 2048 }), key('ec', { namedCurve: 'P-256' })] },
  cookies: { keys: [crypto.randomBytes(32).toString('base64url')] },

  findAccount: (ctx, sub) => ({
    accountId: sub,
    claims: () => ({ sub, name: `${sub} of another house`, email: `${sub}@example.org`, email_verified: true }),
  }),
  claims: { openid: ['sub'], profile: ['name'], email: ['email', 'email_verified'] },
  conformIdTokenClaims: config.userinfoOnly === true,

  pkce: { required: () => true },
  rotateRefreshToken: true, // one that was used is dead, and using it again ends its grant (RFC 9700 §4.14.2)
  ...(config.strictOffline ? undefined : { issueRefreshToken: (ctx, client) => client.grantTypeAllowed('refresh_token') }),
  ttl: {
    AccessToken: (ctx) => {
      const first = config.accessSeconds ?? 60;
      return ctx.oidc.params.grant_type === 'refresh_token' ? config.renewedSeconds ?? first : first;
    },
    IdToken: 3600, RefreshToken: 3600, Grant: 3600, Session: 3600, Interaction: 600,
  },

  features: {
    devInteractions: { enabled: true },
    introspection: { enabled: true, allowedPolicy: (ctx, client) => client.clientAuthMethod !== 'none' },
    revocation: { enabled: true },
    rpInitiatedLogout: { enabled: true },
    backchannelLogout: { enabled: true },
    pushedAuthorizationRequests: { enabled: true },
    fapi: config.fapi ? { enabled: true, profile: '2.0' } : { enabled: false },
    dPoP: { enabled: true, nonceSecret: crypto.randomBytes(32), requireNonce: () => config.dpopNonce === true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (ctx, indicator) => {
        const scope = config.resources?.[indicator];
        if (scope === undefined) throw new errors.InvalidTarget();
        return { scope, audience: indicator, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } } };
      },
    },
  },

  // It refuses to call loopback addresses, for the good of whoever runs it on
  // a public network. Ours is nothing but loopback.
  fetch: (url, options) => fetch(url, { ...options, dispatcher: undefined }),
});

for (const event of ['authorization.success', 'authorization.error', 'pushed_authorization_request.success',
  'pushed_authorization_request.error', 'grant.success', 'grant.error', 'grant.revoked', 'revocation.error',
  'introspection.error', 'end_session.success', 'end_session.error', 'server_error']) {
  provider.on(event, (ctx, problem) => {
    const { params, client } = ctx.oidc ?? {};
    say({
      event, grant: params?.grant_type, client: client?.clientId, auth: client?.clientAuthMethod,
      error: problem instanceof Error ? `${problem.message}: ${problem.error_detail ?? problem.error_description ?? ''}` : undefined,
    });
  });
}
provider.on('backchannel.success', (ctx, client) => say({ event: 'backchannel.success', client: client.clientId }));
provider.on('backchannel.error', (ctx, error, client) => say({ event: 'backchannel.error', client: client.clientId, error: String(error) }));

const server = provider.listen(config.port ?? 0, '127.0.0.1', () => say({ ready: server.address().port }));
process.stdin.on('end', () => process.exit(0)).resume();
