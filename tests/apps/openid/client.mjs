// A program that gets tokens with a user's name and API key by npm's `openid-client`: `client.mjs FOLDER GATEWAY NAME KEY`,
// where FOLDER has the packages of package.json. It finds the token endpoint by the metadata of the gateway (RFC 8414), asks by
// Basic and by the body, shows the tokens, and has the last one described and ended. It prints what came of it.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [folder, gateway, name, key] = process.argv.slice(2);
const found = createRequire(join(folder, 'package.json')).resolve('openid-client');
const client = await import(pathToFileURL(found).href);

async function discover(authentication) {
  return client.discovery(new URL(gateway), name, undefined, authentication(key), {
    algorithm: 'oauth2',
    execute: [client.allowInsecureRequests], // the test is on the loopback address
  });
}

async function show(how, authentication) {
  const config = await discover(authentication);
  const tokens = await client.clientCredentialsGrant(config, { scope: 'jobs' });
  const me = await client.fetchProtectedResource(config, tokens.access_token, new URL(`${gateway}/auth/me`), 'GET');
  const { sub, roles } = await me.json();
  console.log(how, sub, roles.join(), tokens.token_type, tokens.scope, tokens.refresh_token ?? 'no refresh token');
  return [config, tokens.access_token];
}

await show('basic', client.ClientSecretBasic);
const [config, token] = await show('body', client.ClientSecretPost);
const { active, username } = await client.tokenIntrospection(config, token);
console.log('introspected', active, username);
await client.tokenRevocation(config, token);
try {
  await client.fetchProtectedResource(config, token, new URL(`${gateway}/auth/me`), 'GET');
  console.log('still good');
} catch (error) {
  console.log(error.cause?.[0]?.parameters?.error ?? error);
}
