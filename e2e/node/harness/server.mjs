// Starts and stops the server under test: one process per option set, on a port of its own.
//
// The server is e2e/refhost of this repository, built here. SIGNALR_REFERENCE replaces it by any other command (words
// separated by spaces) that understands `--urls http://127.0.0.1:PORT`, takes its options from the environment, and
// says `LISTENING http://127.0.0.1:PORT` once it is ready: the real ASP.NET Core server, for one, which proves that a
// test asks for what SignalR does and not for what this repository happens to do. SIGNALR_SERVER names such a command for
// another form of the server of this repository, of which everything is expected: e2e/farmhost, for one.
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { after, before } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { within } from './wait.mjs';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** Whether the tests run against a foreign server. */
export const isReference = Boolean(process.env.SIGNALR_REFERENCE);

/** A server process. Options are the environment variables that the hub's host documents (DETAILED, MAX_MSG, ...). */
export class Server {
  #options;
  #commandLine;
  #process;
  #exited;
  #output = [];

  /** commandLine returns the program and its arguments. */
  constructor(options = {}, commandLine = command) {
    this.#options = options;
    this.#commandLine = commandLine;
  }

  /** Starts the process and waits until it listens. Port 0 takes a free one. */
  async start(port = 0) {
    const [program, ...args] = await this.#commandLine();
    const child = spawn(program, [...args, '--urls', `http://127.0.0.1:${port}`], {
      env: { ...process.env, ...this.#options },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#process = child;
    this.#exited = new Promise((resolve) => child.on('exit', (code, signal) => resolve({ code, signal })));
    // A test process that dies without its hooks must not leave its server behind.
    process.on('exit', this.#abandon = () => child.kill('SIGKILL'));

    createInterface({ input: child.stderr }).on('line', (line) => this.#output.push(line));
    const listening = new Promise((resolve, reject) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        this.#output.push(line);
        const match = /^LISTENING (http:\/\/127\.0\.0\.1:(\d+))/.exec(line);
        if (match) resolve({ url: match[1], port: Number(match[2]) });
      });
      child.on('error', reject);
      this.#exited.then(({ code, signal }) => reject(new Error(
        `the server ended with ${signal ?? code} before it listened:\n${this.#output.join('\n')}`)));
    });
    Object.assign(this, await within(listening, 'the line LISTENING', 60_000));
  }

  #abandon;

  /** Asks the process to end (SIGTERM) and waits for it. It has to end by itself and without complaint. */
  async stop() {
    if (!this.#process) return;
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

  #forget() {
    process.off('exit', this.#abandon);
    this.#process = undefined;
  }

  /** Fetches an endpoint of the host and returns its text. */
  async request(method, path) {
    const response = await fetch(this.url + path, { method });
    assert.equal(response.status, 200, `${method} ${path}`);
    return response.text();
  }

  /** The number of hub connections that are now open. */
  async connections() {
    return Number(await this.request('GET', '/connections'));
  }
}

/** A server for all tests of the enclosing suite or file, started before the first and stopped after the last. */
export function useServer(options) {
  return use(new Server(options));
}

/** Like useServer, but it is three servers behind a balancer that sends each request to the next of them. */
export function useFarm(options) {
  return use(new Server(options, buildFarmhost));
}

/** Why there can be no farm here, or false. */
export function whyNoFarm() {
  if (isReference) return 'another server is being tested';
  try {
    execFileSync('redis-server', ['--version']);
    return false;
  } catch {
    return 'there is no redis-server here';
  }
}

function use(server) {
  before(() => server.start());
  after(() => server.stop());
  return server;
}

let commandOnce;

function command() {
  const given = process.env.SIGNALR_REFERENCE || process.env.SIGNALR_SERVER;
  return commandOnce ??= given ? Promise.resolve(given.trim().split(/\s+/)) : buildRefhost();
}

// RACE=1 builds the server with the race detector: a race that a client provokes then ends in an exit code of its own.
async function buildRefhost() {
  const race = process.env.RACE === '1';
  const binary = `${root}bin/${race ? 'refhost-race' : 'refhost'}`;
  const args = ['build', '-trimpath', ...(race ? ['-race'] : []), '-o', binary, './e2e/refhost'];
  const env = { ...process.env, CGO_ENABLED: race ? '1' : '0' };
  await promisify(execFile)('go', args, { cwd: root, env });
  return [binary];
}

async function buildFarmhost() {
  const [node] = await buildRefhost();
  const binary = `${root}bin/farmhost`;
  const env = { ...process.env, CGO_ENABLED: '0' };
  await promisify(execFile)('go', ['build', '-trimpath', '-o', binary, './e2e/farmhost'], { cwd: root, env });
  return [binary, '--program', node];
}
