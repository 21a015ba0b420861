// What is refused: other people's orders, requests of nobody, and requests of other sites' pages.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { describe, it } from 'node:test';
import { cleanup } from '../node/harness/cleanup.mjs';
import { answered, useBrowser } from './harness/browser.mjs';
import { asShown, bell, eventually, inbox, invoke, mark, openLive, shownOrder, stays } from './harness/page.mjs';
import { demo, useServer } from './harness/server.mjs';

const server = useServer();
const browser = useBrowser();
const hubs = ['/hubs/notifications', '/hubs/orders'];

describe('the order of somebody else', () => {
  it('has no page, no more than one that does not exist', async (t) => {
    const owner = await server.addUser();
    const id = await server.newOrder(owner, { message: 'Secret' });
    const visitor = await browser.signedIn(t, server, demo, { expected: [answered(404)] });
    const page = await visitor.context.newPage();
    const texts = [];
    for (const path of [`/orders/${id}`, '/orders/nosuchorder']) {
      assert.equal((await page.goto(path)).status(), 404);
      texts.push(await page.locator('main').textContent());
    }
    assert.equal(texts[0], texts[1]);
    assert.match(texts[0], /Not Found/);
    await page.getByRole('link', { name: 'Go to the start' }).click();
    await page.waitForURL('/orders');
    assert.equal(await page.locator(`[data-order-id="${id}"]`).count(), 0);
  });

  it('cannot be subscribed to', async (t) => {
    const owner = await server.addUser();
    const stranger = await server.addUser();
    const foreign = await server.newOrder(owner, { message: 'Secret' });
    const own = await server.newOrder(stranger, { message: 'Own' });
    const visitor = await browser.signedIn(t, server, stranger);
    const page = await openLive(visitor, `/orders/${own}`);
    await page.evaluate(() => {
      window.heard = [];
      for (const method of ['OrderChanged', 'OrderStatusUpdated', 'OrderProgressUpdated', 'OrderCompleted']) {
        window.signalRClient.getConnection('orders').on(method, (order) => { window.heard.push(order.id ?? order); });
      }
    });
    for (const id of [foreign, 'nosuchorder', '']) {
      assert.equal(
        await invoke(page, 'orders', 'SubscribeToOrder', id),
        "An unexpected error occurred invoking 'SubscribeToOrder' on the server. HubException: Not authorized to view this order",
      );
    }
    await server.putOrder(foreign, { status: 'Completed', progress: 100, message: 'Still secret' });
    await server.putOrder(own, { progress: 5 });
    await eventually(() => shownOrder(page), asShown({ status: 'Pending', progress: 5, message: 'Own' }));
    assert.deepEqual(await page.evaluate(() => [...new Set(window.heard)]), [own]);
  });
});

describe('an order that is given away', () => {
  const refused = [answered(404), /Cannot subscribe at the hub orders: .*Not authorized to view this order/];

  it('leaves its page, which never says that it is up to date', async (t) => {
    const user = await server.addUser();
    const heir = await server.addUser();
    const id = await server.newOrder(user, { message: 'Packed' });
    const visitor = await browser.signedIn(t, server, user, { expected: refused });
    const page = await openLive(visitor, `/orders/${id}`);
    await server.give(id, heir);
    await page.getByRole('heading', { name: 'Not Found' }).waitFor();
    assert.equal(await page.locator('#data-age').count(), 0);
    const visitorToo = await browser.signedIn(t, server, heir);
    await openLive(visitorToo, `/orders/${id}`);
  });

  it('leaves the list, in which the others stay', async (t) => {
    const user = await server.addUser();
    const heir = await server.addUser();
    const [given, kept] = [await server.newOrder(user), await server.newOrder(user)];
    const visitor = await browser.signedIn(t, server, user, { expected: refused });
    const page = await openLive(visitor, '/orders');
    await mark(page);
    await server.give(given, heir);
    const ids = () => page.locator('#order-list > li').evaluateAll((cards) => cards.map((card) => card.dataset.orderId));
    await eventually(ids, [kept]);
    assert.equal(await stays(page), true, 'the page was loaded again');
  });
});

