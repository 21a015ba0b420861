// Who hears what: all, others, the caller, one connection, everybody except some, groups.
//
// That somebody hears nothing cannot be waited for. So every test ends with a broadcast of `end`: what was sent before
// it has come before it, and whatever else came would stand before it too.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { connect } from './harness/client.mjs';
import { matrix } from './harness/matrix.mjs';
import { useServer } from './harness/server.mjs';

matrix('sends', (cell) => {
  const server = useServer();

  const three = (t) => Promise.all([1, 2, 3].map(() => connect(t, server, cell)));

  // What each client received until now.
  async function heard(clients) {
    await clients[0].invoke('Broadcast', 'end');
    return Promise.all(clients.map((client) => client.received.upTo('end')));
  }

  it('reach all', async (t) => {
    const [a, b, c] = await three(t);
    await a.invoke('Broadcast', 'm');
    assert.deepEqual(await heard([a, b, c]), [['m'], ['m'], ['m']]);
  });

  it('reach the caller', async (t) => {
    const [a, b, c] = await three(t);
    await a.invoke('SendCaller', 'm');
    assert.deepEqual(await heard([a, b, c]), [['m'], [], []]);
  });

  it('reach the others', async (t) => {
    const [a, b, c] = await three(t);
    await a.invoke('SendOthers', 'm');
    assert.deepEqual(await heard([a, b, c]), [[], ['m'], ['m']]);
  });

  it('reach one connection', async (t) => {
    const [a, b, c] = await three(t);
    await a.invoke('SendTo', b.id, 'm');
    await a.invoke('SendTo', a.id, 'to myself');
    assert.deepEqual(await heard([a, b, c]), [['to myself'], ['m'], []]);
  });

  it('to a connection that does not exist are no error', async (t) => {
    const [a, b, c] = await three(t);
    assert.equal(await a.invoke('SendTo', 'nobody', 'm'), null);
    assert.deepEqual(await heard([a, b, c]), [[], [], []]);
  });

  it('reach all except some', async (t) => {
    const [a, b, c] = await three(t);
    await a.invoke('SendAllExcept', [a.id, c.id, 'nobody'], 'm');
    await a.invoke('SendAllExcept', [], 'for all');
    assert.deepEqual(await heard([a, b, c]), [['for all'], ['m', 'for all'], ['for all']]);
  });

  it('reach all from outside the hub', async (t) => {
    const [a, b, c] = await three(t);
    await server.request('POST', '/push?m=news%20%F0%9F%98%80');
    assert.deepEqual(await heard([a, b, c]), [['news 😀'], ['news 😀'], ['news 😀']]);
  });

  it('of every kind of text arrive unchanged', async (t) => {
    const [a, b] = await three(t);
    const texts = ['', '😀 𝄞', '<b>"&\\', 'a\r\nb\nc', '\u001e\u0000', null];
    for (const text of texts) await a.invoke('SendTo', b.id, text);
    assert.deepEqual(await b.received.take(texts.length), texts);
  });

  it('to a method without a handler are ignored by the client', async (t) => {
    const client = await connect(t, server, cell, { path: '/hub?hello=1' });
    client.hub.off('Seq');
    await client.invoke('Burst', 3);
    assert.equal(await client.invoke('Echo', 'alive'), 'alive');
  });

  it('to a group reach its members, the sender too if it is one', async (t) => {
    const [a, b, c] = await three(t);
    await a.invoke('JoinGroup', 'g');
    await b.invoke('JoinGroup', 'g');
    await a.invoke('SendToGroup', 'g', 'from a member');
    await c.invoke('SendToGroup', 'g', 'from outside');
    assert.deepEqual(await heard([a, b, c]), [
      ['from a member', 'from outside'], ['from a member', 'from outside'], [],
    ]);
  });

  it('to a group do not reach who left it', async (t) => {
    const [a, b, c] = await three(t);
    for (const client of [a, b]) await client.invoke('JoinGroup', 'g');
    await b.invoke('LeaveGroup', 'g');
    await a.invoke('SendToGroup', 'g', 'm');
    assert.deepEqual(await heard([a, b, c]), [['m'], [], []]);
    await b.invoke('JoinGroup', 'g');
    await a.invoke('SendToGroup', 'g', 'again');
    assert.deepEqual(await heard([a, b, c]), [['again'], ['again'], []]);
  });

  it('to a group come once, however often it was joined; leaving once is enough', async (t) => {
    const [a, b] = await three(t);
    for (let i = 0; i < 3; i++) await b.invoke('JoinGroup', 'g');
    await a.invoke('SendToGroup', 'g', 'once');
    assert.deepEqual(await heard([a, b]), [[], ['once']]); // of several servers, that of b must have got it before b leaves
    await b.invoke('LeaveGroup', 'g');
    await b.invoke('LeaveGroup', 'never joined');
    await a.invoke('SendToGroup', 'g', 'not any more');
    assert.deepEqual(await heard([a, b]), [[], []]);
  });

  it('to the others in a group do not reach the sender', async (t) => {
    const [a, b, c] = await three(t);
    for (const client of [a, b]) await client.invoke('JoinGroup', 'g');
    await a.invoke('SendToOthersInGroup', 'g', 'm');
    await c.invoke('SendToOthersInGroup', 'g', 'from outside');
    assert.deepEqual(await heard([a, b, c]), [['from outside'], ['m', 'from outside'], []]);
  });

  it('to a group except some reach the rest of it', async (t) => {
    const [a, b, c] = await three(t);
    for (const client of [a, b]) await client.invoke('JoinGroup', 'g');
    await c.invoke('SendGroupExcept', 'g', [b.id, c.id], 'm');
    assert.deepEqual(await heard([a, b, c]), [['m'], [], []]);
  });

  it('to a group mind the case of its name, and any name will do', async (t) => {
    const [a, b, c] = await three(t);
    await a.invoke('JoinGroup', 'Team');
    await b.invoke('JoinGroup', 'team');
    await c.invoke('JoinGroup', 'Räume: 1/2 😀');
    await a.invoke('SendToGroup', 'team', 'lower');
    await a.invoke('SendToGroup', 'Team', 'upper');
    await a.invoke('SendToGroup', 'TEAM', 'nobody');
    await a.invoke('SendToGroup', 'Räume: 1/2 😀', 'odd');
    assert.deepEqual(await heard([a, b, c]), [['upper'], ['lower'], ['odd']]);
  });

  it('to a group without members are no error', async (t) => {
    const [a] = await three(t);
    assert.equal(await a.invoke('SendToGroup', 'empty', 'm'), null);
  });
});
