// The official client in a browser's page and in a web worker, over every transport and protocol, against the reference
// host. What Node's own sockets cannot show: the browser's WebSocket, EventSource and fetch.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Proxy } from '../node/harness/proxy.mjs';
import { useServer } from '../node/harness/server.mjs';
import { answered, lostConnection, useBrowser } from './harness/browser.mjs';
import { eventually } from './harness/page.mjs';

const server = useServer({ STATEFUL: '1' });
const browser = useBrowser();

const modules = fileURLToPath(new URL('node_modules/@microsoft/', import.meta.url));
const scripts = {
  'page.js': `${modules}signalr/dist/browser/signalr.min.js`,
  'worker.js': `${modules}signalr/dist/webworker/signalr.min.js`,
  'msgpack.js': `${modules}signalr-protocol-msgpack/dist/browser/signalr-protocol-msgpack.min.js`,
};

const cells = [
  ['WebSockets', 'json'], ['WebSockets', 'messagepack'], ['ServerSentEvents', 'json'],
  ['LongPolling', 'json'], ['LongPolling', 'messagepack'],
];

/** Runs in the browser: a client of the hub at url, which answers what the server asks of it. */
function newClient(signalR, { url, transport, protocol, stateful, reconnect }) {
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
async function exercise(signalR, newClient, cell) {
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
async function openPage(t, origin, expected = []) {
  const visitor = await browser.visitor(t, { url: origin.url }, { expected: [...expected, answered(404)] }); // the favicon
  const page = await visitor.open('/connections');
  for (const name of ['page.js', 'msgpack.js']) await page.addScriptTag({ path: scripts[name] });
  return page;
}

const wanted = {
  echo: 'Grüße, 世界 🎉', user: 'anna', sum: 5, stream: [0, 1, 2, 3, 4], received: ['hello'], ordered: true,
};

function check({ error, uploaded, asked, ...rest }) {
  assert.deepEqual(rest, wanted);
  assert.match(error, /Method does not exist/);
  assert.equal(Number(uploaded), 6);
  assert.equal(Number(asked), 42);
}

for (const [transport, protocol] of cells) {
  describe(`the official client in Chromium (${transport}, ${protocol})`, () => {
    const cell = () => ({ url: server.url, transport, protocol });

    it('does everything in a page', async (t) => {
      const page = await openPage(t, server);
      check(await page.evaluate(`(${exercise})(signalR, ${newClient}, ${JSON.stringify(cell())})`));
    });

    it('does everything in a web worker', async (t) => {
      const page = await openPage(t, server);
      check(await page.evaluate(([source]) => new Promise((resolve, reject) => {
        const worker = new Worker(URL.createObjectURL(new Blob([source], { type: 'text/javascript' })));
        worker.onmessage = ({ data }) => (data.failed ? reject(new Error(data.failed)) : resolve(data.result));
        worker.onerror = (event) => reject(new Error(event.message));
      }), [`${await readFile(scripts['worker.js'], 'utf8')}
        // A page's script: it looks for the client in window, which a worker must not seem to have.
        ((window) => { ${await readFile(scripts['msgpack.js'], 'utf8')}
        })(self);
        (${exercise})(signalR, ${newClient}, ${JSON.stringify(cell())})
          .then((result) => postMessage({ result }), (error) => postMessage({ failed: String(error) }));`]));
    });

    it('comes back by itself', async (t) => {
      const proxy = await Proxy.inFrontOf(t, server);
      const page = await openPage(t, proxy, lostConnection);
      await page.evaluate(`window.client = (${newClient})(signalR, ${JSON.stringify({ ...cell(), url: proxy.url, reconnect: true })});
        client.hub.start()`);
      proxy.cut();
      // A poll that is cut is one that fails; a request that is sent meanwhile finds the connection as it was.
      await eventually(() => page.evaluate(() => client.hub.invoke('Echo', 'back').catch(() => null)), 'back');
      assert.equal(await page.evaluate(() => client.closed), 0);
      await page.evaluate(() => client.hub.stop());
    });
  });
}

for (const protocol of ['json', 'messagepack']) {
  describe(`stateful reconnect in Chromium (${protocol})`, () => {
    it('loses and doubles nothing', async (t) => {
      const proxy = await Proxy.inFrontOf(t, server);
      const page = await openPage(t, proxy, lostConnection);
      await page.evaluate(`window.client = (${newClient})(signalR, ${JSON.stringify({
        url: proxy.url, transport: 'WebSockets', protocol, stateful: true,
      })}); client.hub.start()`);
      const id = await page.evaluate(() => client.hub.connectionId);
      for (let round = 1; round <= 3; round++) {
        const burst = page.evaluate(() => client.hub.invoke('Burst', 200));
        proxy.cut();
        await burst;
        await eventually(() => page.evaluate(() => client.seq.length), round * 200);
      }
      assert.deepEqual(await page.evaluate(() => client.seq), Array.from({ length: 600 }, (_, i) => i % 200));
      assert.equal(await page.evaluate(() => client.hub.invoke('Me')), id);
      assert.equal(await page.evaluate(() => client.closed), 0);
      await page.evaluate(() => client.hub.stop());
    });
  });
}
