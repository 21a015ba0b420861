// How a connection comes about: negotiation, choice of the transport, handshake, the first message.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HttpTransportType, HubConnectionState } from '@microsoft/signalr';
import { build, connect, json, messagePack, LongPolling, ServerSentEvents, WebSockets } from './harness/client.mjs';
import { matrix, noMessagePack } from './harness/matrix.mjs';
import { useServer } from './harness/server.mjs';
import { until } from './harness/wait.mjs';

const jsonProtocol = { ...json, transport: undefined };
const messagePackProtocol = { ...messagePack, transport: undefined };

// Says which transport the client settled on. Its log is the only place where it tells.
function chosenTransport(client) {
  const selected = client.log.filter((line) => line.includes("Selecting transport '"));
  return /'(.+)'/.exec(selected.at(-1))[1];
}

matrix('connecting', (cell) => {
  const server = useServer();

  it('gives the client the connection id that the hub sees', async (t) => {
    const client = await connect(t, server, cell);
    assert.equal(client.hub.state, HubConnectionState.Connected);
    assert.ok(client.id);
    assert.equal(await client.invoke('Me'), client.id);
    assert.equal(chosenTransport(client), HttpTransportType[cell.transport]);
  });

  it('delivers what OnConnected sends', async (t) => {
    const client = await connect(t, server, cell, { path: '/hub?hello=1' });
    assert.equal(await client.hello.next(), client.id);
  });

  it('keeps two connections apart', async (t) => {
    const [a, b] = [await connect(t, server, cell), await connect(t, server, cell)];
    assert.notEqual(a.id, b.id);
    assert.equal(await a.invoke('Me'), a.id);
    assert.equal(await b.invoke('Me'), b.id);
  });

  it('counts as a connection until it stops', async (t) => {
    const serverHas = (n) => until(async () => await server.connections() === n, `the server has ${n} connections`);
    await serverHas(0); // those of other tests are gone
    const client = await connect(t, server, cell);
    await client.invoke('Void'); // OnConnected has run by then
    await serverHas(1);
    await client.hub.stop();
    await serverHas(0);
  });
});

describe('a client', () => {
  const server = useServer();

  it('prefers WebSockets', async (t) => {
    const client = await connect(t, server, jsonProtocol);
    assert.equal(chosenTransport(client), 'WebSockets');
  });

  it('negotiates anew and falls back to server-sent events when WebSockets fail', async (t) => {
    class BlockedWebSocket {
      constructor() {
        setImmediate(() => this.onclose({}));
      }
    }
    const client = await connect(t, server, jsonProtocol, { http: { WebSocket: BlockedWebSocket } });
    assert.equal(chosenTransport(client), 'ServerSentEvents');
    assert.equal(client.log.filter((line) => line.includes('Sending negotiation request')).length, 2);
    assert.equal(await client.invoke('Me'), client.id);
  });

  it('skips server-sent events for MessagePack', { skip: noMessagePack }, async (t) => {
    const cell = { ...messagePack, transport: ServerSentEvents | LongPolling };
    const client = await connect(t, server, cell);
    assert.equal(chosenTransport(client), 'LongPolling');
    assert.equal(await client.invoke('Echo', 'binary'), 'binary');
  });

  it('fails clearly when only server-sent events are allowed for MessagePack', async (t) => {
    const client = build(t, server, { ...messagePack, transport: ServerSentEvents });
    await assert.rejects(client.hub.start(), {
      message: 'Unable to connect to the server with any of the available transports.'
        + " WebSockets failed: Error: 'WebSockets' is disabled by the client."
        + " ServerSentEvents failed: Error: 'ServerSentEvents' does not support Binary."
        + " LongPolling failed: Error: 'LongPolling' is disabled by the client.",
    });
  });

  // On other transports the client may hear the answer before its own POST has returned, and then leaves a rejected
  // promise unattended, which the test runner counts as a failure.
  it('refuses a protocol that the server does not know, and says which', async (t) => {
    const newProtocol = () => Object.assign(json.newProtocol(), { name: 'smoke-signals' });
    const client = build(t, server, { newProtocol, transport: WebSockets });
    await assert.rejects(client.hub.start(), {
      message: "Server returned handshake error: The protocol 'smoke-signals' is not supported.",
    });
    assert.equal(client.hub.state, HubConnectionState.Disconnected);
  });

  it('can skip the negotiation with WebSockets', async (t) => {
    const cell = { ...json, transport: WebSockets };
    const client = await connect(t, server, cell, { http: { skipNegotiation: true }, path: '/hub?hello=1' });
    assert.equal(client.id, null); // nobody told the client
    assert.equal(await client.invoke('Me'), await client.hello.next());
  });

  it('says that a path is no hub', async (t) => {
    const client = build(t, server, jsonProtocol, { path: '/nothing' });
    await assert.rejects(client.hub.start(), {
      message: /^Failed to complete negotiation .* Status code '404' Either this is not a SignalR endpoint or there is a proxy/s,
    });
  });
});

for (const [transports, protocol, expected] of [
  ['LongPolling', jsonProtocol, 'LongPolling'],
  ['ServerSentEvents', jsonProtocol, 'ServerSentEvents'],
  ['ServerSentEvents,LongPolling', jsonProtocol, 'ServerSentEvents'],
  ['ServerSentEvents,LongPolling', messagePackProtocol, 'LongPolling'],
]) {
  const skip = protocol === messagePackProtocol && noMessagePack;
  describe(`a server that offers ${transports} only`, { skip }, () => {
    const server = useServer({ TRANSPORTS: transports });

    it(`gets ${expected} for ${protocol.name}`, async (t) => {
      const client = await connect(t, server, protocol);
      assert.equal(chosenTransport(client), expected);
      assert.equal(await client.invoke('Add', 1, 2), 3);
    });

    it(`is of no use for a ${protocol.name} client that wants WebSockets`, async (t) => {
      const client = build(t, server, { ...protocol, transport: WebSockets });
      await assert.rejects(client.hub.start(), {
        message: /^Unable to connect to the server with any of the available transports\..* is disabled by the client\./,
      });
    });
  });
}
