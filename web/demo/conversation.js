/** The conversation: messages on the page and in memory, an answer as it is written. */

import { measured } from "./quantities.js";

const NAMES = { user: "You", assistant: "Model" };
const ENDS = { length: "as many tokens as asked for", aborted: "stopped" };

export class Conversation {
  constructor(list) {
    this.list = list;
    this.messages = [];
  }

  /** Adds a message and returns its element. */
  show(role, text) {
    const item = document.createElement("li");
    item.className = `message ${role}`;
    for (const [name, content] of [
      ["who", NAMES[role]],
      ["text", text],
    ]) {
      const line = document.createElement("p");
      line.className = name;
      line.textContent = content;
      item.append(line);
    }
    this.list.append(item);
    item.scrollIntoView({ block: "nearest" });
    return item;
  }

  /**
   * Asks the model and shows the answer as it comes. Resolves to its text; a failure is shown below what came.
   * @param {(messages: {role: string, content: string}[], signal: AbortSignal) => any} ask returns a stream
   */
  async answer(text, ask, signal) {
    this.show("user", text);
    const asked = [...this.messages, { role: "user", content: text }];
    const item = this.show("assistant", "");
    item.classList.add("writing");
    const line = item.querySelector(".text");
    const times = { start: performance.now(), first: null, last: null, tokens: 0 };
    let said = "";
    let end = "";
    let stream;
    try {
      stream = ask(asked, signal);
      for await (const piece of stream) {
        times.last = performance.now();
        times.first ??= times.last;
        said += piece;
        line.append(piece);
        if (nearEnd()) item.scrollIntoView({ block: "end" });
      }
      end = ENDS[stream.finishReason] ?? "";
    } catch (error) {
      if (error.name === "AbortError") end = ENDS.aborted;
      else this.note(item, "fault", error.message);
    } finally {
      item.classList.remove("writing");
    }
    times.tokens = stream?.usage?.completionTokens ?? 0;
    const figures = [measured(times), end].filter(Boolean).join("; ");
    this.note(item, "measured", `${figures}.`);
    if (said) this.messages = [...asked, { role: "assistant", content: said }];
    return said;
  }

  note(item, kind, text) {
    const line = document.createElement("p");
    line.className = kind;
    line.textContent = text;
    item.append(line);
  }

  clear() {
    this.messages = [];
    this.list.replaceChildren();
  }
}

/** Whether the reader looks at the end of the page; who has scrolled up is left alone. */
function nearEnd() {
  const page = document.documentElement;
  return page.scrollHeight - page.scrollTop - page.clientHeight < 200;
}
