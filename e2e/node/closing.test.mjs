// How connections end: by the client, by the server, by the network.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { HubConnectionState } from '@microsoft/signalr';
import { connect } from './harness/client.mjs';
import { cells, longPollingJSON, longPollingMessagePack, matrix } from './harness/matrix.mjs';
import { Proxy } from './harness/proxy.mjs';
import { useServer } from './harness/server.mjs';
import { until } from './harness/wait.mjs';

const canceled = { message: 'Invocation canceled due to the underlying connection being closed.' };

matrix('closing', (cell) => {
  const server = useServer();

  const serverHas = (n) => until(async () => await server.connections() === n, `the server has ${n} connections`);

  it('by stop() reaches the server at once and is no error', async (t) => {
    const client = await connect(t, server, cell);
    await client.invoke('Void');
    await serverHas(1);
    await client.hub.stop();
    assert.equal(client.hub.state, HubConnectionState.Disconnected);
    assert.equal(await client.closed.next(), undefined);
    await serverHas(0);
  });

  it('by stop() cancels calls that are still running', async (t) => {
    let running;
    const isRunning = new Promise((resolve) => { running = resolve; });
    const unanswered = () => { running(); return new Promise(() => {}); };
    const client = await connect(t, server, cell, { handlers: { Ask: unanswered } });
    const call = assert.rejects(client.invoke('AskCaller', 1), canceled);
    await isRunning; // A call that is still on its way may find the connection gone.
    await client.hub.stop();
    await call;
    await serverHas(0);
  });

  it('by stop() lets the client start again, as a new connection', async (t) => {
    const client = await connect(t, server, cell);
    const first = client.id;
    await client.hub.stop();
    await client.hub.start();
    assert.notEqual(client.id, first);
    assert.equal(await client.invoke('Me'), client.id);
  });

  it('removes the connection from its groups', async (t) => {
    const [stays, goes] = [await connect(t, server, cell), await connect(t, server, cell)];
    for (const client of [stays, goes]) await client.invoke('JoinGroup', 'g');
    await goes.hub.stop();
    await serverHas(1);
    await goes.hub.start();
    await stays.invoke('SendToGroup', 'g', 'm');
    await stays.invoke('Broadcast', 'end');
    assert.deepEqual(await stays.received.upTo('end'), ['m']);
    assert.deepEqual(await goes.received.upTo('end'), []);
  });

  it('by the server is final: no error, and no reconnect', async (t) => {
    const client = await connect(t, server, cell, { reconnect: [0, 0, 0] });
    await assert.rejects(client.invoke('AbortMe'), canceled);
    assert.equal(await client.closed.next(), undefined);
    assert.equal(client.hub.state, HubConnectionState.Disconnected);
    assert.equal(client.reconnecting.length, 0);
    await serverHas(0);
  });

  it('by the server does not touch other connections', async (t) => {
    const [aborted, other] = [await connect(t, server, cell), await connect(t, server, cell)];
    await assert.rejects(aborted.invoke('AbortMe'), canceled);
    assert.equal(await other.invoke('Echo', 'alive'), 'alive');
  });
});

// A long-polling client that vanishes is missed only after 15 s without a poll: see the transcripts of the Go tests.
matrix('a cut connection', (cell) => {
  const server = useServer();

  it('is noticed on both sides', async (t) => {
    const proxy = await Proxy.inFrontOf(t, server);
    const client = await connect(t, proxy, cell);
    const call = assert.rejects(client.invoke('Slow', 1000));
    proxy.cut();
    await call;
    await client.closed.next();
    assert.equal(client.hub.state, HubConnectionState.Disconnected);
    await until(async () => await server.connections() === 0, 'the server has no connections');
  });
}, cells.filter((cell) => cell !== longPollingJSON && cell !== longPollingMessagePack));
