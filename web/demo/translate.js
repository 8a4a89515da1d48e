/** The page that translates a paragraph: each sentence is a request of its own, which is streamed and timed. */

import { isAbort } from "./error_causes.js";
import { find } from "./find.js";
import { read, report, reportError, say, seconds, start } from "./use_case.js";

const MAX_TOKENS = 96;

const form = find("form", HTMLFormElement);
const paragraph = find("paragraph", HTMLTextAreaElement);
const language = find("language", HTMLSelectElement);
const list = find("sentences", HTMLOListElement);
const summary = find("summary", HTMLElement);
const go = find("go", HTMLButtonElement);
const stop = find("stop", HTMLButtonElement);

/** @type {AbortController | null} */
let stopping = null;

/** Returns the sentences of a text. @param {string} text */
function sentencesOf(text) {
  const segments = new Intl.Segmenter("en", { granularity: "sentence" }).segment(text);
  return [...segments].map(({ segment }) => segment.trim()).filter(Boolean);
}

/** Adds a sentence to the list, and returns it with the lines for its translation and time. @param {string} sentence */
function addRow(sentence) {
  const item = document.createElement("li");
  const [source, target, time] = ["source", "target", "time"].map((kind) => {
    const line = document.createElement("p");
    line.className = kind;
    return line;
  });
  source.textContent = sentence;
  target.lang = language.value;
  item.append(source, target, time);
  list.append(item);
  return { sentence, target, time };
}

/** @param {import("./use_case.js").LoadedModel} model */
async function translate(model) {
  stopping = new AbortController();
  const { signal } = stopping;
  const name = language.selectedOptions[0].text;
  report("");
  list.replaceChildren();
  const rows = sentencesOf(paragraph.value).map(addRow);
  const times = [];
  go.disabled = true;
  stop.disabled = false;
  summary.textContent = "Translating …";
  try {
    for (const { sentence, target, time } of rows) {
      const content = `Translate into ${name}.\nText: ${sentence}\n${name}:`;
      const stream = model.chat([{ role: "user", content }], { maxTokens: MAX_TOKENS, signal });
      const { total } = await read(stream, (text) => {
        target.textContent = text.trim();
      });
      times.push(total);
      time.textContent = seconds(total);
      say(target.textContent ?? "");
    }
    const sum = times.reduce((total, time) => total + time, 0);
    const count = `${times.length} ${times.length === 1 ? "sentence" : "sentences"}`;
    summary.textContent = times.length
      ? `${count} in ${seconds(sum)}, ${seconds(sum / times.length)} for each.`
      : "The paragraph has no sentence.";
  } catch (error) {
    summary.textContent = isAbort(error) ? "Stopped." : "The translation failed.";
    reportError(error);
  } finally {
    stopping = null;
    go.disabled = false;
    stop.disabled = true;
    if (document.activeElement === document.body) go.focus();
  }
}

stop.addEventListener("click", () => stopping?.abort());
addEventListener("keydown", (event) => {
  if (event.key === "Escape") stopping?.abort();
});
form.addEventListener("submit", (event) => event.preventDefault());
start((model) => {
  form.addEventListener("submit", () => {
    if (!stopping) translate(model);
  });
  paragraph.focus({ preventScroll: true });
});
