// The official client in a browser's page and in a web worker, over every transport and protocol, against the reference
// host. What Node's own sockets cannot show: the browser's WebSocket, EventSource and fetch. `make farm` runs it against
// three servers behind a balancer, too.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { Proxy } from '../node/harness/proxy.mjs';
import { useServer } from '../node/harness/server.mjs';
import { lostConnection, useBrowser } from './harness/browser.mjs';
import { cells, check, exercise, newClient, openPage, scripts } from './harness/hubclient.mjs';
import { eventually } from './harness/page.mjs';

const server = useServer({ STATEFUL: '1' });
const browser = useBrowser();

for (const [transport, protocol] of cells) {
  describe(`the official client in Chromium (${transport}, ${protocol})`, () => {
    const cell = () => ({ url: server.url, transport, protocol });

    it('does everything in a page', async (t) => {
      const page = await openPage(browser, t, server);
      check(await page.evaluate(`(${exercise})(signalR, ${newClient}, ${JSON.stringify(cell())})`));
    });

    it('does everything in a web worker', async (t) => {
      const page = await openPage(browser, t, server);
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
      const page = await openPage(browser, t, proxy, lostConnection);
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
      const page = await openPage(browser, t, proxy, lostConnection);
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