describe('without a cookie', () => {
  for (const hub of hubs) {
    it(`every request to ${hub} is answered 401 with an empty body`, async () => {
      for (const [method, path] of [
        ['POST', '/negotiate?negotiateVersion=1'], ['POST', '/negotiate'], ['GET', ''], ['GET', '?id=x'], ['POST', '?id=x'],
        ['DELETE', '?id=x'],
      ]) {
        const response = await fetch(server.url + hub + path, { method, redirect: 'manual' });
        assert.deepEqual([response.status, await response.text()], [401, ''], `${method} ${path}`);
      }
    });
  }

  it('every page leads to the sign-in form, and from there back', async () => {
    for (const [path, to] of [
      ['/', '/signin'], ['/orders', '/signin?next=%2Forders'], ['/orders/1001', '/signin?next=%2Forders%2F1001'],
      ['/notifications?before=5', '/signin?next=%2Fnotifications%3Fbefore%3D5'],
    ]) {
      const response = await fetch(server.url + path, { redirect: 'manual' });
      assert.deepEqual([response.status, response.headers.get('Location')], [303, to], path);
    }
  });
});

describe('the REST API', () => {
  for (const [what, key] of [['without a key', null], ['with a wrong key', 'sbk_wrong']]) {
    it(`${what} answers 401 with problem details`, async () => {
      for (const [method, path] of [
        ['POST', '/notifications'], ['GET', '/notifications?user=demo'], ['PUT', '/orders/1001'], ['GET', '/orders/1001'],
        ['GET', '/orders?owner=demo'],
      ]) {
        const { status, headers, body } = await server.api(method, path, { key });
        assert.equal(status, 401, `${method} ${path}`);
        assert.equal(headers.get('Content-Type'), 'application/problem+json');
        assert.match(headers.get('WWW-Authenticate'), /^Bearer/);
        assert.deepEqual([body.title, body.status], ['Unauthorized', 401]);
      }
    });
  }

  it('does not take the cookie of a signed-in user for a key', async (t) => {
    const visitor = await browser.signedIn(t, server, demo);
    const response = await visitor.context.request.get('/api/v1/orders?owner=demo');
    assert.equal(response.status(), 401);
  });
});

describe('a page of another origin', () => {
  // Another port of the same host is another origin but the same site: the browser sends the cookie along.
  async function foreignPage(t, visitor, html) {
    const foreign = createServer((_, response) => {
      response.setHeader('Content-Type', 'text/html');
      response.end(html);
    }).listen(0, '127.0.0.1');
    cleanup(t, () => new Promise((done) => { foreign.close(done); foreign.closeAllConnections(); }));
    await once(foreign, 'listening');
    return visitor.open(`http://127.0.0.1:${foreign.address().port}/`);
  }

  it('cannot post forms with the visitor\'s cookie', async (t) => {
    const user = await server.addUser();
    const id = await server.notify(user, 'Unread');
    const visitor = await browser.signedIn(t, server, user, { expected: [answered(403)] });
    for (const path of ['/notifications/read-all', `/notifications/${id}/read`, '/signout']) {
      const page = await foreignPage(t, visitor, `<form method="post" action="${server.url}${path}"><button>Win</button></form>`);
      const [response] = await Promise.all([
        page.waitForResponse((response) => response.url() === server.url + path),
        page.getByRole('button').click(),
      ]);
      assert.equal(response.status(), 403, path);
      assert.match((await response.request().allHeaders()).cookie, /signalbox=/);
      await page.close();
    }
    const page = await openLive(visitor, '/notifications');
    assert.deepEqual(await inbox(page), ['Unread *']);
    assert.equal(await bell(page), '1');
  });

  it('cannot connect to the hubs with the visitor\'s cookie', async (t) => {
    const visitor = await browser.signedIn(t, server, demo, {
      expected: [answered(403), /blocked by CORS policy/, /net::ERR_FAILED/, /WebSocket connection to .* failed/],
    });
    const page = await foreignPage(t, visitor, '<title>Elsewhere</title>');
    for (const hub of hubs) {
      const url = server.url + hub;
      const [negotiate] = await Promise.all([
        page.waitForResponse((response) => response.url().startsWith(`${url}/negotiate`)),
        page.evaluate((url) => fetch(`${url}/negotiate?negotiateVersion=1`, {
          method: 'POST', credentials: 'include', mode: 'no-cors',
        }).then(() => {}), url),
      ]);
      assert.equal(negotiate.status(), 403);
      const opened = await page.evaluate((url) => new Promise((resolve) => {
        const socket = new WebSocket(url);
        socket.onopen = () => resolve(true);
        socket.onclose = () => resolve(false);
      }), url.replace('http:', 'ws:'));
      assert.equal(opened, false);
    }
  });
});
