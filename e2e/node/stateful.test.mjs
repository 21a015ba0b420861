// Stateful reconnect: the socket may break at any time, and the connection goes on as if nothing had happened.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Subject } from '@microsoft/signalr';
import { cleanup } from './harness/cleanup.mjs';
import { connect } from './harness/client.mjs';
import { cells, matrix, webSocketsJSON, webSocketsMessagePack } from './harness/matrix.mjs';
import { Proxy } from './harness/proxy.mjs';
import { Server, useServer } from './harness/server.mjs';
import { until, within } from './harness/wait.mjs';

const numbers = (n) => Array.from({ length: n }, (_, i) => i);
const isSequence = (message) => message.type === 9;

matrix('stateful reconnect', (cell) => {
  const server = useServer({ STATEFUL: '1' });

  // A client behind a proxy, whose cut() breaks its socket.
  async function connectThroughProxy(t, options) {
    const proxy = await Proxy.inFrontOf(t, server);
    const client = await connect(t, proxy, cell, { stateful: true, ...options });
    const { id } = client;
    let cuts = 0;
    return {
      client,
      proxy,
      cut: () => {
        cuts++;
        proxy.cut();
      },
      // The client got over all the cuts without noticing anything.
      assertUnbroken: async () => {
        await until(() => client.incoming.filter(isSequence).length >= cuts, `the client came back ${cuts} times`);
        assert.equal(client.id, id);
        assert.equal(await client.invoke('Me'), id);
        assert.equal(client.reconnecting.length + client.closed.length, 0);
      },
    };
  }

  it('keeps the connection: its id, its groups, its user', async (t) => {
    const { client, cut, assertUnbroken } = await connectThroughProxy(t, { user: 'alice' });
    await client.invoke('JoinGroup', 'g');
    cut();
    await client.invoke('SendToGroup', 'g', 'm');
    assert.equal(await client.received.next(), 'm');
    assert.equal(await client.invoke('User'), 'alice');
    assert.equal(await server.connections(), 1);
    await assertUnbroken();
  });

  it('loses and doubles nothing when the socket is cut in mid traffic', async (t) => {
    const { client, cut, assertUnbroken } = await connectThroughProxy(t);
    const [rounds, perRound] = [5, 200];
    let noted = 0;
    for (let round = 0; round < rounds; round++) {
      const burst = client.invoke('Burst', perRound);
      const notes = [];
      for (let i = 0; i < perRound; i++) notes.push(client.hub.send('Note', noted++));
      const half = await client.seq.take(perRound / 2);
      cut();
      for (let i = 0; i < perRound; i++) notes.push(client.hub.send('Note', noted++));
      await Promise.all([burst, ...notes]);
      assert.deepEqual([...half, ...await client.seq.take(perRound / 2)], numbers(perRound));
      // The client tries only once to come back: the next cut has to wait until it has.
      await until(() => client.incoming.filter(isSequence).length > round, 'the client came back');
    }
    assert.deepEqual(await client.invoke('Notes'), numbers(noted));
    assert.equal(client.seq.length, 0);
    await assertUnbroken();
  });

  it('delivers what others sent while the socket was away', async (t) => {
    const { client, proxy, cut, assertUnbroken } = await connectThroughProxy(t);
    const other = await connect(t, server, cell);
    await client.invoke('JoinGroup', 'g');
    proxy.hold();
    cut();
    for (const i of numbers(50)) await other.invoke('SendToGroup', 'g', String(i));
    assert.equal(client.received.length, 0);
    proxy.release();
    assert.deepEqual(await client.received.take(50), numbers(50).map(String));
    await assertUnbroken();
  });

  it('carries a running call across', async (t) => {
    const { client, cut, assertUnbroken } = await connectThroughProxy(t);
    const call = client.invoke('Slow', 700);
    await until(() => client.outgoing.some((message) => message.target === 'Slow'), 'the call is on its way');
    cut();
    assert.equal(await call, 'slow');
    await assertUnbroken();
  });

  it('carries a stream from the hub across', async (t) => {
    const { client, cut, assertUnbroken } = await connectThroughProxy(t);
    const items = [];
    await within(new Promise((complete, error) => {
      client.hub.stream('Counter', 100, 5).subscribe({
        next: (item) => {
          items.push(item);
          if (item === 30) cut();
        },
        complete,
        error,
      });
    }), 'the end of the stream');
    assert.deepEqual(items, numbers(100));
    await assertUnbroken();
  });

  it('carries a stream to the hub across', async (t) => {
    const { client, cut, assertUnbroken } = await connectThroughProxy(t);
    const subject = new Subject();
    const result = client.invoke('Upload', subject);
    for (const i of numbers(100)) {
      subject.next(i);
      if (i === 50) cut();
    }
    subject.complete();
    assert.equal(await result, 4950);
    await assertUnbroken();
  });

  it('carries a question to the client across', async (t) => {
    const { client, cut, assertUnbroken } = await connectThroughProxy(t, {
      handlers: {
        Ask: (x) => {
          cut();
          return x + 1;
        },
      },
    });
    assert.equal(await client.invoke('AskCaller', 1), 2);
    await assertUnbroken();
  });

  it('goes on over one cut after the other', async (t) => {
    const { client, cut, assertUnbroken } = await connectThroughProxy(t);
    for (const i of numbers(10)) {
      cut();
      assert.equal(await client.invoke('Add', i, 1), i + 1);
    }
    await assertUnbroken();
  });

  it('ends with stop(), as ever', async (t) => {
    const { client, cut, assertUnbroken } = await connectThroughProxy(t);
    cut();
    await assertUnbroken();
    await client.hub.stop();
    assert.equal(await client.closed.next(), undefined);
    await until(async () => await server.connections() === 0, 'the server has no connections');
  });

  it('does not outlive an abort by the server', async (t) => {
    const { client } = await connectThroughProxy(t);
    await assert.rejects(client.invoke('AbortMe'));
    assert.equal(await client.closed.next(), undefined);
    await until(async () => await server.connections() === 0, 'the server has no connections');
  });
}, [webSocketsJSON, webSocketsMessagePack]);

describe('stateful reconnect when the server is gone', () => {
  it('becomes an ordinary reconnect', async (t) => {
    const server = new Server({ STATEFUL: '1' });
    cleanup(t, () => server.stop());
    await server.start();
    const client = await connect(t, server, webSocketsJSON, {
      stateful: true, reconnect: { nextRetryDelayInMilliseconds: () => 100 },
    });
    const { id } = client;
    await server.kill();
    await server.start(server.port);
    const newID = await client.reconnected.next(20_000);
    assert.notEqual(newID, id);
    assert.equal(await client.invoke('Me'), newID);
  });
});

matrix('stateful reconnect on other transports', (cell) => {
  const server = useServer({ STATEFUL: '1' });

  it('changes nothing', async (t) => {
    const client = await connect(t, server, cell, { stateful: true });
    await client.invoke('Burst', 50);
    assert.deepEqual(await client.seq.take(50), numbers(50));
    assert.equal(await client.invoke('Add', 1, 2), 3);
  });
}, cells.filter((cell) => cell !== webSocketsJSON && cell !== webSocketsMessagePack));

matrix('stateful reconnect with a server that does not allow it', (cell) => {
  const server = useServer();

  it('is an ordinary connection', async (t) => {
    const proxy = await Proxy.inFrontOf(t, server);
    const client = await connect(t, proxy, cell, { stateful: true });
    assert.equal(await client.invoke('Add', 1, 2), 3);
    proxy.cut();
    await client.closed.next();
  });
}, [webSocketsJSON, webSocketsMessagePack]);
