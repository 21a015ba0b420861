// Streams from the hub, streams to the hub, and both at once.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Subject } from '@microsoft/signalr';
import { connect } from './harness/client.mjs';
import { matrix } from './harness/matrix.mjs';
import { useServer } from './harness/server.mjs';
import { Inbox, until, within } from './harness/wait.mjs';

const numbers = (n) => Array.from({ length: n }, (_, i) => i);
const sum = (values) => values.reduce((a, b) => a + b, 0);

// A stream being read: its items, and a promise of how it ended.
function read(stream) {
  const items = new Inbox('stream item');
  let subscription;
  const ended = new Promise((resolve, reject) => {
    subscription = stream.subscribe({ next: (item) => items.push(item), complete: resolve, error: reject });
  });
  ended.catch(() => {}); // a test that cancels the stream does not look at its end
  return { items, ended: () => within(ended, 'the end of the stream'), cancel: () => subscription.dispose() };
}

// All items of a stream that must end well.
async function collect(stream) {
  const { items, ended } = read(stream);
  await ended();
  return items.take(items.length);
}

// A stream of these values, which starts as soon as the call that it belongs to is on its way.
function upload(values) {
  const subject = new Subject();
  const start = () => {
    for (const value of values) subject.next(value);
    subject.complete();
  };
  return { subject, start };
}

matrix('streams from the hub', (cell) => {
  const server = useServer();

  for (const method of ['Counter', 'CounterChannel']) {
    it(`${method} delivers all items in order, then completes`, async (t) => {
      const client = await connect(t, server, cell);
      assert.deepEqual(await collect(client.hub.stream(method, 100, 0)), numbers(100));
    });

    it(`${method} delivers items as they come, not at the end`, async (t) => {
      const client = await connect(t, server, cell);
      const stream = read(client.hub.stream(method, 3, 6000));
      assert.equal(await stream.items.next(5000), 0);
      stream.cancel();
    });

    it(`${method} may be empty`, async (t) => {
      const client = await connect(t, server, cell);
      assert.deepEqual(await collect(client.hub.stream(method, 0, 0)), []);
    });
  }

  it('end with the text of a hub error, after the items before it', async (t) => {
    const client = await connect(t, server, cell);
    const stream = read(client.hub.stream('CounterFail', 3));
    await assert.rejects(stream.ended(), {
      message: 'An error occurred on the server while streaming results. HubException: stream failed on purpose',
    });
    assert.deepEqual(await stream.items.take(3), [0, 1, 2]);
    assert.equal(stream.items.length, 0);
    assert.equal(await client.invoke('Echo', 'alive'), 'alive');
  });

  for (const [method, ...args] of [['Infinite'], ['Counter', 1_000_000, 5], ['CounterChannel', 1_000_000, 5]]) {
    it(`${method} ends when the client cancels`, async (t) => {
      const client = await connect(t, server, cell);
      const stream = read(client.hub.stream(method, ...args));
      await stream.items.take(5);
      stream.cancel();
      // The client drops what still comes; the wire shows that the server has stopped.
      const completion = () => client.incoming.find((message) => message.type === 3);
      await until(completion, 'the server completed the stream');
      assert.equal(completion().invocationId, '0');
      if (method !== 'CounterChannel') assert.ok(!completion().error, completion().error);
      const last = client.incoming.at(-1);
      assert.equal(await client.invoke('Echo', 'alive'), 'alive');
      const behind = client.incoming.slice(client.incoming.indexOf(last));
      assert.ok(!behind.some((message) => message.type === 2), 'items came after the end');
    });
  }

  it('run side by side, and calls go on meanwhile', async (t) => {
    const client = await connect(t, server, cell);
    const endless = read(client.hub.stream('Infinite'));
    const counts = [50, 40, 30].map((n) => collect(client.hub.stream('Counter', n, 2)));
    assert.equal(await client.invoke('Add', 1, 2), 3);
    assert.deepEqual(await Promise.all(counts), [numbers(50), numbers(40), numbers(30)]);
    assert.deepEqual(await endless.items.take(10), numbers(10));
    endless.cancel();
  });

  it('end with the connection', async (t) => {
    const client = await connect(t, server, cell);
    const stream = read(client.hub.stream('Infinite'));
    await stream.items.next();
    await client.hub.stop();
    await assert.rejects(stream.ended(), {
      message: 'Invocation canceled due to the underlying connection being closed.',
    });
    await until(async () => await server.connections() === 0, 'the server has no connections');
  });

  it('of many items do not get lost or mixed up', async (t) => {
    const client = await connect(t, server, cell);
    assert.deepEqual(await collect(client.hub.stream('CounterFail', 2000)).catch(() => 'failed'), 'failed');
    const items = client.incoming.filter((message) => message.type === 2).map((message) => message.item);
    assert.deepEqual(items, numbers(2000));
  });

  const failures = [
    ['an unknown method', ['NoSuchStream'],
      "Failed to invoke 'NoSuchStream' due to an error on the server. HubException: Method does not exist."],
    ['a method that is no stream', ['Echo', 'x'],
      "The client attempted to invoke the non-streaming 'Echo' method with a streaming invocation."],
    ['arguments that do not fit', ['Counter', 'many', 0],
      "Failed to invoke 'Counter' due to an error on the server."],
    ['too few arguments', ['Counter', 1],
      "Failed to invoke 'Counter' due to an error on the server."],
  ];
  for (const [what, call, message] of failures) {
    it(`fail for ${what}`, async (t) => {
      const client = await connect(t, server, cell);
      const stream = read(client.hub.stream(...call));
      await assert.rejects(stream.ended(), { message });
      assert.equal(stream.items.length, 0);
      assert.equal(await client.invoke('Echo', 'alive'), 'alive');
    });
  }

  it('are not for plain calls', async (t) => {
    const client = await connect(t, server, cell);
    await assert.rejects(client.invoke('Counter', 3, 0), {
      message: "The client attempted to invoke the streaming 'Counter' method with a non-streaming invocation.",
    });
  });
});

