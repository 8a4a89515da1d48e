/** Chat templates: Jinja as transformers reads it (spec: Decoder, Tokenization; LLQ-TOK-3, LLQ-TOK-4). */

import { TokenizerError } from "../errors.js";
import { missingFilter, render, TemplateLimit } from "./jinja.js";

/** @typedef {{role: string, content: string}} Message one message of a chat */

/**
 * Refuses a template with a filter that this runtime does not have. Only the text worker calls this.
 *
 * @param {string} template
 * @throws {TokenizerError}
 */
export function checkTemplate(template) {
  const filter = missingFilter(template);
  if (filter === undefined) return;
  const message = `the chat template uses the filter '${filter}', which this runtime does not have`;
  throw new TokenizerError(`${message}: use a package with another template`, { code: "template" });
}

/**
 * Returns the prompt of chat messages. Only the text worker calls this.
 *
 * @param {string} template
 * @param {readonly Message[]} messages
 * @param {Readonly<Record<string, string>>} specialTokens variables of the template
 * @returns {string}
 * @throws {TokenizerError}
 */
export function renderChat(template, messages, specialTokens) {
  try {
    return render(template, {
      ...specialTokens,
      messages: messages.map((message) => ({ ...message })),
      tools: null,
      documents: null,
      add_generation_prompt: true,
    });
  } catch (cause) {
    const code = "template";
    if (cause instanceof TemplateLimit || isAllocation(cause)) {
      const message = `the chat template exceeds a limit: ${cause.message}`;
      throw new TokenizerError(message, { rule: "LLQ-TOK-4", code, cause });
    }
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new TokenizerError(`the chat template refuses the messages: ${reason}`, { code, cause });
  }
}

/**
 * Whether an error of the platform is about a value that is too large.
 *
 * @param {unknown} cause
 * @returns {cause is Error}
 */
function isAllocation(cause) {
  return (
    cause instanceof Error && /string length|array length|allocation size|out of memory/i.test(cause.message)
  );
}
