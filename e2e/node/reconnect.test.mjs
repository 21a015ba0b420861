// Automatic reconnect of the client, as its users know it: a new connection that has to subscribe again.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { HubConnectionState } from '@microsoft/signalr';
import { cleanup } from './harness/cleanup.mjs';
import { connect } from './harness/client.mjs';
import { matrix } from './harness/matrix.mjs';
import { Proxy } from './harness/proxy.mjs';
import { Server } from './harness/server.mjs';

// Tries again every 100 ms, for ever. `first` delays the first attempt.
const untilItWorks = (first = 100) => ({
  nextRetryDelayInMilliseconds: ({ previousRetryCount }) => (previousRetryCount === 0 ? first : 100),
});

async function startServer(t) {
  const server = new Server();
  cleanup(t, () => server.stop());
  await server.start();
  return server;
}

// What a member of group g receives from now on when somebody sends to g. On a farm, what goes to a group can be
// overtaken by what goes to one connection, and never by a broadcast.
async function hearsGroup(client) {
  await client.invoke('SendToGroup', 'g', 'm');
  await client.invoke('Broadcast', 'end');
  return client.received.upTo('end');
}

async function comesBack(client, oldID) {
  const error = await client.reconnecting.next();
  const newID = await client.reconnected.next(20_000);
  assert.equal(client.hub.state, HubConnectionState.Connected);
  assert.notEqual(newID, oldID);
  assert.equal(newID, client.id);
  assert.equal(await client.invoke('Me'), newID);
  assert.equal(client.closed.length, 0);
  return error;
}

matrix('reconnect', (cell) => {
  it('after the server crashed and was started again; groups must be joined again', async (t) => {
    const server = await startServer(t);
    const client = await connect(t, server, cell, { reconnect: untilItWorks(), user: 'alice' });
    const { id } = client;
    await client.invoke('JoinGroup', 'g');
    assert.deepEqual(await hearsGroup(client), ['m']);

    await server.kill();
    await server.start(server.port);
    await comesBack(client, id);
    assert.equal(await client.invoke('User'), 'alice');
    assert.deepEqual(await hearsGroup(client), []);
    await client.invoke('JoinGroup', 'g');
    assert.deepEqual(await hearsGroup(client), ['m']);
  });

  it('after the server was stopped in an orderly way and started again', async (t) => {
    const server = await startServer(t);
    // The first attempt waits until the server is gone: one that stops may still accept, and drop, a connection.
    const client = await connect(t, server, cell, { reconnect: untilItWorks(1500) });
    const { id } = client;
    await server.stop();
    await server.start(server.port);
    await comesBack(client, id);
  });

  it('after the connection was cut; groups must be joined again', async (t) => {
    const server = await startServer(t);
    const proxy = await Proxy.inFrontOf(t, server);
    const client = await connect(t, proxy, cell, { reconnect: untilItWorks() });
    const { id } = client;
    await client.invoke('JoinGroup', 'g');

    for (const lost of [id, undefined]) {
      const before = lost ?? client.id;
      proxy.cut();
      await comesBack(client, before);
      assert.deepEqual(await hearsGroup(client), []);
      await client.invoke('JoinGroup', 'g');
      assert.deepEqual(await hearsGroup(client), ['m']);
    }
  });

  it('cancels the calls that were running', async (t) => {
    const server = await startServer(t);
    const proxy = await Proxy.inFrontOf(t, server);
    const client = await connect(t, proxy, cell, { reconnect: untilItWorks() });
    const { id } = client;
    const call = assert.rejects(client.invoke('Slow', 500));
    proxy.cut();
    await call;
    await comesBack(client, id);
  });

  it('is given up after the last delay', async (t) => {
    const server = await startServer(t);
    const client = await connect(t, server, cell, { reconnect: [0, 50, 50] });
    await server.kill();
    await client.reconnecting.next();
    await client.closed.next();
    assert.equal(client.hub.state, HubConnectionState.Disconnected);
    assert.equal(client.reconnected.length, 0);
  });

  it('can be stopped while the server is away', async (t) => {
    const server = await startServer(t);
    const client = await connect(t, server, cell, { reconnect: [60_000] });
    await server.kill();
    await client.reconnecting.next();
    assert.equal(client.hub.state, HubConnectionState.Reconnecting);
    await client.hub.stop();
    assert.equal(client.hub.state, HubConnectionState.Disconnected);
    assert.equal(await client.closed.next(), undefined);
  });
});
