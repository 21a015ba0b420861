const stacks = new WeakMap();

/**
 * Runs undo when the test t has ended, the last registered first: a client stops before the proxy that it talks
 * through, and both before their server. (The hooks of node:test run in the order of registration.)
 */
export function cleanup(t, undo) {
  let stack = stacks.get(t);
  if (!stack) {
    stacks.set(t, stack = []);
    t.after(async () => {
      while (stack.length > 0) await stack.pop()();
    });
  }
  stack.push(undo);
}
