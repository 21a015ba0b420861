// What a client is told when a call goes wrong, and what it is not told.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { connect } from './harness/client.mjs';
import { matrix, webSocketsJSON } from './harness/matrix.mjs';
import { useServer } from './harness/server.mjs';

matrix('errors', (cell) => {
  const server = useServer();

  const failures = [
    ['a hub error with its text', ['Fail'],
      "An unexpected error occurred invoking 'Fail' on the server. HubException: failed on purpose"],
    ['any other error without its text', ['Panic'],
      "An unexpected error occurred invoking 'Panic' on the server."],
    ['an unknown method', ['NoSuchMethod', 1],
      "Failed to invoke 'NoSuchMethod' due to an error on the server. HubException: Method does not exist."],
    ['too few arguments', ['Add', 1],
      "Failed to invoke 'Add' due to an error on the server."],
    ['too many arguments', ['Add', 1, 2, 3],
      "Failed to invoke 'Add' due to an error on the server."],
    ['an argument of the wrong type', ['Add', 1, 'two'],
      "Failed to invoke 'Add' due to an error on the server."],
    ['a fraction for an integer', ['Add', 1, 2.5],
      "Failed to invoke 'Add' due to an error on the server."],
    ['an integer out of range', ['Add', 1, 2147483648],
      "Failed to invoke 'Add' due to an error on the server."],
    ['null for an integer', ['Add', 1, null],
      "Failed to invoke 'Add' due to an error on the server."],
  ];

  for (const [what, call, message] of failures) {
    it(`reports ${what}, and the connection lives on`, async (t) => {
      const client = await connect(t, server, cell);
      await assert.rejects(client.invoke(...call), { message });
      assert.equal(await client.invoke('Echo', 'alive'), 'alive');
      assert.equal(client.closed.length, 0);
    });
  }

  it('does not call what looks like a method of every hub', async (t) => {
    const client = await connect(t, server, cell);
    for (const method of ['OnConnectedAsync', 'OnDisconnectedAsync', 'OnConnected', 'ToString', 'Dispose', 'Clients']) {
      await assert.rejects(client.invoke(method), {
        message: `Failed to invoke '${method}' due to an error on the server. HubException: Method does not exist.`,
      });
    }
  });
});

describe('detailed errors', () => {
  const server = useServer({ DETAILED: '1' });

  it('show the text of any error', async (t) => {
    const client = await connect(t, server, webSocketsJSON);
    await assert.rejects(client.invoke('Panic'), {
      message: /^An unexpected error occurred invoking 'Panic' on the server\. \S+: secret panic text$/,
    });
  });

  it('show why arguments did not fit', async (t) => {
    const client = await connect(t, server, webSocketsJSON);
    await assert.rejects(client.invoke('Add', 1), {
      message: /^Failed to invoke 'Add' due to an error on the server\. \S+: Invocation provides 1 argument\(s\) but target expects 2\.$/,
    });
    await assert.rejects(client.invoke('Add', 1, 'two'), {
      message: /^Failed to invoke 'Add' due to an error on the server\. \S+: Error binding arguments\. Make sure that the types of the provided values match the types of the hub method being invoked\.$/,
    });
  });
});
