// The official client with what a test wants to see of it: what it was sent, when it closed, what went over the wire.
import {
  HttpTransportType, HubConnectionBuilder, JsonHubProtocol, LogLevel,
} from '@microsoft/signalr';
import { MessagePackHubProtocol } from '@microsoft/signalr-protocol-msgpack';
import { cleanup } from './cleanup.mjs';
import { Inbox, within } from './wait.mjs';

/**
 * Builds and starts a client, and stops it when the test t has ended.
 *
 * Options: path (with query) of the hub; user (sent as the access token `user:NAME`) or token; reconnect (delays in
 * milliseconds, or a retry policy); stateful; handlers by client method; timeouts serverTimeout and keepAlive in
 * milliseconds; http (more options of the client's withUrl).
 */
export async function connect(t, server, cell, options = {}) {
  const client = build(t, server, cell, options);
  await within(client.hub.start(), 'start()');
  return client;
}

/** Like connect, but the client is not started. */
export function build(t, server, cell, options = {}) {
  const client = new Client(server.url, cell, options);
  cleanup(t, () => within(client.hub.stop(), 'stop()'));
  return client;
}

class Client {
  /** What came as Receive(text), Seq(number) and Hello(id). */
  received = new Inbox('Receive');
  seq = new Inbox('Seq');
  hello = new Inbox('Hello');
  /** The errors (or undefined) that the client reported with these events. */
  closed = new Inbox('onclose');
  reconnecting = new Inbox('onreconnecting');
  reconnected = new Inbox('onreconnected');
  /** The hub messages as they were parsed and written, and the log of the client. */
  incoming = [];
  outgoing = [];
  log = [];

  constructor(url, cell, { path = '/hub', user, token, reconnect, stateful, serverTimeout, keepAlive, handlers, http }) {
    token ??= user && `user:${user}`;
    const builder = new HubConnectionBuilder()
      .withUrl(url + path, {
        transport: cell.transport,
        ...(token && { accessTokenFactory: () => token }),
        ...http,
      })
      .withHubProtocol(this.#recorded(cell.newProtocol()))
      .configureLogging({ log: (level, text) => this.log.push(`${LogLevel[level]}: ${text}`) });
    if (reconnect) builder.withAutomaticReconnect(reconnect);
    if (stateful) builder.withStatefulReconnect();
    if (serverTimeout) builder.withServerTimeout(serverTimeout);
    if (keepAlive) builder.withKeepAliveInterval(keepAlive);
    this.hub = builder.build();

    this.hub.on('Receive', (text) => this.received.push(text));
    this.hub.on('Seq', (number) => this.seq.push(number));
    this.hub.on('Hello', (id) => this.hello.push(id));
    for (const [method, handler] of Object.entries(handlers ?? {})) this.hub.on(method, handler);
    this.hub.onclose((error) => this.closed.push(error));
    this.hub.onreconnecting((error) => this.reconnecting.push(error));
    this.hub.onreconnected((id) => this.reconnected.push(id));
  }

  get id() {
    return this.hub.connectionId;
  }

  invoke(method, ...args) {
    return within(this.hub.invoke(method, ...args), `the answer of ${method}`);
  }

  #recorded(protocol) {
    const parse = protocol.parseMessages.bind(protocol);
    protocol.parseMessages = (input, logger) => {
      const messages = parse(input, logger);
      this.incoming.push(...messages);
      return messages;
    };
    const write = protocol.writeMessage.bind(protocol);
    protocol.writeMessage = (message) => {
      this.outgoing.push(message);
      return write(message);
    };
    return protocol;
  }
}

export const json = {
  name: 'JSON',
  isJSON: true,
  newProtocol: () => new JsonHubProtocol(),
  sizeOf: (message) => Buffer.byteLength(new JsonHubProtocol().writeMessage(message)),
};

export const messagePack = {
  name: 'MessagePack',
  isJSON: false,
  newProtocol: () => new MessagePackHubProtocol(),
  sizeOf: (message) => new MessagePackHubProtocol().writeMessage(message).byteLength,
};

export const { WebSockets, ServerSentEvents, LongPolling } = HttpTransportType;
