// The official client in a browser's page: its scripts, and functions that run in the browser.
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { answered } from './browser.mjs';

const modules = fileURLToPath(new URL('../node_modules/@microsoft/', import.meta.url));

/** The client's scripts, by what they are for. */
export const scripts = {
  'page.js': `${modules}signalr/dist/browser/signalr.min.js`,
  'worker.js': `${modules}signalr/dist/webworker/signalr.min.js`,
  'msgpack.js': `${modules}signalr-protocol-msgpack/dist/browser/signalr-protocol-msgpack.min.js`,
};

/** Transports and protocols: server-sent events carry text only. */
export const cells = [
  ['WebSockets', 'json'], ['WebSockets', 'messagepack'], ['ServerSentEvents', 'json'],
  ['LongPolling', 'json'], ['LongPolling', 'messagepack'],
];

/** Runs in the browser: a client of the hub at url, which answers what the server asks of it. */
export function newClient(signalR, { url, transport, protocol, stateful, reconnect }) {
  const builder = new signalR.HubConnectionBuilder()
    .withUrl(`${url}/hub`, { transport: signalR.HttpTransportType[transport], accessTokenFactory: () => 'user:anna' })
    .withHubProtocol(protocol === 'json' ? new signalR.JsonHubProtocol() : new signalR.protocols.msgpack.MessagePackHubProtocol())
    .configureLogging(signalR.LogLevel.None);
  if (reconnect) builder.withAutomaticReconnect(Array(60).fill(250));
  if (stateful) builder.withStatefulReconnect();
  const client = { hub: builder.build(), received: [], seq: [], reconnected: 0, closed: 0 };
  client.hub.on('Receive', (text) => client.received.push(text));
  client.hub.on('Seq', (n) => client.seq.push(n));
  client.hub.on('Ask', (x) => x * 2);
  client.hub.onreconnected(() => { client.reconnected++; });
  client.hub.onclose(() => { client.closed++; });
  return client;
}

/** Runs in the browser: does everything once and tells what came of it. */
export async function exercise(signalR, newClient, cell) {
  const { hub, received, seq } = newClient(signalR, cell);
  await hub.start();
  const collect = (stream) => new Promise((resolve, reject) => {
    const items = [];
    stream.subscribe({ next: (item) => items.push(item), error: reject, complete: () => resolve(items) });
  });
  const until = async (done) => {
    for (let i = 0; i < 400 && !done(); i++) await new Promise((resolve) => { setTimeout(resolve, 25); });
  };
  const upload = new signalR.Subject();
  const uploaded = hub.invoke('Upload', upload);
  for (const n of [1, 2, 3]) upload.next(n);
  upload.complete();
  const result = {
    echo: await hub.invoke('Echo', 'Grüße, 世界 🎉'),
    user: await hub.invoke('User'),
    sum: await hub.invoke('Add', 2, 3),
    error: await hub.invoke('Nothing').catch((error) => error.message),
    stream: await collect(hub.stream('Counter', 5, 1)),
    uploaded: await uploaded,
    asked: await hub.invoke('AskCaller', 21).catch((error) => error.message),
  };
  await hub.invoke('JoinGroup', 'browsers');
  await hub.invoke('SendToGroup', 'browsers', 'hello');
  await hub.invoke('Burst', 300);
  await until(() => received.length === 1 && seq.length === 300);
  Object.assign(result, { received, ordered: seq.length === 300 && seq.every((n, i) => n === i) });
  await hub.stop();
  return result;
}

/** Opens a page of the server's own origin, with the client's scripts. */
export async function openPage(browser, t, origin, expected = []) {
  const visitor = await browser.visitor(t, { url: origin.url }, { expected: [...expected, answered(404)] }); // the favicon
  const page = await visitor.open('/connections');
  for (const name of ['page.js', 'msgpack.js']) await page.addScriptTag({ path: scripts[name] });
  return page;
}

const wanted = {
  echo: 'Grüße, 世界 🎉', user: 'anna', sum: 5, stream: [0, 1, 2, 3, 4], received: ['hello'], ordered: true,
};

/** Checks what exercise tells. */
export function check({ error, uploaded, asked, ...rest }) {
  assert.deepEqual(rest, wanted);
  assert.match(error, /Method does not exist/);
  assert.equal(Number(uploaded), 6);
  assert.equal(Number(asked), 42);
}
