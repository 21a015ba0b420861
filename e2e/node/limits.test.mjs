// The size of messages: what passes, what closes the connection, and what the client is told then.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { connect } from './harness/client.mjs';
import { matrix } from './harness/matrix.mjs';
import { useServer } from './harness/server.mjs';

const tooLarge = { message: 'Server returned an error on close: Connection closed with an error.' };

// A text that makes the next Echo call of the client a message of just that many bytes.
async function textForMessageOf(bytes, client, cell) {
  await client.invoke('Echo', '');
  const call = client.outgoing.find((message) => message.target === 'Echo');
  const sizeWith = (length) => cell.sizeOf({ ...call, arguments: ['x'.repeat(length)] });
  let length = bytes;
  while (sizeWith(length) > bytes) length -= sizeWith(length) - bytes;
  assert.equal(sizeWith(length), bytes);
  return 'x'.repeat(length);
}

matrix('message size', (cell) => {
  const server = useServer();

  it('of 20 kB passes both ways', async (t) => {
    const client = await connect(t, server, cell);
    const text = 'äöü😀'.repeat(2000);
    assert.equal(Buffer.byteLength(text), 20_000);
    assert.equal(await client.invoke('Echo', text), text);
  });

  it('of 40 kB closes the connection with an error that the client is told', async (t) => {
    const client = await connect(t, server, cell);
    await assert.rejects(client.invoke('Echo', 'x'.repeat(40_000)));
    const error = await client.closed.next();
    assert.equal(error.message, tooLarge.message);
  });

  it('of 40 kB lets a client with automatic reconnect come back', async (t) => {
    const client = await connect(t, server, cell, { reconnect: [0, 100, 100, 100] });
    const id = client.id;
    await assert.rejects(client.invoke('Echo', 'x'.repeat(40_000)));
    assert.equal((await client.reconnecting.next()).message, tooLarge.message);
    assert.notEqual(await client.reconnected.next(), id);
    assert.equal(await client.invoke('Echo', 'back'), 'back');
  });

  it('of exactly the limit passes', async (t) => {
    const client = await connect(t, server, cell);
    const text = await textForMessageOf(32_768, client, cell);
    assert.equal(await client.invoke('Echo', text), text);
  });

  it('of one byte more does not', async (t) => {
    const client = await connect(t, server, cell);
    const text = await textForMessageOf(32_769, client, cell);
    await assert.rejects(client.invoke('Echo', text));
    assert.equal((await client.closed.next()).message, tooLarge.message);
  });

  it('is limited for each message, not for many in one go', async (t) => {
    const client = await connect(t, server, cell);
    const text = 'x'.repeat(20_000);
    const calls = [1, 2, 3, 4].map(() => client.invoke('Echo', text));
    assert.deepEqual(await Promise.all(calls), [text, text, text, text]);
  });
});

matrix('message size without a limit', (cell) => {
  const server = useServer({ MAX_MSG: '0' });

  it('of 1 MB passes both ways', async (t) => {
    const client = await connect(t, server, cell);
    const text = 'x'.repeat(1_000_000);
    assert.equal(await client.invoke('Echo', text), text);
  });
});

matrix('message size with detailed errors', (cell) => {
  const server = useServer({ DETAILED: '1', MAX_MSG: '1000' });

  it('over the limit is explained', async (t) => {
    const client = await connect(t, server, cell);
    await assert.rejects(client.invoke('Echo', 'x'.repeat(2000)));
    assert.match((await client.closed.next()).message,
      /^Server returned an error on close: Connection closed with an error\. \S+: The maximum message size of 1000B was exceeded\./);
  });
});

describe('message size of a burst', () => {
  // Each message alone is under the limit of what a client may send; a server may send as much as it likes.
  const server = useServer({ MAX_MSG: '500' });

  matrix('to the client', (cell) => {
    it('is not limited', async (t) => {
      const client = await connect(t, server, cell);
      await client.invoke('Burst', 200);
      assert.equal((await client.seq.take(200)).at(-1), 199);
    });
  });
});
