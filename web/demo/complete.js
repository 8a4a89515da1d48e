/** The page that completes code: suggestions as ghost text, which each key aborts. */

import { find } from "./find.js";
import { read, report, reportError, say, seconds, start } from "./use_case.js";

const PAUSE = 300; // milliseconds without a key, before the model is asked
const MAX_TOKENS = 48;
const MAX_CHARACTERS = 4000; // of the code before the caret
const SAMPLE = "# Returns the mean of a list of numbers.\ndef mean(values):\n    total = 0\n";

const code = find("code", HTMLTextAreaElement);
const typed = find("typed", HTMLElement);
const ghost = find("ghost", HTMLElement);
const latency = find("latency", HTMLElement);
const accept = find("accept", HTMLButtonElement);
const dismiss = find("dismiss", HTMLButtonElement);

/** @type {AbortController | null} ends the request, or the wait before it */
let pending = null;
let aborted = 0;

/** Shows a suggestion after the code. @param {string} suggestion */
function show(suggestion) {
  typed.textContent = code.value;
  ghost.textContent = suggestion;
  accept.disabled = dismiss.disabled = !suggestion;
}

function drop() {
  pending?.abort();
  pending = null;
  show("");
}

/** @param {import("./use_case.js").LoadedModel} model */
async function suggest(model) {
  drop();
  if (!code.value.trim() || !atEnd()) return;
  pending = new AbortController();
  const { signal } = pending;
  await new Promise((resolve) => setTimeout(resolve, PAUSE));
  if (signal.aborted) return;
  report("");
  latency.textContent = "Asking the model …";
  try {
    const prompt = code.value.slice(-MAX_CHARACTERS);
    const stream = model.complete(prompt, { maxTokens: MAX_TOKENS, stop: "\n\n", signal });
    const { first, total, tokens } = await read(stream, (text) => {
      if (!signal.aborted) show(text.trimEnd());
    });
    if (signal.aborted) return;
    const begin = first === null ? "" : `First text after ${seconds(first)}, `;
    latency.textContent = `${begin}${tokens} tokens in ${seconds(total)}. Aborted requests: ${aborted}.`;
    say(ghost.textContent ? `Suggestion: ${ghost.textContent}` : "No suggestion.");
  } catch (error) {
    reportError(error);
    if (!signal.aborted) latency.textContent = "The request failed.";
  } finally {
    if (signal.aborted) {
      aborted += 1;
      if (pending === null) latency.textContent = `Aborted requests: ${aborted}.`;
    } else {
      pending = null;
    }
  }
}

function atEnd() {
  return code.selectionStart === code.value.length && code.selectionEnd === code.value.length;
}

/** Puts the suggestion into the code, as if it were typed: the browser can undo it. */
function acceptSuggestion() {
  const text = ghost.textContent ?? "";
  drop();
  code.focus();
  code.setSelectionRange(code.value.length, code.value.length);
  if (document.execCommand("insertText", false, text)) return;
  code.setRangeText(text, code.value.length, code.value.length, "end");
  code.dispatchEvent(new Event("input"));
}

code.addEventListener("keydown", (event) => {
  if (!ghost.textContent || event.shiftKey || event.isComposing) return;
  if (event.key === "Tab") {
    event.preventDefault();
    acceptSuggestion();
  }
});
addEventListener("keydown", (event) => {
  if (event.key === "Escape") drop();
});
document.addEventListener("selectionchange", () => {
  if (document.activeElement === code && !atEnd()) drop();
});
accept.addEventListener("click", acceptSuggestion);
dismiss.addEventListener("click", () => {
  drop();
  code.focus();
});
code.value = SAMPLE;
show("");
start((model) => {
  code.addEventListener("input", () => suggest(model));
  code.focus({ preventScroll: true });
  code.setSelectionRange(code.value.length, code.value.length);
  suggest(model);
});
