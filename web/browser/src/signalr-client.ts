import { HttpTransportType, HubConnectionBuilder, LogLevel, type HubConnection } from "@microsoft/signalr";
import { HubLink, type HubHooks, type HubState } from "./hub-link.ts";

/** Told of every change of a hub's state. */
export type StateListener = (hubName: string, state: HubState) => void;

/** What tests replace. */
export interface SignalRClientOptions {
  build?(hubUrl: string): HubConnection;
  random?(): number;
}

/**
 * SignalRClient holds a page's connections, one for each hub, and keeps them: it reconnects for ever, at once when the
 * browser is back online or the page is looked at again, and shows how things are by two classes of the body,
 * `signalr-reconnecting` and `signalr-disconnected`.
 */
export class SignalRClient {
  /** The connections that have been made and not been given up, by name of hub. */
  readonly connections = new Map<string, HubConnection>();
  /** Milliseconds before each attempt to reconnect. After the last it goes on at that pace, with some jitter. */
  reconnectDelays: number[] = [0, 2000, 5000, 10000, 30000];

  readonly #links = new Map<string, HubLink>();
  readonly #listeners = new Set<StateListener>();
  readonly #unauthorized = new Set<() => void>();
  /** The hubs that the two classes of the body are for. */
  readonly #reconnecting = new Set<string>();
  readonly #disconnected = new Set<string>();
  readonly #build: (hubUrl: string) => HubConnection;
  readonly #random: () => number;

  constructor(options: SignalRClientOptions = {}) {
    this.#build = options.build ?? buildConnection;
    this.#random = options.random ?? Math.random;
    const wake = () => this.wake();
    window.addEventListener("online", wake);
    window.addEventListener("pageshow", wake);
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") {
        wake();
      }
    });
  }

  /**
   * Connects to a hub, or shares the connection that there is, and returns it once it is up. While the server cannot
   * be reached that takes as long as it takes; it fails only when disconnect is called meanwhile.
   */
  connect(hubUrl: string, hubName: string, hooks: HubHooks = {}): Promise<HubConnection> {
    const existing = this.#links.get(hubName);
    if (existing) {
      existing.add(hooks);
      return existing.whenConnected();
    }
    const link = new HubLink(this.#build(hubUrl), {
      name: hubName,
      delays: () => this.reconnectDelays,
      random: this.#random,
      stateChanged: (state) => this.#stateChanged(hubName, state),
      unauthorized: () => this.#unauthorized.forEach((listener) => listener()),
    });
    this.#links.set(hubName, link);
    link.add(hooks);
    const connected = link.whenConnected();
    link.start();
    return connected;
  }

  /** Closes a hub's connection and stops trying to reconnect. */
  async disconnect(hubName: string): Promise<void> {
    const link = this.#links.get(hubName);
    if (!link) {
      return;
    }
    this.#links.delete(hubName);
    this.connections.delete(hubName);
    await link.stop();
    if (!this.#links.has(hubName)) {
      this.hideReconnectingUI(hubName);
      this.hideDisconnectedUI(hubName);
    }
  }

  /** The connection of a hub, or undefined before it was first made. */
  getConnection(hubName: string): HubConnection | undefined {
    return this.connections.get(hubName);
  }

  /** Whether all hubs that were asked for are connected. */
  get live(): boolean {
    return this.#links.size > 0 && [...this.#links.values()].every((link) => link.state === "connected");
  }

  /** The state of a hub, or undefined if nobody has asked for it. */
  state(hubName: string): HubState | undefined {
    return this.#links.get(hubName)?.state;
  }

  /** Has listener told of every change of state from now on. */
  onStateChange(listener: StateListener): void {
    this.#listeners.add(listener);
  }

  /** Has listener told whenever a server that is asked for a connection says that nobody is signed in. */
  onUnauthorized(listener: () => void): void {
    this.#unauthorized.add(listener);
  }

  /** Has everything that waits for its next attempt try at once. */
  wake(): void {
    for (const link of this.#links.values()) {
      link.wake();
    }
  }

  showReconnectingUI(hubName: string): void {
    this.#reconnecting.add(hubName);
    this.#updateBody();
  }

  hideReconnectingUI(hubName: string): void {
    this.#reconnecting.delete(hubName);
    this.#updateBody();
  }

  showDisconnectedUI(hubName: string): void {
    this.#disconnected.add(hubName);
    this.#updateBody();
  }

  hideDisconnectedUI(hubName: string): void {
    this.#disconnected.delete(hubName);
    this.#updateBody();
  }

  #updateBody(): void {
    document.body.classList.toggle("signalr-reconnecting", this.#reconnecting.size > 0);
    document.body.classList.toggle("signalr-disconnected", this.#disconnected.size > 0);
  }

  #stateChanged(hubName: string, state: HubState): void {
    const link = this.#links.get(hubName);
    if (!link) {
      return; // It is being closed on purpose.
    }
    if (state === "connected") {
      this.connections.set(hubName, link.connection);
    }
    if (state === "reconnecting") {
      this.showReconnectingUI(hubName);
    } else {
      this.hideReconnectingUI(hubName);
    }
    if (state === "disconnected") {
      this.showDisconnectedUI(hubName);
    } else {
      this.hideDisconnectedUI(hubName);
    }
    for (const listener of this.#listeners) {
      listener(hubName, state);
    }
  }
}

function buildConnection(hubUrl: string): HubConnection {
  return new HubConnectionBuilder()
    .withUrl(hubUrl, { transport: transportOf(window.location.search) })
    .configureLogging(LogLevel.Warning)
    .build();
}

const anyTransport =
  HttpTransportType.WebSockets | HttpTransportType.ServerSentEvents | HttpTransportType.LongPolling;

/** The transports to try: all, unless the page's address names one, as in ?transport=LongPolling. */
export function transportOf(query: string): HttpTransportType {
  switch (new URLSearchParams(query).get("transport")) {
    case "WebSockets":
      return HttpTransportType.WebSockets;
    case "ServerSentEvents":
      return HttpTransportType.ServerSentEvents;
    case "LongPolling":
      return HttpTransportType.LongPolling;
    default:
      return anyTransport;
  }
}
