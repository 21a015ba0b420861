// What the client's own functional tests ask of their server, asked of ours: e2e/functionalhost.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { HttpTransportType, Subject, TransferFormat, VERSION } from '@microsoft/signalr';
import { HttpConnection } from '@microsoft/signalr/dist/cjs/HttpConnection.js';
import { cleanup } from './harness/cleanup.mjs';
import { build, connect, json, LongPolling, ServerSentEvents, WebSockets } from './harness/client.mjs';
import { useFunctionalHost } from './harness/functionalhost.mjs';
import { cells, matrix, webSocketsJSON } from './harness/matrix.mjs';
import { Inbox, within } from './harness/wait.mjs';

const host = useFunctionalHost();
const greeting = '你好，世界！';

const connectTo = (t, cell, path, options) => connect(t, host, cell, { path, ...options });

// The items of a stream, which must end well.
function collect(stream) {
  const items = [];
  return within(new Promise((resolve, error) => {
    stream.subscribe({ next: (item) => items.push(item), complete: () => resolve(items), error });
  }), 'the end of the stream');
}

function failing(method, text) {
  return { message: `An unexpected error occurred invoking '${method}' on the server. ${text}` };
}

matrix('the test hub', (cell) => {
  const transport = HttpTransportType[cell.transport];

  it('echoes text', async (t) => {
    const client = await connectTo(t, cell, '/testhub');
    assert.equal(await client.invoke('Echo', greeting), greeting);
    assert.equal(await client.invoke('eCHO', ''), '');
    assert.equal(await client.invoke('Echo', null), null);
  });

  it('knows the connection and its transport', async (t) => {
    const client = await connectTo(t, cell, '/testhub');
    assert.equal(await client.invoke('GetCallerConnectionId'), client.id);
    assert.equal(await client.invoke('GetActiveTransportName'), transport);
  });

  it('gives a client that starts again a new connection', async (t) => {
    const client = await connectTo(t, cell, '/testhub');
    const first = client.id;
    await client.hub.stop();
    assert.equal(await client.closed.next(), undefined);
    await within(client.hub.start(), 'start()');
    assert.equal(await client.invoke('GetCallerConnectionId'), client.id);
    assert.notEqual(client.id, first);
  });

  it('calls the client back', async (t) => {
    const messages = new Inbox('message');
    const client = await connectTo(t, cell, '/testhub', { handlers: { message: (text) => messages.push(text) } });
    assert.equal(await client.invoke('invokeWithString', greeting), null);
    assert.equal(await messages.next(), greeting);
  });

  it('keeps the names of properties as they are declared', async (t) => {
    const objects = new Inbox('CustomObject');
    const client = await connectTo(t, cell, '/testhub', { handlers: { CustomObject: (o) => objects.push(o) } });
    await client.invoke('SendCustomObject', { Name: 'test', Value: 42 });
    assert.deepEqual(await objects.next(), { Name: 'test', Value: 42 });
  });

  const complexObject = {
    ByteArray: cell.isJSON ? 'AQID' : new Uint8Array([1, 2, 3]),
    DateTime: cell.isJSON ? '2000-01-01T00:00:00Z' : new Date(Date.UTC(2000, 0, 1)),
    Guid: '00010203-0405-0607-0706-050403020100',
    IntArray: [1, 2, 3],
    String: 'hello world',
  };

  it('sends an object with members of all kinds', async (t) => {
    const client = await connectTo(t, cell, '/testhub');
    assert.deepEqual(await client.invoke('SendComplexObject'), complexObject);
  });

  it('echoes an object with members of all kinds', async (t) => {
    const client = await connectTo(t, cell, '/testhub');
    const other = { ...complexObject, IntArray: [-1, 0, 2147483647], String: greeting, Guid: 'ffffffff-0000-4444-8888-abcdefabcdef' };
    if (cell.isJSON) {
      Object.assign(other, { ByteArray: 'AAEC/w==', DateTime: '2026-02-28T23:59:59.1234567Z' });
    } else {
      Object.assign(other, { ByteArray: new Uint8Array([0, 1, 2, 255]), DateTime: new Date(Date.UTC(2026, 1, 28, 23, 59, 59, 123)) });
    }
    assert.deepEqual(await client.invoke('EchoComplexObject', other), other);
    assert.deepEqual(await client.invoke('EchoComplexObject', { ...other, Guid: other.Guid.toUpperCase() }), other);
    const empty = { ...complexObject, ByteArray: null, IntArray: null, String: null };
    assert.deepEqual(await client.invoke('EchoComplexObject', empty), empty);
    assert.equal(await client.invoke('EchoComplexObject', null), null);
  });

  it('shows its exceptions with their names', async (t) => {
    const client = await connectTo(t, cell, '/testhub');
    await assert.rejects(client.invoke('ThrowException', 'An error occurred.'),
      failing('ThrowException', 'InvalidOperationException: An error occurred.'));
    await assert.rejects(collect(client.hub.stream('StreamThrowException', 'An error occurred.')),
      failing('StreamThrowException', 'InvalidOperationException: An error occurred.'));
  });

  it('streams', async (t) => {
    const client = await connectTo(t, cell, '/testhub');
    assert.deepEqual(await collect(client.hub.stream('Stream')), ['a', 'b', 'c']);
    assert.deepEqual(await collect(client.hub.stream('EmptyStream')), []);
  });

  it('notices that a stream is cancelled', async (t) => {
    const canceled = new Inbox('StreamCanceled');
    const client = await connectTo(t, cell, '/testhub', { handlers: { StreamCanceled: (...args) => canceled.push(args) } });
    const subscription = client.hub.stream('InfiniteStream').subscribe({ next() {}, complete() {}, error() {} });
    assert.equal(await client.invoke('Echo', 'meanwhile'), 'meanwhile');
    assert.equal(canceled.length, 0);
    subscription.dispose();
    assert.deepEqual(await canceled.next(), []);
    assert.equal(client.incoming.filter((message) => message.type === 2).length, 0);
  });

  it('tells streams from plain calls', async (t) => {
    const client = await connectTo(t, cell, '/testhub');
    for (const method of ['EmptyStream', 'Stream']) {
      await assert.rejects(client.invoke(method), {
        message: `The client attempted to invoke the streaming '${method}' method with a non-streaming invocation.`,
      });
    }
    await assert.rejects(collect(client.hub.stream('Echo', 'x')), {
      message: "The client attempted to invoke the non-streaming 'Echo' method with a streaming invocation.",
    });
  });

  it('reads a stream of the client', async (t) => {
    const client = await connectTo(t, cell, '/testhub');
    const subject = new Subject();
    const result = client.invoke('StreamingConcat', subject);
    for (const item of ['Hello ', 'world', '!']) subject.next(item);
    subject.complete();
    assert.equal(await result, 'Hello world!');
  });

  it('gets the error of a stream of the client', async (t) => {
    const client = await connectTo(t, cell, '/testhub');
    const subject = new Subject();
    const result = client.invoke('StreamingConcat', subject);
    subject.next('Hello ');
    subject.error(new Error('Something bad'));
    await assert.rejects(result, failing('StreamingConcat', 'HubException: Something bad'));
  });

  it('gets the results of the client', async (t) => {
    let result = () => 4711;
    const client = await connectTo(t, cell, '/testhub', { handlers: { Result: () => result() } });
    assert.equal(await host.get(`/clientresult/${client.id}`), '4711');
    result = async () => { throw new Error('from callback'); };
    assert.equal(await host.get(`/clientresult/${client.id}`), 'Error: from callback');
    client.hub.off('Result');
    assert.equal(await host.get(`/ClientResult/${client.id}`), "Client didn't provide a result.");
    await client.hub.stop();
  });

  it('sees the headers of the request', async (t) => {
    const client = await connectTo(t, cell, '/testhub', { http: { headers: { 'X-HEADER': 'one' } } });
    assert.equal(await client.invoke('GetHeader', 'x-header'), 'one');
    const agent = await client.invoke('GetHeader', 'User-Agent');
    assert.ok(agent.startsWith(`Microsoft SignalR/${VERSION.split('.').slice(0, 2).join('.')} (${VERSION}; Linux; NodeJS; `), agent);
    assert.equal(await client.invoke('GetHeader', 'X-Other'), null);
    assert.equal(await client.invoke('GetContentTypeHeader'), null);
  });

  it('lets the client replace its user agent', async (t) => {
    const client = await connectTo(t, cell, '/testhub', { http: { headers: { 'User-Agent': 'Custom Agent', 'X-HEADER': 'VALUE' } } });
    assert.equal(await client.invoke('GetHeader', 'User-Agent'), 'Custom Agent');
  });

  it('gets the cookies of the negotiation back', async (t) => {
    const client = await connectTo(t, cell, '/testhub');
    assert.equal(await client.invoke('GetCookie', 'testCookie'), 'testValue');
    assert.equal(await client.invoke('GetCookie', 'testCookie2'), 'testValue2');
    assert.equal(await client.invoke('GetCookie', 'expiredCookie'), null);
  });

  it('is found by a redirected negotiation, each time anew', async (t) => {
    const baseUrl = encodeURIComponent(host.url);
    const client = await connectTo(t, cell, `/redirect?numRedirects=0&baseUrl=${baseUrl}`);
    const first = await client.invoke('GetNumRedirects');
    assert.ok(first > 0);
    await client.hub.stop();
    await within(client.hub.start(), 'start()');
    assert.equal(await client.invoke('GetNumRedirects'), first + 1);
  });
});