matrix('streams to the hub', (cell) => {
  const server = useServer();

  it('are read to their end', async (t) => {
    const client = await connect(t, server, cell);
    const { subject, start } = upload(numbers(10));
    const result = client.invoke('Upload', subject);
    start();
    assert.equal(await result, 45);
  });

  it('may be empty', async (t) => {
    const client = await connect(t, server, cell);
    const { subject, start } = upload([]);
    const result = client.invoke('Upload', subject);
    start();
    assert.equal(await result, 0);
  });

  it('of many more items than the server buffers arrive whole', async (t) => {
    const client = await connect(t, server, cell);
    const { subject, start } = upload(numbers(300));
    const result = client.invoke('Upload', subject);
    start();
    assert.equal(await result, sum(numbers(300)));
  });

  it('that fail make the call fail with their error', async (t) => {
    const client = await connect(t, server, cell);
    const subject = new Subject();
    const result = client.invoke('Upload', subject);
    subject.next(1);
    subject.error(new Error('the client changed its mind'));
    await assert.rejects(result, {
      message: "An unexpected error occurred invoking 'Upload' on the server. HubException: the client changed its mind",
    });
    assert.equal(await client.invoke('Echo', 'alive'), 'alive');
  });

  it('of items that do not fit make the call fail', async (t) => {
    const client = await connect(t, server, cell);
    const { subject, start } = upload([1, 'two', 3]);
    const result = client.invoke('Upload', subject);
    start();
    await assert.rejects(result, { message: /^An unexpected error occurred invoking 'Upload' on the server\./ });
    // The client goes on uploading; stopping it before it is done would leave it with a send that nobody looks after.
    await until(() => client.outgoing.some((message) => message.type === 3), 'the upload is over');
    assert.equal(await client.invoke('Echo', 'alive'), 'alive');
  });

  // Not side by side in the call: the client overlooks a stream that directly follows another one.
  it('go together, two in one call, with an ordinary argument', async (t) => {
    const client = await connect(t, server, cell);
    const [a, b] = [new Subject(), new Subject()];
    const result = client.invoke('UploadTwo', a, 'name', b);
    for (const i of numbers(100)) {
      a.next(i);
      if (i % 2 === 0) b.next(1000);
    }
    b.complete();
    a.next(7);
    a.complete();
    assert.equal(await result, sum(numbers(100)) + 50 * 1000 + 7);
  });

  it('of several calls run side by side', async (t) => {
    const client = await connect(t, server, cell);
    const uploads = numbers(5).map((i) => upload(numbers(20).map((n) => n * i)));
    const results = uploads.map(({ subject }) => client.invoke('Upload', subject));
    assert.equal(await client.invoke('Echo', 'meanwhile'), 'meanwhile');
    for (const { start } of uploads) start();
    assert.deepEqual(await Promise.all(results), numbers(5).map((i) => i * sum(numbers(20))));
  });

  it('are counted: a call without its stream fails', async (t) => {
    const client = await connect(t, server, cell);
    await assert.rejects(client.invoke('Upload'), {
      message: "An unexpected error occurred invoking 'Upload' on the server."
        + ' HubException: Client sent 0 stream(s), Hub method expects 1.',
    });
  });
});

matrix('streams both ways', (cell) => {
  const server = useServer();

  it('return each item as it comes', async (t) => {
    const client = await connect(t, server, cell);
    const subject = new Subject();
    const stream = read(client.hub.stream('UploadDouble', subject));
    for (const i of [1, 20, 300]) {
      subject.next(i);
      assert.equal(await stream.items.next(), 2 * i);
    }
    subject.complete();
    await stream.ended();
  });

  it('keep many items in order', async (t) => {
    const client = await connect(t, server, cell);
    const { subject, start } = upload(numbers(300));
    const doubled = collect(client.hub.stream('UploadDouble', subject));
    start();
    assert.deepEqual(await doubled, numbers(300).map((i) => 2 * i));
  });
});
