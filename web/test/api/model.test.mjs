// Calls of a model wait for each other; what is aborted, left or disposed of keeps nobody waiting.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Model } from "../../src/api/model.js";
import { DisposedError, InputError } from "../../src/errors.js";

/** A model whose answers are "a" for each token; `state.open` counts generations that are under way. */
function model() {
  const state = { open: 0 };
  const session = {
    async *generate(_ids, maxTokens, { signal }) {
      state.open++;
      try {
        for (let n = 0; n < maxTokens; n++) {
          signal?.throwIfAborted();
          yield 0;
        }
        return "length";
      } finally {
        state.open--;
      }
    },
    dispose() {},
  };
  const tokenizer = {
    encode: () => [0],
    chat: async () => "",
    eosTokenIds: [],
    pieces: () => ({ push: () => "a", end: () => "" }),
  };
  return { state, made: new Model(session, {}, tokenizer) };
}

/** A stream that was begun: its first piece was read, and nobody reads on. */
async function begun(made, options) {
  const stream = made.stream("x", options);
  const reader = stream[Symbol.asyncIterator]();
  assert.equal((await reader.next()).value, "a");
  return { stream, reader };
}

test("an aborted stream that nobody reads keeps nobody waiting, and tells its reader", {
  timeout: 5000,
}, async () => {
  const { made, state } = model();
  const stop = new AbortController();
  const { stream, reader } = await begun(made, { signal: stop.signal });
  const waiting = made.infer("x", { maxTokens: 3 });
  stop.abort(new Error("enough"));
  assert.equal(await waiting, "aaa");
  assert.equal(state.open, 0);
  await assert.rejects(reader.next(), { message: "enough" });
  assert.equal(stream.finishReason, "aborted");
});

test("after dispose waiting calls and new ones fail, though a stream is not read on", {
  timeout: 5000,
}, async () => {
  const { made } = model();
  await begun(made);
  const waiting = assert.rejects(made.infer("x"), DisposedError);
  made.dispose();
  await waiting;
  await assert.rejects(made.infer("x"), DisposedError);
  await assert.rejects(made.profile(), DisposedError);
  await assert.rejects(made.infer(7), InputError);
  await assert.rejects(made.infer("x", { signal: AbortSignal.abort(new Error("enough")) }), {
    message: "enough",
  });
});

test("what makes no sense fails at once, though others wait", { timeout: 5000 }, async () => {
  const { made } = model();
  await begun(made);
  for (const prompt of [7, [], [{ role: "user" }], null])
    await assert.rejects(made.infer(prompt), InputError);
  for (const options of [null, 3, { signal: {} }]) await assert.rejects(made.infer("x", options), InputError);
  await assert.rejects(made.profile(null), InputError);
});

test("a stream that is left before its first piece was never made, and one is read once", async () => {
  const { made, state } = model();
  const stream = made.stream("x", { maxTokens: 1 });
  await stream[Symbol.asyncIterator]().return();
  assert.deepEqual([stream.finishReason, state.open], [null, 0]);
  const pieces = [];
  for await (const piece of stream) pieces.push(piece);
  assert.deepEqual(pieces, ["a"]);
  await assert.rejects(stream[Symbol.asyncIterator]().next(), InputError);
});
