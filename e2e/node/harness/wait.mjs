// Waiting with a limit, so that a test which would hang says instead what it was waiting for.
import { setTimeout as delay } from 'node:timers/promises';

/** The promise, or a failure that names what did not come in time. */
export async function within(promise, what, ms = 30_000) {
  const stop = new AbortController();
  const limit = delay(ms, undefined, { signal: stop.signal, ref: true }).then(
    () => { throw new Error(`waited ${ms} ms in vain for ${what}`); },
    () => {},
  );
  try {
    return await Promise.race([promise, limit]);
  } finally {
    stop.abort();
  }
}

/** Asks again and again until the answer is true. For what can be seen only by asking, such as a count on the server. */
export async function until(ask, what, ms = 30_000) {
  const end = Date.now() + ms;
  while (!await ask()) {
    if (Date.now() > end) throw new Error(`waited ${ms} ms in vain until ${what}`);
    await delay(20);
  }
}

/** Values in the order in which they came; each is taken once. */
export class Inbox {
  #name;
  #values = [];
  #wake = () => {};

  constructor(name) {
    this.#name = name;
  }

  push(value) {
    this.#values.push(value);
    this.#wake();
  }

  get length() {
    return this.#values.length;
  }

  /** The next n values, once they are there. */
  async take(n, ms) {
    const enough = (async () => {
      while (this.#values.length < n) await new Promise((wake) => { this.#wake = wake; });
    })();
    await within(enough, `${n} x ${this.#name}; ${this.#values.length} came`, ms);
    return this.#values.splice(0, n);
  }

  /** The next value. */
  async next(ms) {
    return (await this.take(1, ms))[0];
  }

  /** All values before the given one, which must come, and which is taken as well. */
  async upTo(last) {
    const before = [];
    for (let value = await this.next(); value !== last; value = await this.next()) before.push(value);
    return before;
  }
}
