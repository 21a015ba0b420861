// Starts and stops the server under test: `signalbox serve --demo` with a folder and a port of its own.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { after, before } from 'node:test';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { within } from '../../node/harness/wait.mjs';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** A user who can sign in. */
export const demo = { name: 'demo', password: 'demo' };

/** A server for all tests of the enclosing suite or file, started before the first and stopped after the last. */
export function useServer(...flags) {
  const server = new Server(flags);
  before(() => server.start());
  after(() => server.dispose());
  return server;
}

class Server {
  #flags;
  #binary;
  #folder;
  #process;
  #exited;
  #abandon;
  #output = [];
  #users = 0;
  #orders = 0;

  constructor(flags) {
    this.#flags = flags;
  }

  /** Starts the process and waits until it listens and has said its API key: on a free port, or the one it had. */
  async start() {
    this.#binary ??= await build();
    this.#folder ??= await mkdtemp(`${tmpdir()}/signalbox-e2e-`);
    const child = spawn(
      this.#binary,
      ['serve', '--demo', '--data', this.#folder, '--listen', `127.0.0.1:${this.port ?? 0}`, ...this.#flags],
      { env: environment(), stdio: ['ignore', 'pipe', 'pipe'] },
    );
    this.#process = child;
    this.#exited = new Promise((resolve) => child.on('exit', (code, signal) => resolve({ code, signal })));
    // A test process that dies without its hooks must not leave its server behind.
    process.on('exit', this.#abandon = () => child.kill('SIGKILL'));

    const ready = new Promise((resolve, reject) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        this.#output.push(line);
        const listens = /^Signalbox listens on (http:\/\/127\.0\.0\.1:(\d+))$/.exec(line);
        if (listens) Object.assign(this, { url: listens[1], port: Number(listens[2]) });
        const key = /^ +API key +(\S+)$/.exec(line);
        if (key) resolve(Object.assign(this, { key: key[1] }));
      });
      createInterface({ input: child.stderr }).on('line', (line) => this.#output.push(line));
      child.on('error', reject);
      this.#exited.then(({ code, signal }) => reject(new Error(
        `the server ended with ${signal ?? code} before it was ready:\n${this.#output.join('\n')}`)));
    });
    await within(ready, 'the address and the API key', 60_000);
  }

  /** Asks the process to end (SIGTERM) and waits for it. It has to end by itself and without complaint. */
  async stop() {
    this.#process.kill('SIGTERM');
    const { code, signal } = await within(this.#exited, 'the end of the server after SIGTERM', 40_000);
    this.#forget();
    assert.equal(signal ?? code, 0, `the server ended with ${signal ?? code}:\n${this.#output.slice(-50).join('\n')}`);
  }

  /** Kills the process, as a crash or a power cut would. */
  async kill() {
    this.#process.kill('SIGKILL');
    await this.#exited;
    this.#forget();
  }

  /** Stops the process if it runs, and removes its data. */
  async dispose() {
    if (this.#process) await this.stop();
    if (this.#folder) await rm(this.#folder, { recursive: true });
  }

  #forget() {
    process.off('exit', this.#abandon);
    this.#process = undefined;
  }

  /** Adds a user with nothing in the inbox and no orders, whom the demo leaves alone. */
  async addUser(...roles) {
    const user = { name: `user${++this.#users}`, password: 'secret' };
    const adding = promisify(execFile)(
      this.#binary,
      ['user', 'add', user.name, '--data', this.#folder, '--password-stdin', ...roles.map((role) => `--role=${role}`)],
      { env: environment() },
    );
    adding.child.stdin.end(`${user.password}\n`);
    await adding;
    return user;
  }

  /** Gives an order to another owner, by the command for that. */
  async give(id, user) {
    await promisify(execFile)(this.#binary, ['order', 'give', id, user.name, '--data', this.#folder], { env: environment() });
  }

  /** Calls the REST API. Options: body (an object), key (of the server's own when missing; null for none). */
  async api(method, path, { body, key = this.key } = {}) {
    const response = await fetch(`${this.url}/api/v1${path}`, {
      method,
      headers: {
        ...(key && { Authorization: `Bearer ${key}` }),
        ...(body && { 'Content-Type': 'application/json' }),
      },
      body: body && JSON.stringify(body),
    });
    return { status: response.status, headers: response.headers, body: await response.json() };
  }

  /** Makes an order that nobody else changes, and returns its id. */
  async newOrder(owner, order = {}) {
    const id = `e2e-${++this.#orders}`;
    await this.putOrder(id, { owner: owner.name, ...order });
    return id;
  }

  /** Changes an order by REST and returns it as it now is. */
  async putOrder(id, change) {
    const { status, body } = await this.api('PUT', `/orders/${id}`, { body: change });
    assert.ok(status === 200 || status === 201, JSON.stringify(body));
    return body;
  }

  /** Notifies a user by REST and returns the notification's id. */
  async notify(user, title, more = {}) {
    return (await this.#post({ users: [user.name], title, ...more }))[0].id;
  }

  /** Notifies a topic by REST and returns the names of the users who got it. */
  async notifyTopic(topic, title) {
    return (await this.#post({ topic, title })).map((stored) => stored.user);
  }

  async #post(notification) {
    const { status, body } = await this.api('POST', '/notifications', { body: notification });
    assert.equal(status, 201, JSON.stringify(body));
    return body.notifications;
  }

  /** What the user's inbox holds, newest first, by REST. */
  async inbox(user) {
    const { status, body } = await this.api('GET', `/notifications?user=${user.name}`);
    assert.equal(status, 200, JSON.stringify(body));
    return body;
  }
}

/** The environment without settings of the server, which a developer may have made for other purposes. */
function environment() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('SIGNALBOX_')));
}

// RACE=1 builds the server with the race detector: a race that a browser provokes then ends in an exit code of its own.
// Both builds find their packages compiled already, by `make build` and by `go test -race`.
async function build() {
  assert.ok(existsSync(`${root}web/static/dist/app.js`), 'the browser code must be bundled first: make build');
  const race = process.env.RACE === '1';
  const binary = `${root}bin/${race ? 'signalbox-race' : 'signalbox'}`;
  const args = ['build', race ? '-race' : '-trimpath', '-o', binary, './cmd/signalbox'];
  const env = { ...process.env, CGO_ENABLED: race ? '1' : '0' };
  await promisify(execFile)('go', args, { cwd: root, env });
  return binary;
}
