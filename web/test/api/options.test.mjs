// Options that nobody knows are refused, with the name that was meant.

import assert from "node:assert/strict";
import { test } from "node:test";
import { InputError, WebGPULlama4 } from "../../index.js";
import { Model } from "../../src/api/model.js";
import { disguised } from "../support/disguise.mjs";

const model = new Model(disguised({}), disguised({}), null);
const { createTokenizer, loadModel } = WebGPULlama4;
const URL_ = "http://127.0.0.1:9/";

/** @type {Record<string, [string, () => unknown]>} */
const CALLS = {
  "infer, temprature": ["did you mean temperature?", () => model.infer("x", disguised({ temprature: 1 }))],
  "infer, top_p": ["did you mean topP?", () => model.infer("x", disguised({ top_p: 1 }))],
  "infer, min_p": ["did you mean minP?", () => model.infer("x", disguised({ min_p: 1 }))],
  "infer, logprob": ["did you mean logprobs?", () => model.infer("x", disguised({ logprob: 1 }))],
  "infer, a bias of text": ["a token id", () => model.infer("x", { logitBias: disguised({ a: 1 }) })],
  "infer, language": ["options are maxTokens, ", () => model.infer("x", disguised({ language: 1 }))],
  "stream, maxtokens": ["did you mean maxTokens?", () => model.stream("x", disguised({ maxtokens: 1 }))],
  "profile, token": ["did you mean tokens?", () => model.profile(disguised({ token: 1 }))],
  "profile of no tokens": ["a whole number from 1 on", () => model.profile({ tokens: 0 })],
  "loadModel, onprogress": [
    "did you mean onProgress?",
    () => loadModel(URL_, disguised({ onprogress: () => {} })),
  ],
  "loadModel, fetching.paralel": [
    "did you mean parallel?",
    () => loadModel(URL_, { fetching: disguised({ paralel: 1 }) }),
  ],
  "createTokenizer, bosToken": [
    "did you mean bosTokenId?",
    () => createTokenizer(URL_, disguised({ bosToken: 1 })),
  ],
};

for (const [name, [hint, call]] of Object.entries(CALLS)) {
  test(`${name}: refused`, async () => {
    await assert.rejects(
      async () => call(),
      (error) => error instanceof InputError && error.message.includes(hint),
    );
  });
}

test("an undefined option with a known name has its default value", async () => {
  await assert.rejects(loadModel(URL_, { cache: undefined, fetching: { attempts: 1 } }), { code: "network" });
});
