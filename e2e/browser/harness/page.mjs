// What a page shows, and waiting until it does.
import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * Reads again and again until the value is the expected one. What moves live has moved long before the time is up, and
 * what does not, because pages without a live connection ask every 30 seconds only, has not.
 */
export async function eventually(read, expected, { what, ms = 20_000 } = {}) {
  const end = Date.now() + ms;
  let value = await read();
  while (!isDeepStrictEqual(value, expected) && Date.now() < end) {
    await delay(50);
    value = await read();
  }
  assert.deepEqual(value, expected, what);
}

/** Waits until all of the page's connections are up. */
export async function live(page, ms) {
  await eventually(() => page.evaluate(() => window.signalRClient.live), true, { what: 'the page is connected', ms });
}

/** Opens a page of the visitor and waits until it is connected. */
export async function openLive(visitor, path) {
  const page = await visitor.open(path);
  await live(page);
  return page;
}

/** Marks the page; what stays(page) tells later is whether it is still the same and was not loaded again. */
export async function mark(page) {
  await page.evaluate(() => { window.marked = true; });
}

export async function stays(page) {
  return await page.evaluate(() => window.marked) === true;
}

/** Calls a method of a hub through the page's own connection and returns the result, or the text of the error. */
export function invoke(page, hub, method, ...args) {
  return page.evaluate(
    ([hub, method, args]) => window.signalRClient.getConnection(hub).invoke(method, ...args).catch((error) => error.message),
    [hub, method, args],
  );
}

/** The order that an order page shows, as its reader sees it. */
export function shownOrder(page) {
  return page.evaluate(() => {
    const bar = document.getElementById('progress-bar');
    return {
      status: document.getElementById('status-badge').textContent,
      message: document.getElementById('status-message').textContent,
      progress: bar.textContent,
      width: bar.style.width,
      value: bar.getAttribute('aria-valuenow'),
    };
  });
}

/** How shownOrder tells of an order. */
export function asShown({ status, message, progress }) {
  return { status, message, progress: `${progress}%`, width: `${progress}%`, value: String(progress) };
}

/** The entries of an order page's history, newest first. */
export function timeline(page) {
  return page.locator('#timeline > li').evaluateAll((entries) => entries.map((entry) => [
    entry.querySelector('strong').textContent,
    entry.querySelector('.timeline-progress').textContent,
    entry.querySelector('.timeline-message').textContent,
  ].join(' | ')));
}

/** The number at the bell: null when there is none. */
export async function bell(page) {
  const badge = page.locator('#unread-count');
  return await badge.isVisible() ? badge.textContent() : null;
}

/** The titles in the list of notifications, newest first, those that are unread with an asterisk. */
export function inbox(page) {
  return page.locator('#notification-list > li').evaluateAll((items) => items.map(
    (item) => item.querySelector('h2').textContent + (item.hasAttribute('data-unread') ? ' *' : ''),
  ));
}

/** The titles of the toasts that are shown, oldest first. */
export function toasts(page) {
  return page.locator('#toasts .toast-title').allTextContents();
}
