// Many official clients in one process, which tell what they show. The first line of standard input is {package, url,
// sabotage, stock, clients: [{name, user, cookie, transport, protocol}]}: package is where npm has installed the client,
// and stock clients reconnect as they do by default. Each line of standard output is {client, event, …}. The end of
// standard input stops them all.
//
// A client does what docs/delivery.md asks of one: it knows the last sequence that it shows, calls CatchUp after each
// connect with what comes meanwhile set aside, and when a sequence is skipped; what it shows already it does not show
// again.
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const input = createInterface({ input: process.stdin });
const lines = input[Symbol.asyncIterator]();
const settings = JSON.parse((await lines.next()).value);

const require = createRequire(settings.package);
const { HttpTransportType, HubConnectionBuilder, JsonHubProtocol, LogLevel } = require('@microsoft/signalr');
const { MessagePackHubProtocol } = require('@microsoft/signalr-protocol-msgpack');

const tell = (client, event, more) => process.stdout.write(`${JSON.stringify({ client, event, ...more })}\n`);
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
/** Up to a second, so that clients do not come back all at once. */
const soon = () => 100 + 900 * Math.random();
/** A field by its name in JSON, or by that in MessagePack. */
const field = (object, name) => object[name] ?? object[name[0].toUpperCase() + name.slice(1)];
const names = { ws: 'WebSockets', sse: 'ServerSentEvents', lp: 'LongPolling' };

class Client {
  #last = 0;
  #catching = true;
  #waiting = [];
  #stopping = false;
  #generation = 0; // of connections: what an earlier one was asked has no meaning any more

  constructor({ name, cookie, transport, protocol }, show) {
    this.name = name;
    this.show = show;
    this.hub = new HubConnectionBuilder()
      .withUrl(`${settings.url}/hubs/notifications`, {
        transport: HttpTransportType[names[transport]], headers: { Cookie: cookie },
      })
      .withHubProtocol(protocol === 'msgpack' ? new MessagePackHubProtocol() : new JsonHubProtocol())
      .withAutomaticReconnect(settings.stock ? undefined : {
        nextRetryDelayInMilliseconds: () => (this.#stopping ? null : soon()),
      })
      .configureLogging(LogLevel.None)
      .build();
    for (const ignored of ['NotificationRead', 'UnreadCountUpdated']) this.hub.on(ignored, () => {});
    this.hub.on('ReceiveNotification', (n) => this.#receive(n));
    this.hub.onreconnecting(() => this.#lost());
    this.hub.onreconnected(() => this.#connected());
    this.hub.onclose(() => {
      this.#lost();
      if (!this.#stopping) tell(this.name, 'gave up');
      void this.start();
    });
  }

  /** Connects, and tries until it works or the client is stopped. */
  async start() {
    while (!this.#stopping) {
      try {
        await this.hub.start();
        this.#connected();
        return;
      } catch {
        await pause(soon());
      }
    }
  }

  async stop() {
    this.#stopping = true;
    await this.hub.stop();
  }

  #lost() {
    this.#generation++;
    this.#catching = true;
    tell(this.name, 'lost');
  }

  #connected() {
    tell(this.name, 'connected');
    void this.#catchUp();
  }

  #receive(n) {
    const sequence = field(n, 'sequence');
    if (this.#catching || sequence > this.#last + 1) this.#waiting.push(n);
    else if (sequence === this.#last + 1) this.#take(n, 'live');
    else tell(this.name, 'again');
    if (!this.#catching && this.#waiting.length > 0) {
      tell(this.name, 'skip');
      void this.#catchUp();
    }
  }

  async #catchUp() {
    const generation = this.#generation;
    this.#catching = true;
    for (let again = 0; ; again++) {
      let answer;
      try {
        answer = await this.hub.invoke('CatchUp', this.#last);
      } catch {
        await pause(soon()); // the server may be without its database for a while
      }
      if (generation !== this.#generation) return; // the next connection does it
      if (!answer) continue;
      if (field(answer, 'gap')) tell(this.name, 'gap');
      for (const n of field(answer, 'notifications')) {
        if (field(n, 'sequence') > this.#last) this.#take(n, 'caught up');
      }
      if (field(answer, 'more')) continue;
      // What came before one that has not come live is in the answer to the next call. What is not even there does not
      // exist, and that the others are shown without it is for the checker to judge.
      this.#takeWaiting(again > 2);
      if (this.#waiting.length === 0) break;
    }
    this.#catching = false;
  }

  #takeWaiting(all) {
    this.#waiting.sort((a, b) => field(a, 'sequence') - field(b, 'sequence'));
    while (this.#waiting.length > 0 && (all || field(this.#waiting[0], 'sequence') <= this.#last + 1)) {
      const n = this.#waiting.shift();
      if (field(n, 'sequence') > this.#last) this.#take(n, 'live');
    }
  }

  #take(n, by) {
    this.#last = field(n, 'sequence');
    this.show({ id: field(n, 'id'), sequence: this.#last, title: field(n, 'title'), by });
  }
}

/** What is wrong on purpose with what the first client shows: the checker has to find out. */
const sabotages = {
  drop: (shown) => (shown.sequence === 3 ? [] : [shown]),
  double: (shown) => (shown.sequence === 3 ? [shown, shown] : [shown]),
  swap: (() => {
    let held;
    return (shown) => {
      if (shown.sequence === 3) {
        held = shown;
        return [];
      }
      return shown.sequence === 4 ? [shown, held] : [shown];
    };
  })(),
};

const clients = settings.clients.map((options, i) => {
  const spoil = i === 0 && sabotages[settings.sabotage];
  return new Client(options, (shown) => {
    for (const s of spoil ? spoil(shown) : [shown]) tell(options.name, 'shown', { user: options.user, ...s });
  });
});

// The client library does not close an EventSource that has failed to connect, and that tries again by itself. When it is
// cut later, the library takes that for the end of the connection that it has meanwhile, leaves the EventSource of that
// open, too, and throws where nobody can catch it when something comes by it while it connects anew. A page would go on,
// and so does this: what is lost by it is found to be missing.
for (const event of ['uncaughtException', 'unhandledRejection']) {
  process.on(event, (error) => {
    process.stderr.write(`${event}: ${error?.stack ?? error}\n`);
    tell(clients[0].name, 'threw');
  });
}

// What this process tells comes late by as much as it is held up.
const watchInterval = 20;
let watched = performance.now();
setInterval(() => {
  const milliseconds = performance.now() - watched - watchInterval;
  if (milliseconds > watchInterval) tell(clients[0].name, 'late', { milliseconds });
  watched = performance.now();
}, watchInterval).unref();

for (const client of clients) void client.start();

while (!(await lines.next()).done);
// Those whose server does not answer need not say goodbye.
await Promise.race([Promise.allSettled(clients.map((client) => client.stop())), pause(5000)]);
process.exit(0);