matrix('the authorized hub', (cell) => {
  it('lets clients with a token in', async (t) => {
    const tokens = [];
    const accessTokenFactory = async () => {
      const token = await host.get('/generateJwtToken');
      tokens.push(token);
      return token;
    };
    const client = await connectTo(t, cell, '/authorizedhub', { http: { accessTokenFactory } });
    assert.equal(await client.invoke('Echo', greeting), greeting);
    assert.match(tokens[0], /^[\w-]+\.[\w-]+\.[\w-]+$/);
    await client.hub.stop();
    assert.equal(await client.closed.next(), undefined);
  });

  for (const [what, token] of [['no', undefined], ['a bad', 'bad.bad.bad']]) {
    it(`refuses clients with ${what} token`, async (t) => {
      const client = build(t, host, cell, { path: '/authorizedhub', token });
      await assert.rejects(client.hub.start(), {
        message: "Failed to complete negotiation with the server: Error: Unauthorized: Status code '401'",
      });
    });
  }
});

matrix('a hub that cannot be made', (cell) => {
  it('closes the connection and says why', async (t) => {
    const client = build(t, host, cell, { path: '/uncreatable' });
    // The Close message may come with the handshake, and then it is start() that fails.
    const error = await within(client.hub.start(), 'start()').then(() => client.closed.next(), (failure) => failure);
    assert.match(error.message, /^Server returned an error on close: Connection closed with an error\. InvalidOperationException: /);
  });
});

