// Three servers behind a balancer that sends each request to the next of them, whatever was before. `make farm` runs all
// the other tests against them, too.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { connect } from './harness/client.mjs';
import { cells, webSocketsJSON, webSocketsMessagePack } from './harness/matrix.mjs';
import { Proxy } from './harness/proxy.mjs';
import { useFarm, whyNoFarm } from './harness/server.mjs';
import { until } from './harness/wait.mjs';

describe('a farm', { skip: whyNoFarm() }, () => {
  const server = useFarm({ STATEFUL: '1' });

  it('lets clients of all transports and protocols, wherever they are, hear each other', async (t) => {
    const all = [];
    // Three of a kind, so that there is one on each server.
    for (const cell of [...cells, ...cells, ...cells]) {
      const client = await connect(t, server, cell, { user: 'alice' });
      assert.equal(await client.invoke('Me'), client.id);
      await client.invoke('JoinGroup', 'g');
      all.push(client);
    }
    assert.equal(await server.connections(), all.length);
    const hears = async (message) => {
      for (const client of all) assert.equal(await client.received.next(), message);
    };
    for (const [i, client] of all.entries()) {
      await client.invoke('SendToGroup', 'g', `group ${i}`);
      await hears(`group ${i}`);
    }
    for (const client of all.slice(0, 3)) {
      await client.invoke('SendToUser', 'alice', 'user');
      await hears('user');
      await client.invoke('Broadcast', 'all');
      await hears('all');
    }
    await all[0].invoke('SendTo', all[1].id, 'you');
    assert.equal(await all[1].received.next(), 'you');
    await Promise.all(all.map((client) => client.hub.stop()));
    await until(async () => await server.connections() === 0, 'the farm has no connections');
  });

  for (const cell of cells) {
    it(`asks clients on other servers (${cell.name})`, async (t) => {
      const asked = await connect(t, server, cell, { handlers: { AskText: (q) => `${q}?` } });
      for (const asker of [await connect(t, server, cell), await connect(t, server, cell), await connect(t, server, cell)]) {
        assert.equal(await asker.invoke('AskOther', asked.id, 'Why'), 'Why?');
      }
    });

    it(`keeps the order of what is sent and answered (${cell.name})`, async (t) => {
      const client = await connect(t, server, cell);
      await client.invoke('Burst', 200);
      for (let i = 0; i < 200; i++) assert.equal(await client.seq.next(), i);
      const calls = Array.from({ length: 50 }, (_, i) => client.hub.send('Note', i));
      await Promise.all(calls);
      assert.deepEqual(await client.invoke('Notes'), Array.from({ length: 50 }, (_, i) => i));
    });
  }

  for (const cell of [webSocketsJSON, webSocketsMessagePack]) {
    it(`lets a client go on whose network was cut, at any server (${cell.name})`, async (t) => {
      const proxy = await Proxy.inFrontOf(t, server);
      const client = await connect(t, proxy, cell, { stateful: true });
      const { id } = client;
      for (let cut = 0; cut < 4; cut++) {
        const call = client.invoke('Slow', 200);
        proxy.cut();
        assert.equal(await call, 'slow');
        assert.equal(client.id, id);
      }
      assert.equal(client.closed.length, 0);
    });
  }
});
