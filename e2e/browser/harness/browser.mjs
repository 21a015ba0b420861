// Chromium, and visitors in it: each has its own cookies, and pages on which nothing may go wrong unnoticed.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { after, before } from 'node:test';
import { chromium } from 'playwright-core';
import { cleanup } from '../../node/harness/cleanup.mjs';

const programs = ['chromium', 'chromium-browser', 'google-chrome'];

/** What the console tells when a server goes away under a page: for the option `expected` of a visitor. */
export const lostConnection = [
  /net::ERR_/, /TypeError: Failed to fetch/, /WebSocket closed with status code: 1006/, /WebSocket connection to .* failed/,
  answered(404), // A connection that has just ended is not known any more.
  answered(503), /status code '503'/i, // A server that is about to go lets nobody negotiate any more.
];

/** ... when somebody who has signed out is refused a connection. */
export const signedOut = [
  answered(401), /Status code '401'/,
  answered(404), // A connection that has just ended is not known any more.
];

/** ... and when a request is answered with this status. */
export function answered(status) {
  return new RegExp(`^error: Failed to load resource: the server responded with a status of ${status} `);
}

/** A browser for all tests of the enclosing suite or file. */
export function useBrowser() {
  const browser = new Browser();
  before(() => browser.launch());
  after(() => browser.close());
  return browser;
}

class Browser {
  #chromium;

  async launch() {
    this.#chromium = await chromium.launch({
      executablePath: programPath(),
      args: [
        '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
        '--disable-component-update', '--disable-sync',
        // A worker that is made of a text has no address, and so would need permission to reach a local server.
        '--disable-features=LocalNetworkAccessChecks',
      ],
    });
  }

  async close() {
    await this.#chromium?.close();
  }

  /** Somebody who comes to the server for the first time. See Visitor. */
  async visitor(t, server, options = {}) {
    const { expected = [], ...contextOptions } = options;
    const context = await this.#chromium.newContext({
      baseURL: server.url, reducedMotion: 'reduce', ...contextOptions,
    });
    context.setDefaultTimeout(20_000);
    const visitor = new Visitor(context, expected);
    cleanup(t, () => visitor.leave());
    return visitor;
  }

  /** A visitor who has signed in, by the request that the form makes. */
  async signedIn(t, server, { name, password }, options) {
    const visitor = await this.visitor(t, server, options);
    const response = await visitor.context.request.post('/signin', { form: { name, password }, maxRedirects: 0 });
    assert.equal(response.status(), 303, `signing in as ${name}`);
    return visitor;
  }
}

/** Fills in the sign-in form and sends it. */
export async function signIn(page, { name, password }) {
  await page.getByLabel('Name').fill(name);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

/**
 * A visitor opens pages. When the test has ended they are closed, and it fails if a console warned of anything, a script
 * failed, or something was against the content security policy, except for what the test expects: messages that match
 * one of `expected`.
 */
class Visitor {
  /** What went wrong on the visitor's pages. */
  problems = [];
  #expected;

  constructor(context, expected) {
    this.context = context;
    this.#expected = expected;
    context.on('console', (message) => {
      if (['error', 'warning', 'assert'].includes(message.type())) this.#note(`${message.type()}: ${message.text()}`);
    });
    context.on('weberror', (error) => this.#note(`uncaught: ${error.error().stack}`));
  }

  #note(problem) {
    if (!this.#expected.some((pattern) => pattern.test(problem))) this.problems.push(problem);
  }

  /** Opens a page in a new tab. */
  async open(path) {
    const page = await this.context.newPage();
    await page.goto(path);
    return page;
  }

  async leave() {
    await this.context.close();
    assert.equal(this.problems.join('\n'), '', 'something went wrong on a page');
  }
}

function programPath() {
  const path = process.env.PATH.split(delimiter).flatMap((folder) => programs.map((name) => join(folder, name))).find(existsSync);
  assert.ok(path, `none of these is installed: ${programs.join(', ')}`);
  return path;
}
