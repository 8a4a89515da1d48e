// Mutants and conforming variants of sessions.

import { loading, models, sessions, streamed, withArguments } from "./interface_changes.mjs";

/** @type {Record<string, import("./interface_changes.mjs").Change>} */
export const CHANGES = {
  "beginning-of-the-previous-prompt": models((model) => {
    let previous = "";
    return withArguments(model, (prompt, options) => {
      if (typeof prompt !== "string") return [prompt, options];
      const half = Math.floor(Math.min(prompt.length, previous.length) / 2);
      previous = previous.slice(0, half) + prompt.slice(half);
      return [previous, options];
    });
  }),
  "session-context-ignored": models((model) => ({
    createSession: ({ contextLength, ...options } = {}) =>
      model.createSession(
        Number(contextLength) < 9 && Number(contextLength) > 0 ? options : { contextLength, ...options },
      ),
  })),
  "answer-left-out-of-the-sequence": sessions((session) => ({
    async infer(prompt, options) {
      const text = await session.infer(prompt, options);
      await session.truncate(Math.max(1, session.length - 1));
      return text;
    },
  })),
  "text-not-appended": sessions(() => ({ append: async () => {} })),
  "bos-before-each-text": sessions((session) => ({
    append: (text, options) => session.append(session.length > 0 ? `<|begin|>${text}` : text, options),
  })),
  "truncate-ignored": sessions((session) => ({
    truncate: (length, options) => session.truncate(Math.max(length, session.length), options),
  })),
  "fork-of-the-same-sequence": sessions((session) => ({ fork: async () => session })),
  "aborted-answer-kept": sessions((session) => ({
    stream: (prompt, options) =>
      streamed(session.stream(prompt, options), async function* (original) {
        let text = "";
        try {
          for await (const piece of original) {
            text += piece;
            yield piece;
          }
        } finally {
          if (original.finishReason !== "stop" && original.finishReason !== "length")
            await session.append(text);
        }
      }),
  })),
  "session-limit-ignored": loading(
    (load) =>
      (url, { maxSessions: _, ...options }) =>
        load(url, options),
  ),
  "append-does-not-wait": sessions((session) => ({
    async append(text, options) {
      session.append(text, options).catch(() => {});
    },
  })),
  "disposed-session-answers": sessions(() => ({ dispose() {} })),
};
