// Calls of hub methods with arguments and results of every kind.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { connect } from './harness/client.mjs';
import { matrix, webSocketsJSON } from './harness/matrix.mjs';
import { useServer } from './harness/server.mjs';

const texts = {
  'ASCII': 'Hello, World!',
  'empty': '',
  'umlauts and CJK': 'Größe 漢字 кириллица',
  'outside the BMP': '😀 𝄞 👩‍👩‍👧‍👦',
  'JSON and HTML specials': '"quoted" \\ / <b>&amp;</b> \'+',
  'line ends': 'a\r\nb\nc\rd\u2028e\u2029f',
  'control characters, the record separator among them': '\u0000\u0001\u001e\u007f\u009f\ufeff',
};

matrix('invocations', (cell) => {
  const server = useServer();

  for (const [kind, text] of Object.entries(texts)) {
    it(`echoes text: ${kind}`, async (t) => {
      const client = await connect(t, server, cell);
      assert.equal(await client.invoke('Echo', text), text);
    });
  }

  it('echoes null', async (t) => {
    const client = await connect(t, server, cell);
    assert.equal(await client.invoke('Echo', null), null);
  });

  it('adds integers', async (t) => {
    const client = await connect(t, server, cell);
    assert.equal(await client.invoke('Add', 40, 2), 42);
    assert.equal(await client.invoke('Add', -5, 3), -2);
    assert.equal(await client.invoke('Add', 2147483647, 0), 2147483647);
    assert.equal(await client.invoke('Add', -2147483648, 0), -2147483648);
  });

  it('finds methods whatever the case of the name', async (t) => {
    const client = await connect(t, server, cell);
    assert.equal(await client.invoke('eCHO', 'x'), 'x');
  });

  it('answers null for a method without a result', async (t) => {
    const client = await connect(t, server, cell);
    assert.equal(await client.invoke('Void'), null);
  });

  it('passes an object', async (t) => {
    const client = await connect(t, server, cell);
    if (cell.isJSON) {
      assert.deepEqual(await client.invoke('EchoPerson', { name: 'Ann', age: 41 }), { name: 'Ann', age: 42 });
      assert.deepEqual(await client.invoke('EchoPerson', { NAME: 'Bob', Age: 1 }), { name: 'Bob', age: 2 });
    } else {
      assert.deepEqual(await client.invoke('EchoPerson', { Name: 'Ann', Age: 41 }), { Name: 'Ann', Age: 42 });
    }
  });

  it('passes an object of many kinds of members', async (t) => {
    const client = await connect(t, server, cell);
    const full = cell.isJSON
      ? { text: 'ü', ints: [1, -70000], d: 2.5, flag: true, child: { name: 'c', value: 7 }, nul: 'not', enum: 2 }
      : { Text: 'ü', Ints: [1, -70000], D: 2.5, Flag: true, Child: { Name: 'c', Value: 7 }, Nul: 'not', Enum: 'Blue' };
    const empty = cell.isJSON
      ? { text: '', ints: [], d: 0, flag: null, child: null, nul: null, enum: 0 }
      : { Text: '', Ints: [], D: 0, Flag: null, Child: null, Nul: null, Enum: 'Red' };
    assert.deepEqual(await client.invoke('EchoComplex', full), full);
    assert.deepEqual(await client.invoke('EchoComplex', empty), empty);
  });

  it('passes a map, whose keys stay as they are', async (t) => {
    const client = await connect(t, server, cell);
    const map = { one: 1, Two: 2, 'drei und ¾': -3, '': 0 };
    assert.deepEqual(await client.invoke('EchoMap', map), map);
    assert.deepEqual(await client.invoke('EchoMap', {}), {});
  });

  it('passes bytes', async (t) => {
    const client = await connect(t, server, cell);
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    if (cell.isJSON) {
      const base64 = Buffer.from(bytes).toString('base64');
      assert.equal(await client.invoke('EchoBytes', base64), base64);
    } else {
      assert.deepEqual(await client.invoke('EchoBytes', bytes), bytes);
    }
  });

  it('passes a time', async (t) => {
    const client = await connect(t, server, cell);
    const time = new Date('2026-02-03T04:05:06.789Z');
    const answer = await client.invoke('EchoTime', time);
    assert.deepEqual(cell.isJSON ? new Date(answer) : answer, time);
  });

  it('passes any JSON', { skip: !cell.isJSON && 'only JSON has a value of any kind' }, async (t) => {
    const client = await connect(t, server, cell);
    const any = { deep: [[{ a: [] }], null, true, 1.5e10, '\u{1f600}'], CamelStays: {} };
    assert.deepEqual(await client.invoke('EchoAny', any), any);
    assert.equal(await client.invoke('EchoAny', null), null);
  });

  it('answers many calls at once, each with its own result', async (t) => {
    const client = await connect(t, server, cell);
    const calls = Array.from({ length: 100 }, (_, i) => client.invoke('Add', i, 1000));
    assert.deepEqual(await Promise.all(calls), Array.from({ length: 100 }, (_, i) => i + 1000));
  });

  it('does not answer a send', async (t) => {
    const client = await connect(t, server, cell);
    await client.hub.send('Echo', 'nobody asked');
    await client.hub.send('Fail');
    await client.hub.send('NoSuchMethod');
    assert.equal(await client.invoke('Echo', 'asked'), 'asked');
    const completions = client.incoming.filter((message) => message.type === 3);
    assert.deepEqual(completions.map((message) => message.result), ['asked']);
  });
});

// The order in which a slow call and a quick one behind it are answered.
async function orderOfAnswers(t, server) {
  const client = await connect(t, server, webSocketsJSON);
  const order = [];
  await Promise.all([
    client.invoke('Slow', 300).then((answer) => order.push(answer)),
    client.invoke('Echo', 'quick').then((answer) => order.push(answer)),
  ]);
  return order;
}

describe('one call at a time per client, the default', () => {
  const server = useServer();

  it('makes a quick call wait for the slow one before it', async (t) => {
    assert.deepEqual(await orderOfAnswers(t, server), ['slow', 'quick']);
  });

  it('lets other clients go on', async (t) => {
    const [slow, quick] = [await connect(t, server, webSocketsJSON), await connect(t, server, webSocketsJSON)];
    let slowIsDone = false;
    const call = slow.invoke('Slow', 1500).then(() => { slowIsDone = true; });
    assert.equal(await quick.invoke('Echo', 'quick'), 'quick');
    assert.equal(slowIsDone, false);
    await call;
  });
});

describe('two calls at a time per client', () => {
  const server = useServer({ PARALLEL: '2' });

  it('lets a quick call overtake the slow one before it', async (t) => {
    assert.deepEqual(await orderOfAnswers(t, server), ['quick', 'slow']);
  });
});
