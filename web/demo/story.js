/** The page of the story: a game in turns, whose state is a session. */

import { Conversation } from "./conversation.js";
import { find } from "./find.js";
import { say, start } from "./use_case.js";

const MAX_TOKENS = 60;

const opening = find("opening", HTMLFormElement);
const setting = find("setting", HTMLInputElement);
const seed = find("seed", HTMLInputElement);
const temperature = find("temperature", HTMLInputElement);
const turn = find("turn", HTMLFormElement);
const action = find("action", HTMLInputElement);
const back = find("back", HTMLButtonElement);
const stop = find("stop", HTMLButtonElement);
const memory = find("memory", HTMLElement);
const quick = /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll(".quick"));

const story = new Conversation(find("story", HTMLOListElement));
/** @type {boolean[]} for each turn on the page, whether the story keeps it: an empty answer is not kept */
const turns = [];
/** @type {AbortController | null} */
let stopping = null;

/** Enables what can be done now. */
function update() {
  const idle = stopping === null;
  const begun = story.messages.length > 0;
  for (const control of [...opening.elements, ...turn.elements]) {
    if (control instanceof HTMLInputElement) control.readOnly = !idle;
    else if (control instanceof HTMLButtonElement) control.disabled = !idle;
  }
  for (const button of [...quick, find("act", HTMLButtonElement)]) button.disabled = !idle || !begun;
  action.disabled = !begun;
  back.disabled = !idle || !turns.length;
  stop.disabled = idle;
}

/**
 * Plays one turn.
 *
 * @param {import("./use_case.js").LoadedModel} model
 * @param {string} text what the player says or does
 */
async function play(model, text) {
  if (stopping || !opening.reportValidity()) return;
  stopping = new AbortController();
  update();
  say("The model is writing.");
  /** @type {import("./use_case.js").TextStream | undefined} */
  let stream;
  const ask = (
    /** @type {import("./use_case.js").Message[]} */ messages,
    /** @type {AbortSignal} */ signal,
  ) => {
    stream = model.chat(messages, {
      maxTokens: MAX_TOKENS,
      temperature: temperature.valueAsNumber,
      topP: 0.95,
      seed: BigInt(seed.value),
      signal,
    });
    return stream;
  };
  const answer = await story.answer(text, ask, stopping.signal);
  turns.push(Boolean(answer));
  stopping = null;
  if (answer)
    memory.textContent = `The session holds ${stream?.usage.totalTokens} of ${model.contextLength} tokens.`;
  update();
  say(answer || "The model said nothing.");
  if (story.messages.length) action.focus({ preventScroll: true });
}

back.addEventListener("click", () => {
  if (turns.pop()) story.messages.splice(-2);
  for (let count = 0; count < 2; count += 1) story.list.lastElementChild?.remove();
  memory.textContent = "The last turn was taken back.";
  say(memory.textContent);
  update();
  (story.messages.length ? action : setting).focus();
});
stop.addEventListener("click", () => stopping?.abort());
addEventListener("keydown", (event) => {
  if (event.key === "Escape") stopping?.abort();
});
for (const form of [opening, turn]) form.addEventListener("submit", (event) => event.preventDefault());
seed.value = String(crypto.getRandomValues(new Uint32Array(1))[0]);
update();
start((model) => {
  opening.addEventListener("submit", () => {
    if (stopping) return;
    story.clear();
    turns.length = 0;
    play(
      model,
      `Write a story about ${setting.value}, in the second person. Each turn has two short sentences.`,
    );
  });
  turn.addEventListener("submit", () => {
    if (stopping || !story.messages.length) return;
    const text = action.value.trim();
    action.value = "";
    if (text) play(model, text);
  });
  for (const button of quick) button.addEventListener("click", () => play(model, button.textContent ?? ""));
  setting.focus({ preventScroll: true });
});
