// Starts and stops e2e/functionalhost, the server that the client's own functional tests run against.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { after, before } from 'node:test';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Inbox, within } from './wait.mjs';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** A process that listens on two free ports: url is the one for http, secureURL the one for https. */
class FunctionalHost {
  #process;
  #exited;
  #output = [];
  #abandon;

  async start() {
    const child = spawn(await build(), ['--http', '127.0.0.1:0', '--https', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#process = child;
    this.#exited = new Promise((resolve) => child.on('exit', (code, signal) => resolve(signal ?? code)));
    // A test process that dies without its hooks must not leave its server behind.
    process.on('exit', this.#abandon = () => child.kill('SIGKILL'));
    const addresses = new Inbox('line with an address');
    createInterface({ input: child.stderr }).on('line', (line) => this.#output.push(line));
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.#output.push(line);
      const match = /^Now listening on: (https?:\/\/127\.0\.0\.1:\d+)$/.exec(line);
      if (match) addresses.push(match[1]);
    });
    const died = this.#exited.then((status) => { throw new Error(`the host ended with ${status}:\n${this.#output.join('\n')}`); });
    died.catch(() => {}); // it also ends when it is stopped
    [this.url, this.secureURL] = await Promise.race([addresses.take(2, 60_000), died]);
  }

  /** Asks the process to end and waits for it. It has to end by itself and without complaint. */
  async stop() {
    if (!this.#process) return;
    this.#process.kill('SIGTERM');
    const status = await within(this.#exited, 'the end of the host after SIGTERM', 40_000);
    process.off('exit', this.#abandon);
    assert.equal(status, 0, `the host ended with ${status}:\n${this.#output.slice(-50).join('\n')}`);
  }

  /** Fetches a path and returns its text. */
  async get(path) {
    const response = await fetch(this.url + path);
    assert.equal(response.status, 200, path);
    return response.text();
  }
}

/** A host for all tests of the file, started before the first and stopped after the last. */
export function useFunctionalHost() {
  const host = new FunctionalHost();
  before(() => host.start());
  after(() => host.stop());
  return host;
}

// RACE=1 builds the server with the race detector: a race that a client provokes then ends in an exit code of its own.
async function build() {
  const race = process.env.RACE === '1';
  const binary = `${root}bin/${race ? 'functionalhost-race' : 'functionalhost'}`;
  const args = ['build', '-trimpath', ...(race ? ['-race'] : []), '-o', binary, './e2e/functionalhost'];
  await promisify(execFile)('go', args, { cwd: root, env: { ...process.env, CGO_ENABLED: race ? '1' : '0' } });
  return binary;
}
