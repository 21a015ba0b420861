// A TCP proxy whose connections can be cut, for what happens to clients on bad networks.
import { createServer, connect } from 'node:net';
import { once } from 'node:events';
import { cleanup } from './cleanup.mjs';

export class Proxy {
  #server;
  #pairs = new Set();
  #held = null;

  constructor(target) {
    this.#server = createServer((client) => {
      client.on('error', () => {});
      if (this.#held) this.#held.push(client);
      else this.#forward(client, target);
    });
    this.#server.listen(0, '127.0.0.1');
    this.target = target;
  }

  /** A proxy in front of the server, closed when the test t has ended. */
  static async inFrontOf(t, server) {
    const proxy = new Proxy(server.port);
    await once(proxy.#server, 'listening');
    proxy.url = `http://127.0.0.1:${proxy.#server.address().port}`;
    cleanup(t, () => proxy.#close());
    return proxy;
  }

  #forward(client, target) {
    const server = connect(target, '127.0.0.1');
    const pair = [client, server];
    this.#pairs.add(pair);
    const end = () => {
      this.#pairs.delete(pair);
      client.destroy();
      server.destroy();
    };
    for (const socket of pair) socket.setNoDelay(true).on('error', end).on('close', end);
    client.pipe(server).pipe(client);
  }

  /** Resets all connections on both sides, as a router that forgot them would. */
  cut() {
    for (const pair of this.#pairs) for (const socket of pair) socket.resetAndDestroy();
    this.#pairs.clear();
  }

  /** From now on new connections are accepted but lead nowhere, until release. */
  hold() {
    this.#held ??= [];
  }

  release() {
    const held = this.#held ?? [];
    this.#held = null;
    for (const client of held) if (!client.destroyed) this.#forward(client, this.target);
  }

  // Connections that are open end with their client or server: a reset now could overtake a farewell.
  #close() {
    for (const client of this.#held ?? []) client.destroy();
    this.#server.close();
  }
}
