// The sequences of sessions, their number and their memory, on an executor that computes nothing.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Model } from "../../src/api/model.js";
import { Sequence } from "../../src/api/sequence.js";
import { ContextError, DeviceError, DisposedError, InputError, SessionLimitError } from "../../src/errors.js";
import { disguised } from "../support/disguise.mjs";

const CONTEXT = 8;
const BOS = 99;

/**
 * Returns a model whose tokenizer gives an id for each letter, and what its executors do.
 *
 * @param {{maxSessions?: number}} [options]
 */
function modelOfLetters({ maxSessions } = {}) {
  const state = { live: 0, full: false, computed: /** @type {number[][]} */ ([]), gate: Promise.resolve() };
  const device = { lost: null, name: "", variant: { name: "" }, begin() {}, lossReport: async () => {} };
  /** @param {number} context */
  const executorOf = (context) => {
    state.live++;
    const executor = {
      context,
      device,
      memory: () => ({ weights: 1000, parameters: 1, kv_cache: 10 * context }),
      resume: (/** @type {number[]} */ ids) => ids,
      async prefill(/** @type {number[]} */ ids) {
        await state.gate;
        state.computed.push(ids);
      },
      async prepare() {},
      position: 0,
      advance() {},
      start() {},
      async sibling(positions = context) {
        if (state.full) throw new DeviceError("no room", { code: "out-of-memory" });
        return executorOf(positions);
      },
      fork: () => executor.sibling(),
      dispose() {
        state.live--;
      },
    };
    return executor;
  };
  const sequence = new Sequence(disguised(executorOf(CONTEXT)), {
    makeExecutor: null,
    release: (executor) => executor.dispose(),
    exact: true,
  });
  const idsOf = (/** @type {string} */ text) => Array.from(text, (letter) => letter.charCodeAt(0));
  const tokenizer = {
    prompt: async (/** @type {string} */ text) => [BOS, ...idsOf(text)],
    continuation: async (
      /** @type {string} */ text,
      /** @type {number} */ _,
      /** @type {{begins: boolean}} */ how,
    ) => [...(how.begins ? [BOS] : []), ...idsOf(text)],
    eosTokenIds: [],
    pieces: () => ({ push: async () => "", end: async () => "" }),
  };
  const model = new Model(sequence, disguised({}), disguised(tokenizer), maxSessions);
  return { state, model };
}

test("texts are appended after each other, and a length is kept", async () => {
  const { state, model } = modelOfLetters();
  const session = await model.createSession();
  await session.append("ab");
  await session.append("");
  await session.append("c");
  assert.deepEqual(state.computed, [
    [BOS, 97, 98],
    [BOS, 97, 98, 99],
  ]);
  assert.equal(session.length, 4);
  await session.truncate(2);
  await session.append("d");
  assert.deepEqual(state.computed.at(-1), [BOS, 97, 100]);
  for (const length of [4, -1, 0.5, undefined, null]) {
    await assert.rejects(session.truncate(disguised(length)), InputError);
  }
  await assert.rejects(session.append(disguised(7)), InputError);
  await assert.rejects(session.append("a", disguised({ signall: 1 })), InputError);
  await assert.rejects(session.append("123456"), ContextError);
  assert.equal(session.length, 3);
  await session.append("12345");
  assert.equal(session.length, CONTEXT);
});

test("null continues the sequence, and is refused while there is none", async () => {
  const { state, model } = modelOfLetters();
  const session = await model.createSession();
  await assert.rejects(session.infer(null), InputError);
  await session.infer("ab", { maxTokens: 0 });
  await session.infer(null, { maxTokens: 0 });
  assert.deepEqual(state.computed, [
    [BOS, 97, 98],
    [BOS, 97, 98],
  ]);
  await assert.rejects(session.infer(disguised(undefined)), InputError);
});

test("a session has its own context, at most that of the model, and says how many bytes it has", async () => {
  const { model } = modelOfLetters();
  const session = await model.createSession({ contextLength: 3 });
  assert.deepEqual([session.contextLength, session.bytes, model.memory().sessions], [3, 31, 31]);
  await assert.rejects(session.append("abc"), ContextError);
  await assert.rejects(model.createSession({ contextLength: CONTEXT + 1 }), ContextError);
  await assert.rejects(model.createSession({ contextLength: 0 }), InputError);
  const fork = await session.fork();
  assert.equal(fork.contextLength, 3);
  fork.dispose();
  assert.equal(fork.bytes, 0);
});

test("more sessions than allowed are refused, until one is disposed of", async () => {
  const { model } = modelOfLetters({ maxSessions: 2 });
  const first = await model.createSession();
  await first.fork();
  for (const call of [() => model.createSession(), () => first.fork()]) {
    await assert.rejects(call(), (error) => error instanceof SessionLimitError && error.code === "sessions");
  }
  first.dispose();
  first.dispose();
  await model.createSession();
  await assert.rejects(model.createSession(), SessionLimitError);
});

test("a session for which there is no memory is refused, and takes no place", async () => {
  const { state, model } = modelOfLetters({ maxSessions: 1 });
  state.full = true;
  await assert.rejects(model.createSession(), { code: "out-of-memory" });
  state.full = false;
  const session = await model.createSession();
  await session.append("a");
  assert.equal(session.length, 2);
});

test("the memory of a session is freed when nothing uses it any more", async () => {
  const { state, model } = modelOfLetters();
  const session = await model.createSession();
  const other = await model.createSession();
  let open = () => {};
  state.gate = new Promise((resolve) => {
    open = () => resolve(undefined);
  });
  const appending = assert.rejects(session.append("a"), DisposedError);
  const waiting = assert.rejects(session.append("b"), DisposedError);
  await new Promise((resolve) => setTimeout(resolve, 0));
  session.dispose();
  await appending;
  await waiting;
  assert.equal(state.live, 3); // the device still computes
  open();
  await other.append("c");
  assert.equal(state.live, 2);
  await assert.rejects(session.append("d"), { code: "disposed", message: /session/ });
  await assert.rejects(session.fork(), DisposedError);
  await assert.rejects(session.infer("e"), DisposedError);
});

test("an aborted call leaves the sequence as it was, and a session that nobody waits for is freed", async () => {
  const { state, model } = modelOfLetters();
  const session = await model.createSession();
  await session.append("a");
  let open = () => {};
  state.gate = new Promise((resolve) => {
    open = () => resolve(undefined);
  });
  const stop = new AbortController();
  const aborted = assert.rejects(session.append("b", { signal: stop.signal }), { message: "enough" });
  const made = assert.rejects(model.createSession({ signal: stop.signal }), { message: "enough" });
  await new Promise((resolve) => setTimeout(resolve, 0));
  stop.abort(new Error("enough"));
  await aborted;
  await made;
  open();
  await session.append("c");
  assert.deepEqual(state.computed.at(-1), [BOS, 97, 99]);
  assert.equal(state.live, 2);
});

test("the model takes its sessions with it", async () => {
  const { state, model } = modelOfLetters();
  const session = await model.createSession();
  model.dispose();
  await assert.rejects(session.append("a"), DisposedError);
  await assert.rejects(model.createSession(), DisposedError);
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.equal(state.live, 0);
});
