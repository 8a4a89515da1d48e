// Calls of a model wait for each other; what is aborted, left or disposed of keeps nobody waiting.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Model } from "../../src/api/model.js";
import { DisposedError, InputError } from "../../src/errors.js";
import { disguised } from "../support/disguise.mjs";
import { milliseconds } from "../support/timeouts.mjs";

/**
 * Returns a model whose answers are "a" for each token; `state.open` counts generations that are under way.
 */
function modelOfAs() {
  const state = { open: 0 };
  /** @type {Pick<import("../../src/api/sequence.js").Sequence, "generate" | "dispose" | "state">} */
  const sequence = {
    state: disguised({ context: 2048 }),
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
    prompt: async () => [0],
    eosTokenIds: [],
    pieces: () => ({ push: async () => "a", end: async () => "" }),
  };
  return { state, model: new Model(disguised(sequence), disguised({}), disguised(tokenizer)) };
}

/**
 * Returns a stream whose first piece was read, and nothing after it.
 *
 * @param {Model} model
 * @param {import("../../src/api/infer_options.js").InferOptions} [options]
 */
async function begun(model, options) {
  const stream = model.stream("x", options);
  const reader = stream[Symbol.asyncIterator]();
  assert.equal((await reader.next()).value, "a");
  return { stream, reader };
}

test("an aborted stream that nobody reads blocks no other call, and its reader gets the reason", {
  timeout: milliseconds(5),
}, async () => {
  const { model, state } = modelOfAs();
  const stop = new AbortController();
  const { stream, reader } = await begun(model, { signal: stop.signal });
  const waiting = model.infer("x", { maxTokens: 3 });
  stop.abort(new Error("enough"));
  assert.equal(await waiting, "aaa");
  assert.equal(state.open, 0);
  await assert.rejects(reader.next(), { message: "enough" });
  assert.equal(stream.finishReason, "aborted");
});

test("after dispose waiting calls and new ones fail, though a stream is not read on", {
  timeout: milliseconds(5),
}, async () => {
  const { model } = modelOfAs();
  await begun(model);
  const waiting = assert.rejects(model.infer("x"), DisposedError);
  model.dispose();
  await waiting;
  await assert.rejects(model.infer("x"), DisposedError);
  await assert.rejects(model.profile(), DisposedError);
  await assert.rejects(model.infer(disguised(7)), InputError);
  await assert.rejects(model.infer("x", { signal: AbortSignal.abort(new Error("enough")) }), {
    message: "enough",
  });
});

test("invalid arguments fail at once, even while other calls wait", {
  timeout: milliseconds(5),
}, async () => {
  const { model } = modelOfAs();
  await begun(model);
  for (const prompt of [7, [], [{ role: "user" }], null]) {
    await assert.rejects(model.infer(disguised(prompt)), InputError);
  }
  for (const options of [null, 3, { signal: {} }]) {
    await assert.rejects(model.infer("x", disguised(options)), InputError);
  }
  await assert.rejects(model.profile(disguised(null)), InputError);
});

test("a stream that is left before its first piece was never model, and one is read once", async () => {
  const { model, state } = modelOfAs();
  const stream = model.stream("x", { maxTokens: 1 });
  await stream[Symbol.asyncIterator]().return();
  assert.deepEqual([stream.finishReason, state.open], [null, 0]);
  const pieces = [];
  for await (const piece of stream) pieces.push(piece);
  assert.deepEqual(pieces, ["a"]);
  await assert.rejects(stream[Symbol.asyncIterator]().next(), InputError);
});
