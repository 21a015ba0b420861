// Who the user of a connection is, sends to users, and hubs for signed-in users only.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { HubConnectionState } from '@microsoft/signalr';
import { build, connect } from './harness/client.mjs';
import { matrix } from './harness/matrix.mjs';
import { useServer } from './harness/server.mjs';

const unauthorized = {
  message: "Failed to complete negotiation with the server: Error: Unauthorized: Status code '401'",
};

matrix('users', (cell) => {
  const server = useServer();

  it('are known by their access token', async (t) => {
    const client = await connect(t, server, cell, { user: 'alice' });
    assert.equal(await client.invoke('User'), 'alice');
  });

  it('are nobody without a token or with a bad one', async (t) => {
    const anonymous = await connect(t, server, cell);
    const stranger = await connect(t, server, cell, { token: 'forged' });
    assert.equal(await anonymous.invoke('User'), null);
    assert.equal(await stranger.invoke('User'), null);
  });

  it('hear what is sent to them on all of their connections', async (t) => {
    const alice1 = await connect(t, server, cell, { user: 'alice' });
    const alice2 = await connect(t, server, cell, { user: 'alice', path: '/authhub' });
    const upper = await connect(t, server, cell, { user: 'Alice' });
    const bob = await connect(t, server, cell, { user: 'bob' });
    const anonymous = await connect(t, server, cell);
    const all = [alice1, alice2, upper, bob, anonymous];

    await bob.invoke('SendToUser', 'alice', 'm');
    await bob.invoke('SendToUser', 'carol', 'nobody');
    await bob.invoke('Broadcast', 'end');
    assert.deepEqual(await Promise.all(all.map((client) => client.received.upTo('end'))), [['m'], ['m'], [], [], []]);
  });

  it('are let into a hub for signed-in users', async (t) => {
    const client = await connect(t, server, cell, { path: '/authhub', user: 'alice' });
    assert.equal(await client.invoke('User'), 'alice');
    assert.equal(await client.invoke('Add', 1, 2), 3);
  });

  it('without a token are refused there with 401', async (t) => {
    const client = build(t, server, cell, { path: '/authhub' });
    await assert.rejects(client.hub.start(), unauthorized);
    assert.equal(client.hub.state, HubConnectionState.Disconnected);
  });

  it('with a bad token are refused there with 401', async (t) => {
    const client = build(t, server, cell, { path: '/authhub', token: 'forged' });
    await assert.rejects(client.hub.start(), unauthorized);
  });
});