matrix("the Swift client's hub", (cell) => {
  const start = async (t, handlers) => {
    const echoed = new Inbox('EchoBack');
    const client = await connectTo(t, cell, '/test', { handlers: { EchoBack: (...args) => echoed.push(args), ...handlers } });
    return { client, echoed };
  };
  const upload = (client, call) => {
    const subject = new Subject();
    const result = call(subject);
    for (let i = 0; i <= 5; i++) subject.next(i);
    subject.complete();
    return result;
  };
  const value = { str: greeting, arr: [1, 2.5, null, true, { a: [] }] };

  it('echoes values of any type', async (t) => {
    const { client, echoed } = await start(t);
    assert.equal(await client.invoke('Echo', 'first', value), null);
    assert.deepEqual(await echoed.next(), ['first', value]);
    for (const each of [value, 'text', 1, 1.2, true, [1, 2, 3], null]) {
      assert.deepEqual(await client.invoke('Invoke', 'first', each), each);
    }
    assert.equal(await client.invoke('InvokeWithoutReturn', 'first'), null);
  });

  it('asks the client', async (t) => {
    const { client, echoed } = await start(t, { ClientResult: (text) => `${text}!` });
    await client.invoke('InvokeWithClientResult', 'Hello');
    assert.deepEqual(await echoed.next(), ['Hello!']);
  });

  it('asks the client for nothing', async (t) => {
    const { client, echoed } = await start(t, { ClientResult: () => null });
    await client.invoke('invokeWithEmptyClientResult', 'Hello');
    assert.deepEqual(await echoed.next(), ['received']);
  });

  it('streams in both directions', async (t) => {
    const { client } = await start(t);
    assert.deepEqual(await collect(client.hub.stream('Stream')), ['a', 'b', 'c']);
    assert.equal(await upload(client, (subject) => client.invoke('AddNumbers', 10, subject)), 25);
    assert.deepEqual(await upload(client, (subject) => collect(client.hub.stream('Count', 10, subject))), [11, 12, 13, 14, 15, 16]);
  });
});

