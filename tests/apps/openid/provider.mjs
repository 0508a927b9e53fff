// An OpenID provider on loopback: `provider.mjs FOLDER`, where FOLDER has the packages of package.json. It prints a line of
// JSON with its issuer, and another with the `kid` of its keys whenever a line on standard input has rotated them (the
// library prints notices as well, which are no JSON):
//   rotate          a new key signs, and the former one stays published
//   rotate alone    a new key signs, and is published alone
//   client JSON     people sign in for this client from now on, with any name and password: it answers with its `client_id`
// It ends with its standard input.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const { Provider } = createRequire(join(process.argv[2], 'package.json'))('oidc-provider');

// the resource that a program gets a token for unless it names another; all of them are JWTs (RFC 8707, RFC 9068)
const RESOURCE = 'https://jobs.example.com/';

const resource = (audience) => ({
  audience,
  scope: 'jobs:read',
  accessTokenFormat: 'jwt',
  accessTokenTTL: 600,
  jwt: { sign: { alg: 'RS256' } },
});

// who somebody is: `ann`, or `ann+staff+admin` with groups
const account = (name) => {
  const [user, ...groups] = name.split('+');
  const email = `${user}@example.com`;
  return { sub: name, name: `${user} of the provider`, email, email_verified: true, groups };
};

const configuration = (keys, people) => ({
  jwks: { keys },
  claims: { profile: ['name'], email: ['email', 'email_verified'], groups: ['groups'] },
  scopes: ['openid', 'profile', 'email', 'groups', 'offline_access', 'jobs:read'],
  cookies: { keys: ['a key for the cookies of the provider of the tests'] },
  findAccount: (_, id) => ({ accountId: id, claims: () => account(id) }),
  // its own dispatcher refuses loopback addresses, where the gateway of a test is
  fetch: (url, { dispatcher, ...options }) => fetch(url, options),
  issueRefreshToken: (_, client) => client.grantTypeAllowed('refresh_token'),
  clients: [
    ...people,
    {
      client_id: 'nightly job',
      client_secret: 'the secret of the nightly job',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      token_endpoint_auth_method: 'client_secret_post',
    },
  ],
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: true },
    registration: { enabled: true },
    backchannelLogout: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: (_, client) => (client.grantTypeAllowed('client_credentials') ? RESOURCE : undefined),
      getResourceServerInfo: (_, indicator) => resource(indicator),
    },
  },
  ttl: { ClientCredentials: 600 },
  extraTokenClaims: () => ({ 'jobs.example.com': { roles: ['recruiter'] } }),
});

let made = 0;

function newKey() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  made += 1;
  return { ...privateKey.export({ format: 'jwk' }), kid: `key-${made}`, use: 'sig', alg: 'RS256' };
}

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

const server = createServer((request, response) => answer(request, response));
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  let keys = [newKey()];
  const people = [];
  // a provider has the keys that it was made with
  const restart = () => {
    answer = new Provider(issuer, configuration(keys, people)).callback();
  };
  restart();
  say({ issuer });
  createInterface({ input: process.stdin })
    .on('line', (line) => {
      if (line.startsWith('client ')) {
        const client = JSON.parse(line.slice('client '.length));
        people.push(client);
        restart();
        say({ client: client.client_id });
        return;
      }
      keys = line === 'rotate alone' ? [newKey()] : [newKey(), ...keys];
      restart();
      say({ keys: keys.map((key) => key.kid) });
    })
    .on('close', () => process.exit(0));
});
let answer;
