/** The conversation: messages on the page and in memory, an answer as it is written. */

import { isAbort, messageOf } from "./error_causes.js";
import { measured } from "./quantities.js";

/** @typedef {import("./webgpu-llama4.js").Message} Message */
/** @typedef {(messages: Message[], signal: AbortSignal) => import("./webgpu-llama4.js").TextStream} Ask */

/** @type {Record<string, string>} */
const NAMES = { user: "You", assistant: "Model" };
/** @type {Record<string, string>} */
const ENDS = { length: "the requested number of tokens", aborted: "stopped" };

export class Conversation {
  /** @param {HTMLElement} list */
  constructor(list) {
    this.list = list;
    /** @type {Message[]} */
    this.messages = [];
  }

  /**
   * Adds a message, and returns its element and the line of its text.
   *
   * @param {string} role
   * @param {string} text
   */
  show(role, text) {
    const item = document.createElement("li");
    item.className = `message ${role}`;
    addLine(item, "who", NAMES[role]);
    const line = addLine(item, "text", text);
    this.list.append(item);
    item.scrollIntoView({ block: "nearest" });
    return { item, line };
  }

  /**
   * Asks the model and shows the answer as it comes. Resolves to its text; a failure is shown below what
   * came.
   *
   * @param {string} text
   * @param {Ask} ask
   * @param {AbortSignal} signal
   */
  async answer(text, ask, signal) {
    this.show("user", text);
    const messages = [...this.messages, { role: "user", content: text }];
    const { item, line } = this.show("assistant", "");
    item.classList.add("writing");
    /** @type {import("./quantities.js").AnswerTimes} */
    const times = { start: performance.now(), first: null, last: null, tokens: 0 };
    let answer = "";
    let end = "";
    let stream;
    try {
      stream = ask(messages, signal);
      for await (const piece of stream) {
        times.last = performance.now();
        times.first ??= times.last;
        answer += piece;
        line.append(piece);
        if (nearEnd()) item.scrollIntoView({ block: "end" });
      }
      end = ENDS[stream.finishReason ?? ""] ?? "";
    } catch (error) {
      if (isAbort(error)) end = ENDS.aborted;
      else addLine(item, "fault", messageOf(error));
    } finally {
      item.classList.remove("writing");
    }
    times.tokens = stream?.usage?.completionTokens ?? 0;
    const figures = [measured(times), end].filter(Boolean).join("; ");
    addLine(item, "measured", `${figures}.`);
    if (answer) this.messages = [...messages, { role: "assistant", content: answer }];
    return answer;
  }

  clear() {
    this.messages = [];
    this.list.replaceChildren();
  }
}

/**
 * Adds a line to a message, and returns it.
 *
 * @param {HTMLElement} item
 * @param {string} kind
 * @param {string} text
 */
function addLine(item, kind, text) {
  const line = document.createElement("p");
  line.className = kind;
  line.textContent = text;
  item.append(line);
  return line;
}

/** Returns whether the reader looks at the end of the page, and has not scrolled up. */
function nearEnd() {
  const page = document.documentElement;
  return page.scrollHeight - page.scrollTop - page.clientHeight < 200;
}
