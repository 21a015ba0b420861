// The server goes away and comes back while pages are open.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { lostConnection, useBrowser } from './harness/browser.mjs';
import {
  asShown, bell, eventually, inbox, live, mark, openLive, shownOrder, stays, timeline, toasts,
} from './harness/page.mjs';
import { useServer } from './harness/server.mjs';

const server = useServer();
const browser = useBrowser();

const picking = { status: 'Processing', progress: 25, message: 'Picking' };
const packing = { status: 'Processing', progress: 45, message: 'Packing' };
const shipped = { status: 'Shipped', progress: 60, message: 'On its way' };

/** How long a page may take to come back: its third attempt is 7 s after the loss. */
const comeback = { ms: 20_000 };
const isReconnecting = (page) => page.evaluate(() => document.body.classList.contains('signalr-reconnecting'));
const connection = (page) => page.locator('#connection-text').textContent();

/** A user with an order, and the pages of both over the transport. */
async function watcher(t, transport) {
  const user = await server.addUser();
  const id = await server.newOrder(user, picking);
  await eventually(async () => (await server.inbox(user)).unread, 1); // The notifier has told of the order.
  const visitor = await browser.signedIn(t, server, user, { expected: lostConnection });
  const pages = {
    order: await openLive(visitor, `/orders/${id}?transport=${transport}`),
    inbox: await openLive(visitor, `/notifications?transport=${transport}`),
  };
  for (const page of Object.values(pages)) await mark(page);
  return { user, id, transport, ...pages };
}

async function saysSo({ order, inbox }) {
  for (const page of [order, inbox]) {
    await eventually(() => isReconnecting(page), true);
    await page.getByText('Reconnecting…').first().waitFor();
    assert.equal(await page.locator('.connection-banner').getAttribute('role'), 'status');
  }
  await eventually(() => connection(order), 'Reconnecting…');
  assert.match(await order.locator('#data-age').textContent(), /^\d+ seconds? old$/);
}

async function comesBack({ order, inbox }) {
  for (const page of [order, inbox]) {
    await live(page, comeback.ms);
    assert.equal(await page.evaluate(() => document.body.className), '');
    assert.equal(await page.getByText('Reconnecting…').isVisible(), false);
    assert.equal(await stays(page), true, 'the page was loaded again');
  }
  assert.equal(await connection(order), 'Live');
  assert.equal(await order.locator('#data-age').textContent(), 'Up to date');
}

describe('when the server is killed and started again', () => {
  it('pages say so, come back by themselves, and show what happened meanwhile', async (t) => {
    const watchers = [];
    for (const transport of ['WebSockets', 'ServerSentEvents', 'LongPolling']) {
      watchers.push(await watcher(t, transport));
    }
    await server.kill();
    for (const watcher of watchers) await saysSo(watcher);

    await server.start();
    for (const { user, id } of watchers) {
      await server.putOrder(id, packing);
      await server.putOrder(id, shipped);
      await server.notify(user, 'Meanwhile');
    }
    for (const watcher of watchers) {
      const { user, id, order, inbox: list } = watcher;
      await comesBack(watcher);
      await eventually(() => shownOrder(order), asShown(shipped));
      await eventually(() => timeline(order), [
        'Shipped | 60% | On its way', 'Processing | 45% | Packing', 'Processing | 25% | Picking',
      ]);
      // The notifier tells of the change of status in its own time, before or after "Meanwhile".
      await eventually(async () => (await inbox(list)).sort(), ['Meanwhile *', 'Order Update *', 'Order Update *']);
      for (const page of [order, list]) await eventually(() => bell(page), '3');

      // And it is as live as before.
      await server.putOrder(id, { progress: 61 });
      await eventually(() => shownOrder(order), asShown({ ...shipped, progress: 61 }));
      await server.notify(user, 'Afterwards');
      await eventually(async () => (await toasts(order)).at(-1), 'Afterwards');
      await eventually(async () => (await inbox(list))[0], 'Afterwards *');
      assert.equal((await inbox(list)).length, 4);
    }
  });
});

describe('when the server is stopped in an orderly way', () => {
  it('it ends at once, and pages come back when it does', async (t) => {
    const watchers = [];
    for (const transport of ['WebSockets', 'ServerSentEvents', 'LongPolling']) {
      watchers.push(await watcher(t, transport));
    }
    await server.stop();
    for (const watcher of watchers) await saysSo(watcher);
    await server.start();
    for (const watcher of watchers) {
      const { id, order } = watcher;
      await server.putOrder(id, shipped);
      await comesBack(watcher);
      await eventually(() => shownOrder(order), asShown(shipped));
    }
  });
});

describe('when the server is away for long', () => {
  it('pages say that they are disconnected, and still come back', async (t) => {
    const { id, order } = await watcher(t, 'WebSockets');
    await order.evaluate(() => { window.signalRClient.reconnectDelays = [0, 100, 100]; });
    await server.kill();
    await eventually(() => order.evaluate(() => document.body.className), 'signalr-disconnected');
    await order.getByText('Disconnected, trying again…').waitFor();
    assert.equal(await connection(order), 'Disconnected');
    await server.start();
    await server.putOrder(id, shipped);
    await live(order, comeback.ms);
    assert.equal(await order.evaluate(() => document.body.className), '');
    await eventually(() => shownOrder(order), asShown(shipped));
  });
});
