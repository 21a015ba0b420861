// Signing in and out.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { answered, signedOut, signIn, useBrowser } from './harness/browser.mjs';
import { eventually, invoke, live, mark, openLive, stays } from './harness/page.mjs';
import { demo, useServer } from './harness/server.mjs';

const server = useServer();
const browser = useBrowser();

describe('signing in', () => {
  it('leads back to the page that was asked for', async (t) => {
    const id = await server.newOrder(demo);
    const visitor = await browser.visitor(t, server);
    const page = await visitor.open(`/orders/${id}`);
    assert.equal(page.url(), `${server.url}/signin?next=${encodeURIComponent(`/orders/${id}`)}`);
    assert.equal(await page.getByLabel('Name').evaluate((field) => field === document.activeElement), true);
    await signIn(page, demo);
    await page.waitForURL(`/orders/${id}`);
    await live(page);
    const [cookie] = await visitor.context.cookies();
    assert.deepEqual([cookie.httpOnly, cookie.sameSite], [true, 'Lax']);
  });

  it('leads to the orders otherwise, and never to another site', async (t) => {
    const visitor = await browser.visitor(t, server);
    const page = await visitor.open('/signin?next=//elsewhere.example/');
    await signIn(page, demo);
    await page.waitForURL('/orders');
    await live(page);
    await page.goto('/signin');
    assert.equal(page.url(), `${server.url}/orders`);
  });

  for (const [what, account] of [
    ['a wrong password', { name: demo.name, password: 'wrong' }],
    ['an unknown name', { name: 'nobody', password: demo.password }],
  ]) {
    it(`fails with ${what}, and does not say which of both was wrong`, async (t) => {
      const visitor = await browser.visitor(t, server, { expected: [answered(422)] });
      const page = await visitor.open('/signin?next=/notifications');
      await signIn(page, account);
      const alert = page.getByRole('alert');
      await alert.waitFor();
      assert.equal((await alert.textContent()).trim(), 'That name and password do not belong together.');
      assert.equal(await page.getByLabel('Name').inputValue(), account.name);
      assert.equal(await page.getByLabel('Password').inputValue(), '');
      assert.equal(await page.getByLabel('Password').evaluate((field) => field === document.activeElement), true);
      assert.equal((await visitor.context.request.get('/orders', { maxRedirects: 0 })).status(), 303);
      // The next try is not forgotten where to go.
      await signIn(page, demo);
      await page.waitForURL('/notifications');
      await live(page);
    });
  }

  it('is refused for a while after too many failures', async (t) => {
    const user = await server.addUser();
    const visitor = await browser.visitor(t, server, { expected: [answered(429)] });
    for (let i = 0; i < 10; i++) {
      const wrong = await visitor.context.request.post('/signin', { form: { name: user.name, password: 'wrong' } });
      assert.equal(wrong.status(), 422);
    }
    const page = await visitor.open('/signin');
    await signIn(page, user);
    await page.getByRole('alert').waitFor();
    assert.match(await page.getByRole('alert').textContent(), /Too many attempts\. Try again in 15 minutes\./);
  });
});

describe('signing out', () => {
  it('ends it, for the cookie too', async (t) => {
    const user = await server.addUser();
    const visitor = await browser.signedIn(t, server, user, { expected: signedOut });
    const page = await openLive(visitor, '/orders');
    const [{ name, value }] = await visitor.context.cookies();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.waitForURL('/signin');
    assert.deepEqual(await visitor.context.cookies(), []);
    await page.goto('/notifications');
    assert.equal(page.url(), `${server.url}/signin?next=%2Fnotifications`);

    // Somebody who has kept the cookie is out as well.
    const headers = { Cookie: `${name}=${value}` };
    const kept = await fetch(`${server.url}/orders`, { headers, redirect: 'manual' });
    assert.equal(kept.status, 303);
    const hub = await fetch(`${server.url}/hubs/orders/negotiate?negotiateVersion=1`, { method: 'POST', headers });
    assert.equal(hub.status, 401);
  });

  for (const transport of ['WebSockets', 'ServerSentEvents', 'LongPolling']) {
    it(`has pages in other tabs lead to the sign-in form at once, with ${transport}`, async (t) => {
      const user = await server.addUser();
      const id = await server.newOrder(user);
      const visitor = await browser.signedIn(t, server, user, { expected: signedOut });
      const paths = [`/orders/${id}?transport=${transport}`, `/notifications?transport=${transport}`];
      const tabs = [];
      for (const path of paths) tabs.push(await openLive(visitor, path));
      const elsewhere = await browser.signedIn(t, server, user, { expected: [answered(404)] });
      const other = await openLive(elsewhere, `/orders/${id}?transport=${transport}`);
      await mark(other);

      await (await openLive(visitor, '/orders')).getByRole('button', { name: 'Sign out' }).click();
      for (const [i, tab] of tabs.entries()) {
        await eventually(() => tab.url(), `${server.url}/signin?next=${encodeURIComponent(paths[i])}`);
      }
      // The same user's other browser has nothing to do with it.
      await live(other);
      assert.equal((await invoke(other, 'orders', 'SubscribeToOrder', id)).id, id);
      assert.equal(await stays(other), true, 'the page was loaded again');
    });
  }

  it('leaves nothing in the browser\'s memory for the next person', async (t) => {
    const user = await server.addUser();
    await server.notify(user, 'Secret');
    const visitor = await browser.signedIn(t, server, user, { expected: signedOut });
    const page = await openLive(visitor, '/notifications');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.waitForURL('/signin');
    await page.goBack();
    await eventually(() => new URL(page.url()).pathname, '/signin');
    assert.equal(await page.getByText('Secret').count(), 0);
  });
});
