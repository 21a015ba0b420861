// Idle connections stay up because both sides ping, and silence closes them. Each test waits; they wait together.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { connect } from './harness/client.mjs';
import { cells } from './harness/matrix.mjs';
import { useServer } from './harness/server.mjs';

// Long polling needs no pings: there is always a poll.
const withPings = cells.filter((cell) => !cell.name.startsWith('LongPolling'));
const withoutPings = cells.filter((cell) => !withPings.includes(cell));
const isPing = (message) => message.type === 6;

function eachCell(title, over, test) {
  for (const cell of over) it(`${title} (${cell.name})`, { skip: cell.skip }, (t) => test(t, cell));
}

async function staysUp(client, ms) {
  await delay(ms);
  assert.equal(client.closed.length, 0, 'the connection closed');
  assert.equal(await client.invoke('Echo', 'still here'), 'still here');
}

describe('keep-alive', { concurrency: true }, () => {
  describe('of a server that pings every second', { concurrency: true }, () => {
    const server = useServer({ KEEPALIVE_MS: '1000' });

    eachCell('keeps an idle client with a timeout of 3 s for 7 s', cells, async (t, cell) => {
      const client = await connect(t, server, cell, { serverTimeout: 3000 });
      await staysUp(client, 7000);
      const pings = client.incoming.filter(isPing).length;
      if (withPings.includes(cell)) assert.ok(pings >= 2, `${pings} pings came`);
      else assert.equal(pings, 0, 'pings came on long polling');
    });
  });

  describe('of a server that hardly ever pings', { concurrency: true }, () => {
    const server = useServer({ KEEPALIVE_MS: '60000' });

    eachCell('loses a client with a timeout of 3 s', withPings, async (t, cell) => {
      const client = await connect(t, server, cell, { serverTimeout: 3000 });
      const error = await client.closed.next();
      assert.equal(error.message, 'Server timeout elapsed without receiving a message from the server.');
    });

    eachCell('keeps a client on long polling', withoutPings, async (t, cell) => {
      const client = await connect(t, server, cell, { serverTimeout: 3000 });
      await staysUp(client, 7000);
    });
  });

  // The client arms its ping timer when it hears something, hence the pings of the server.
  describe('of a server that wants to hear from its clients every 4 s', { concurrency: true }, () => {
    const server = useServer({ CLIENT_TIMEOUT_MS: '4000', KEEPALIVE_MS: '1000' });

    eachCell('keeps an idle client that pings every 0.5 s for 8 s', withPings, async (t, cell) => {
      const client = await connect(t, server, cell, { keepAlive: 500 });
      await staysUp(client, 8000);
    });

    eachCell('keeps a client on long polling, which never pings', withoutPings, async (t, cell) => {
      const client = await connect(t, server, cell, { keepAlive: 500 });
      await staysUp(client, 8000);
    });

    eachCell('closes a client that pings once a minute, and says so', withPings, async (t, cell) => {
      const client = await connect(t, server, cell, { keepAlive: 60_000 });
      const error = await client.closed.next();
      assert.equal(error.message, 'Server returned an error on close: Connection closed with an error.');
    });
  });
});
