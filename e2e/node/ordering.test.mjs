// Messages arrive in the order in which they were sent, all of them, once.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { connect } from './harness/client.mjs';
import { matrix } from './harness/matrix.mjs';
import { useServer } from './harness/server.mjs';

const numbers = (n) => Array.from({ length: n }, (_, i) => i);

matrix('order', (cell) => {
  const server = useServer();

  it('of 500 messages from the server', async (t) => {
    const client = await connect(t, server, cell);
    await client.invoke('Burst', 500);
    assert.deepEqual(await client.seq.take(500), numbers(500));
  });

  it('of 500 messages to the server', async (t) => {
    const client = await connect(t, server, cell);
    await Promise.all(numbers(500).map((i) => client.hub.send('Note', i)));
    assert.deepEqual(await client.invoke('Notes'), numbers(500));
  });

  it('of 500 messages to the server, one after the other', async (t) => {
    const client = await connect(t, server, cell);
    for (const i of numbers(500)) await client.hub.send('Note', i);
    assert.deepEqual(await client.invoke('Notes'), numbers(500));
  });

  it('of 500 messages both ways at the same time', async (t) => {
    const client = await connect(t, server, cell);
    const burst = client.invoke('Burst', 500);
    await Promise.all(numbers(500).map((i) => client.hub.send('Note', i)));
    await burst;
    assert.deepEqual(await client.seq.take(500), numbers(500));
    assert.deepEqual(await client.invoke('Notes'), numbers(500));
  });

  it('of messages from one client to another', async (t) => {
    const [sender, receiver] = [await connect(t, server, cell), await connect(t, server, cell)];
    await Promise.all(numbers(200).map((i) => sender.hub.send('SendTo', receiver.id, String(i))));
    assert.deepEqual(await receiver.received.take(200), numbers(200).map(String));
  });
});
