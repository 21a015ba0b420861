// The official client in Chromium's pages and three servers behind a balancer that sends each request to the next of
// them, whatever was before. `make farm` runs the matrix against them, too.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { useFarm, whyNoFarm } from '../node/harness/server.mjs';
import { useBrowser } from './harness/browser.mjs';
import { cells, check, exercise, newClient, openPage } from './harness/hubclient.mjs';
import { eventually } from './harness/page.mjs';

describe('the official client in Chromium, on a farm', { skip: whyNoFarm() }, () => {
  const server = useFarm();
  const browser = useBrowser();

  it('hears, and is asked by, all others, wherever they are', async (t) => {
    const pages = [];
    for (let i = 0; i < 3; i++) { // Three of a kind, so that they are on several servers.
      const page = await openPage(browser, t, server);
      const all = cells.map(([transport, protocol]) => ({ url: server.url, transport, protocol }));
      await page.evaluate(`window.clients = ${JSON.stringify(all)}.map((cell) => (${newClient})(signalR, cell))`);
      await page.evaluate(() => Promise.all(clients.map(async ({ hub }) => {
        hub.on('AskText', (question) => `${question}? ${hub.connectionId}`);
        await hub.start();
        await hub.invoke('JoinGroup', 'everybody');
      })));
      pages.push(page);
    }
    const total = pages.length * cells.length;
    assert.equal(await server.connections(), total);
    const ids = (await Promise.all(pages.map((page) => page.evaluate(() => clients.map(({ hub }) => hub.connectionId))))).flat();
    assert.equal(new Set(ids).size, total);

    const sent = [];
    for (const [i, page] of pages.entries()) {
      sent.push(...cells.map((cell) => `${cell} of page ${i}`));
      await page.evaluate(async (texts) => {
        for (const [j, { hub }] of clients.entries()) await hub.invoke('SendToGroup', 'everybody', texts[j]);
      }, sent.slice(-cells.length));
    }
    const heard = () => Promise.all(pages.map((page) => page.evaluate(() => clients.map(({ received }) => received))));
    await eventually(heard, pages.map(() => cells.map(() => sent)));

    const answers = await pages[0].evaluate(
      (ids) => Promise.all(ids.map((id, i) => clients[i % clients.length].hub.invoke('AskOther', id, 'Who'))),
      ids,
    );
    assert.deepEqual(answers, ids.map((id) => `Who? ${id}`));
    await Promise.all(pages.map((page) => page.evaluate(() => Promise.all(clients.map(({ hub }) => hub.stop())))));
    await eventually(() => server.connections(), 0);
  });

  it('does everything, over each transport and protocol', async (t) => {
    const page = await openPage(browser, t, server);
    for (const [transport, protocol] of cells) {
      const cell = { url: server.url, transport, protocol };
      check(await page.evaluate(`(${exercise})(signalR, ${newClient}, ${JSON.stringify(cell)})`));
    }
  });
});
