// The hub asks a client and waits for its answer.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { connect } from './harness/client.mjs';
import { matrix, webSocketsJSON } from './harness/matrix.mjs';
import { useServer } from './harness/server.mjs';
import { within } from './harness/wait.mjs';

const asking = "An unexpected error occurred invoking 'AskCaller' on the server.";

matrix('client results', (cell) => {
  const server = useServer();

  it('come from the caller in the middle of its own call', async (t) => {
    const client = await connect(t, server, cell, { handlers: { Ask: (x) => x * 2 } });
    assert.equal(await client.invoke('AskCaller', 21), 42);
    assert.equal(await client.invoke('AskCaller', 0), 0);
  });

  it('may take the client a while, in which it may call the hub', async (t) => {
    const client = await connect(t, server, cell, {
      handlers: { Ask: async (x) => x + await client.invoke('Add', x, x) },
    });
    assert.equal(await client.invoke('AskCaller', 5), 15);
  });

  it('of many questions at once find their way back', async (t) => {
    const client = await connect(t, server, cell, { handlers: { Ask: async (x) => x + 100 } });
    const answers = await Promise.all([1, 2, 3, 4, 5].map((x) => client.invoke('AskCaller', x)));
    assert.deepEqual(answers, [101, 102, 103, 104, 105]);
  });

  it('come from another client', async (t) => {
    const asker = await connect(t, server, cell);
    const asked = await connect(t, server, cell, { handlers: { AskText: (q) => `${q}? Because. 😀` } });
    assert.equal(await asker.invoke('AskOther', asked.id, 'Why'), 'Why? Because. 😀');
  });

  it('of a client that asks itself by its id come too', async (t) => {
    const client = await connect(t, server, cell, { handlers: { AskText: (q) => q.toUpperCase() } });
    assert.equal(await client.invoke('AskOther', client.id, 'me'), 'ME');
  });

  it('come to who asks from outside the hub', async (t) => {
    const client = await connect(t, server, cell, { handlers: { Result: () => 4711 } });
    assert.equal(await server.request('GET', `/clientresult/${client.id}`), '4711');
  });

  it('that are errors reach the asker as a hub error', async (t) => {
    const refuse = () => { throw new Error('none of your business'); };
    const client = await connect(t, server, cell, { handlers: { Ask: refuse, Result: refuse } });
    await assert.rejects(client.invoke('AskCaller', 1), {
      message: `${asking} HubException: Error: none of your business`,
    });
    assert.equal(await server.request('GET', `/clientresult/${client.id}`), 'Error: none of your business');
  });

  it('that are missing reach the asker as a hub error', async (t) => {
    const client = await connect(t, server, cell, { handlers: { Result: () => {} } });
    await assert.rejects(client.invoke('AskCaller', 1), {
      message: `${asking} HubException: Client didn't provide a result.`,
    });
    assert.equal(await server.request('GET', `/clientresult/${client.id}`), "Client didn't provide a result.");
  });

  it('of the wrong type reach the asker as a hub error', async (t) => {
    const client = await connect(t, server, cell, { handlers: { Ask: () => 'forty-two', Result: () => 'forty-two' } });
    await assert.rejects(client.invoke('AskCaller', 1), {
      message: /^An unexpected error occurred invoking 'AskCaller' on the server\. HubException: Error trying to deserialize result to /,
    });
    assert.match(await server.request('GET', `/clientresult/${client.id}`), /^Error trying to deserialize result to /);
    assert.equal(await client.invoke('Echo', 'alive'), 'alive');
  });

  it('cannot come from a client that does not exist', async (t) => {
    const client = await connect(t, server, cell);
    await assert.rejects(client.invoke('AskOther', 'nobody', 'q'), {
      message: "An unexpected error occurred invoking 'AskOther' on the server.",
    });
    assert.equal(await server.request('GET', '/clientresult/nobody'), "Connection 'nobody' does not exist.");
  });

  it('cannot come from a client that leaves instead of answering', async (t) => {
    const client = await connect(t, server, cell, { handlers: { Result: () => client.hub.stop() } });
    const { id } = client;
    // Another server of a farm, which may be the one that was asked, does not hear which.
    const answer = await server.request('GET', `/clientresult/${id}`);
    assert.ok([`Connection '${id}' disconnected.`, 'Connection disconnected.'].includes(answer), answer);
  });
});

describe('client results that never come', () => {
  const server = useServer();

  it('are given up when the asker does, and the connection lives on', async (t) => {
    let answerLate;
    const never = new Promise((resolve) => { answerLate = resolve; });
    const client = await connect(t, server, webSocketsJSON, { handlers: { Ask: () => never, Result: () => never } });
    const fromOutside = server.request('GET', `/clientresult/${client.id}`);
    await assert.rejects(client.invoke('AskCaller', 1), {
      message: `${asking} HubException: Invocation canceled by the server.`,
    });
    assert.equal(await within(fromOutside, 'the answer from outside'), 'Invocation canceled by the server.');
    answerLate(1);
    assert.equal(await client.invoke('Echo', 'alive'), 'alive');
  });
});
