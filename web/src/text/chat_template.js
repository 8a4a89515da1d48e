/** Chat templates: Jinja as transformers reads it (spec: Decoder, Tokenization; LLQ-TOK-3). */

import { TokenizerError } from "../errors.js";

/** @typedef {{role: string, content: string}} Message one message of a chat */

/**
 * Returns the prompt of chat messages.
 *
 * @param {string} template
 * @param {readonly Message[]} messages
 * @param {Readonly<Record<string, string>>} specialTokens variables of the template
 * @returns {Promise<string>}
 * @throws {TokenizerError}
 */
export async function renderChat(template, messages, specialTokens) {
  const { render } = await import("./jinja.js");
  try {
    return render(template, {
      ...specialTokens,
      messages: messages.map((message) => ({ ...message })),
      tools: null,
      documents: null,
      add_generation_prompt: true,
    });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new TokenizerError(`the chat template refuses the messages: ${reason}`, {
      cause,
      code: "template",
    });
  }
}