describe('the test hub without WebSockets', () => {
  it('offers the other transports', async (t) => {
    const client = await connectTo(t, { ...json, transport: undefined }, '/testhub-nowebsockets', { handlers: { Result: () => 1 } });
    assert.equal(await client.invoke('GetActiveTransportName'), 'ServerSentEvents');
    assert.equal(await host.get(`/clientresult/${client.id}`), '1');
  });

  it('is of no use to clients that want WebSockets', async (t) => {
    const client = build(t, host, webSocketsJSON, { path: '/testhub-nowebsockets' });
    await assert.rejects(client.hub.start(), { message: /'WebSockets' is not supported by the server|is disabled by the client/ });
  });
});

describe('a negotiation', () => {
  for (const cell of cells) {
    it(`that is refused shows the text of the server (${cell.name})`, async (t) => {
      const client = build(t, host, cell, { path: '/bad-negotiate' });
      await assert.rejects(client.hub.start(), {
        message: "Failed to complete negotiation with the server: Error: Some response from server: Status code '400'",
      });
    });
  }

  it('may be skipped with WebSockets', async (t) => {
    const client = await connectTo(t, webSocketsJSON, '/testhub', { http: { skipNegotiation: true } });
    assert.equal(client.id, null);
    assert.equal(await client.invoke('Echo', greeting), greeting);
  });
});

// A raw connection, which the client's package has below its hubs. It is started and collects what it receives.
async function rawConnection(t, path, options) {
  const received = new Inbox('chunk');
  const closed = new Inbox('onclose');
  const log = [];
  const connection = new HttpConnection(host.url + path, { logger: { log: (level, text) => log.push(text) }, ...options });
  connection.onreceive = (data) => received.push(data);
  connection.onclose = (error) => closed.push(error);
  await within(connection.start(TransferFormat.Text), 'start()');
  cleanup(t, () => within(connection.stop(), 'stop()'));
  return { connection, received, closed, log };
}

describe('the raw echo', () => {
  for (const transport of [WebSockets, ServerSentEvents, LongPolling]) {
    it(`returns each short message in one piece (${HttpTransportType[transport]})`, async (t) => {
      const { connection, received, closed } = await rawConnection(t, '/echo', { transport });
      for (const message of ['Hello World!', greeting]) {
        await connection.send(message);
        assert.equal(await received.next(), message);
      }
      await connection.stop();
      assert.equal(await closed.next(), undefined);
      assert.equal(received.length, 0);
    });

    it(`returns all of a long message (${HttpTransportType[transport]})`, async (t) => {
      const { connection, received } = await rawConnection(t, '/echo', { transport });
      const message = Array.from({ length: 30_000 }, (_, i) => i).join();
      await connection.send(message);
      let returned = '';
      while (returned.length < message.length) returned += await received.next();
      assert.ok(returned === message);
    });
  }

  it('may be reached by a WebSocket without negotiation', async (t) => {
    const { connection, received } = await rawConnection(t, '/echo', { transport: WebSockets, skipNegotiation: true });
    await connection.send(greeting);
    assert.equal(await received.next(), greeting);
  });
});

// Not with server-sent events: the EventSource of Node dies of a redirection to a relative address.
describe('the redirected echo', () => {
  for (const [what, transport] of [['by long polling', LongPolling], ['when WebSockets have failed', WebSockets | LongPolling]]) {
    it(`is reached ${what}`, async (t) => {
      const { connection, received, closed, log } = await rawConnection(t, '/echoredirect', { transport });
      assert.match(log.findLast((line) => line.includes('Selecting transport')), /'LongPolling'/);
      for (const message of ['Hello World!', greeting]) {
        await connection.send(message);
        assert.equal(await received.next(), message);
      }
      await connection.stop();
      assert.equal(await closed.next(), undefined);
    });
  }
});

describe('the script for web workers', () => {
  it('is that of the package', async () => {
    const script = new URL('./node_modules/@microsoft/signalr/dist/webworker/signalr.min.js', import.meta.url);
    assert.equal(await host.get('/lib/signalr-webworker/signalr.js'), await readFile(script, 'utf8'));
  });
});

describe('https', () => {
  it('serves hubs too', async (t) => {
    const before = process.env.NODE_TLS_REJECT_UNAUTHORIZED;
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'; // the certificate is the host's own
    cleanup(t, () => {
      if (before === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
      else process.env.NODE_TLS_REJECT_UNAUTHORIZED = before;
    });
    for (const cell of cells) {
      const client = await connect(t, { url: host.secureURL }, cell, { path: '/testhub' });
      assert.equal(await client.invoke('GetActiveTransportName'), HttpTransportType[cell.transport]);
      assert.equal(await client.invoke('GetCookie', 'testCookie'), 'testValue');
    }
  });
});
