/**
 * The demo page: loads the package below ../model/, or at the address that ?model= names, and talks to it.
 */

import { Conversation } from "./conversation.js";
import { page } from "./elements.js";
import { explained, isAbort, messageOf } from "./error_causes.js";
import { picture, sentence, table } from "./layer_times.js";
import { bytes, duration } from "./quantities.js";
import { WebGPULlama4 } from "./webgpu-llama4.js";

const address = new URL(new URLSearchParams(location.search).get("model") ?? "../model/", location.href).href;
const conversation = new Conversation(page.messages);
/** @typedef {import("./webgpu-llama4.js").Progress} Progress */

/** @type {Record<Progress["phase"], string>} */
const PHASES = {
  metadata: "Reading the index",
  program: "Reading the program",
  device: "Requesting the device",
  pipelines: "Compiling the kernels",
  weights: "Loading the weights",
  ready: "Ready",
};

const MUTE = "This package has no tokenizer. You can load and measure it, but not chat with it.";

/** @type {import("./webgpu-llama4.js").Model | null} */
let model = null;
/** @type {import("./webgpu-llama4.js").Session | null} what was computed of the conversation, if there is room for it */
let session = null;
/** @type {AbortController | null} ends a load or an answer */
let stopping = null;
/** @type {AbortController | null} ends a measurement */
let measuring = null;

/** @param {"starting" | "unsupported" | "idle" | "loading" | "failed" | "ready" | "answering"} name */
function state(name) {
  document.body.dataset.state = name;
  const loaded = name === "ready" || name === "answering";
  page.start.hidden = loaded || name === "unsupported" || name === "failed";
  page.progress.hidden = page.cancel.hidden = name !== "loading";
  page.load.hidden = name === "loading";
  page.conversation.hidden = !loaded;
  page.composer.hidden = !loaded || !model?.tokenizer;
  page.send.hidden = name === "answering";
  page.stop.hidden = name !== "answering";
  page.fresh.hidden = !conversation.list.children.length || name === "answering";
  page.empty.hidden = Boolean(conversation.list.children.length);
  page.measure.disabled = name === "answering";
}

/** Announces a text to screen readers. @param {string} text */
function say(text) {
  page.status.textContent = text;
}

/**
 * @param {string} title
 * @param {string} text
 * @param {{exactly?: string, rule?: string | null, ruleUrl?: string | null, retry?: () => void}} [details]
 */
function notice(title, text, { exactly = "", rule = null, ruleUrl = null, retry } = {}) {
  page.noticeTitle.textContent = title;
  page.noticeText.textContent = text;
  page.noticeRule.hidden = ruleUrl === null;
  if (ruleUrl !== null) {
    page.noticeRule.href = ruleUrl;
    page.noticeRule.textContent = `Rule ${rule}`;
  }
  page.noticeExactly.textContent = exactly;
  page.noticeDetails.hidden = !exactly;
  page.retry.hidden = retry === undefined;
  page.retry.onclick = retry ?? null;
  page.notice.hidden = false;
}

async function start() {
  state("starting");
  if (!globalThis.isSecureContext) {
    state("unsupported");
    notice(
      "This address is not secure",
      "Browsers offer WebGPU only over https and on localhost. Open the page there.",
    );
    return;
  }
  if (!navigator.gpu) {
    state("unsupported");
    notice(
      "This browser has no WebGPU",
      "The model computes with WebGPU. Recent versions of Chrome, Edge and Safari have it, and Firefox on Windows and macOS. On Linux you may need to enable it.",
    );
    return;
  }
  page.size.textContent = "Reading the package …";
  try {
    const response = await fetch(new URL("metadata.json", address), { cache: "no-cache" });
    if (!response.ok) throw new Error(`${response.url} answers with HTTP ${response.status}`);
    describe(await response.json());
  } catch (error) {
    page.size.textContent = "The package cannot be read; a stored copy may still load.";
    console.warn(error);
  }
  page.load.disabled = false;
  state("idle");
  page.load.focus({ preventScroll: true });
  await showStored();
}

/** @param {import("./webgpu-llama4.js").Model["metadata"]} metadata */
function describe(metadata) {
  const size = metadata.shards.reduce((sum, shard) => sum + shard.byte_length, 0);
  page.name.textContent = metadata.stem;
  document.title = `${metadata.stem} – LLQ demo`;
  page.size.textContent = `${bytes(size)} are loaded once and kept in this browser.`;
  page.load.textContent = `Load ${bytes(size)}`;
  if (!metadata.tokenizer) page.size.textContent += ` ${MUTE}`;
  const template = metadata.tokenizer?.chat_template;
  page.chat.checked = Boolean(template);
  page.chat.disabled = !template;
  if (!template && page.chat.labels) {
    page.chat.labels[0].textContent = "This model continues texts: it has no chat template";
  }
  mode();
}

function mode() {
  page.promptLabel.textContent = page.chat.checked ? "Message" : "Text to continue";
}

async function load() {
  page.notice.hidden = true;
  page.bar.removeAttribute("value");
  stopping = new AbortController();
  state("loading");
  page.cancel.focus();
  say("Loading the model.");
  let announced = 0;
  const onProgress = (/** @type {Progress} */ progress) => {
    show(progress);
    const quarter = progress.total ? Math.floor((4 * progress.loaded) / progress.total) : 0;
    if (quarter > announced && quarter < 4) say(`${25 * quarter} per cent loaded.`);
    announced = Math.max(announced, quarter);
  };
  try {
    model = await WebGPULlama4.loadModel(address, { signal: stopping.signal, onProgress });
    session = await model.createSession().catch(() => null);
  } catch (error) {
    if (isAbort(error)) {
      state("idle");
      page.load.focus();
      say("Loading was cancelled.");
      return;
    }
    console.warn(error);
    const { cause, ...details } = explained(error);
    state("failed");
    notice("The model could not be loaded", cause, { ...details, retry: load });
    page.retry.focus();
    return;
  }
  page.software.hidden = !model.device.software;
  facts(model);
  if (!model.tokenizer) page.empty.textContent = MUTE;
  state("ready");
  say("The model is ready.");
  page.prompt.focus({ preventScroll: true });
  page.prompt.select();
  await showStored();
}

/** @param {Progress} progress */
function show({ phase, loaded, total, bytesPerSecond, secondsLeft, cached }) {
  page.phase.textContent = PHASES[phase] + (cached && phase === "weights" ? ", from the stored copy" : "");
  if (!total) return;
  page.bar.value = loaded / total;
  page.amount.textContent = `${bytes(loaded)} of ${bytes(total)}`;
  page.speed.textContent = bytesPerSecond && loaded < total ? `${bytes(bytesPerSecond)}/s` : "";
  page.left.textContent = secondsLeft !== null && loaded < total ? `${duration(secondsLeft)} left` : "";
}

/** @param {import("./webgpu-llama4.js").Model} model */
function facts(model) {
  const { name, variant, software } = model.device;
  const memory = model.memory();
  const sum = Object.values(memory).reduce((total, size) => total + size, 0);
  const rows = [
    ["Adapter", name || "not reported by this browser"],
    ["Runs on", software ? "the processor" : "the graphics card"],
    ["Kernels", variant],
    ["Memory", bytes(sum)],
    ["– weights", bytes(memory.weights ?? 0)],
    ["– KV cache", bytes(memory.kv_cache ?? 0)],
  ];
  page.device.replaceChildren(
    ...rows.map(([term, text]) => {
      const row = document.createElement("div");
      for (const [tag, content] of [
        ["dt", term],
        ["dd", text],
      ]) {
        row.append(Object.assign(document.createElement(tag), { textContent: content }));
      }
      return row;
    }),
  );
}

/** @param {AbortSignal} signal */
function options(signal) {
  const seed = page.seed.value.trim();
  return {
    maxTokens: page.maxTokens.valueAsNumber,
    temperature: page.temperature.valueAsNumber,
    topK: page.topK.valueAsNumber,
    topP: page.topP.valueAsNumber,
    ...(seed && { seed: BigInt(seed) }),
    signal,
  };
}

async function send() {
  const text = page.prompt.value.trim();
  const answering = session ?? model;
  if (
    !text ||
    answering === null ||
    document.body.dataset.state !== "ready" ||
    measuring ||
    !page.settings.reportValidity()
  )
    return;
  page.prompt.value = "";
  stopping = new AbortController();
  const chat = page.chat.checked;
  if (!chat) conversation.messages = [];
  const answer = conversation.answer(
    text,
    (messages, signal) => answering.stream(chat ? messages : text, options(signal)),
    stopping.signal,
  );
  state("answering");
  say("The model is answering.");
  const reply = await answer;
  const focused = document.activeElement === document.body || document.activeElement === page.stop;
  state("ready");
  say(`The answer: ${reply || "nothing"}`);
  if (focused) page.prompt.focus();
}

async function measure() {
  if (measuring) {
    measuring.abort();
    return;
  }
  if (model === null) return;
  measuring = new AbortController();
  const { signal } = measuring;
  const before = page.timingText.textContent;
  page.measure.textContent = "Stop measuring";
  page.send.disabled = true;
  page.timingText.textContent = model.device.software
    ? "Measuring. On a CPU this can take minutes …"
    : "Measuring …";
  say("Measuring.");
  // each repetition of a real model takes seconds on a software adapter
  const repetitions = model.device.software ? { tokens: 2, promptTokens: 1 } : {};
  try {
    const profile = await model.profile({ ...repetitions, signal });
    page.picture.replaceChildren(picture(profile), table(profile));
    page.picture.hidden = !profile.block_times_ms.some((time) => time !== null);
    page.timingText.textContent = sentence(profile);
    say(sentence(profile));
  } catch (error) {
    if (!signal.aborted) console.warn(error);
    page.timingText.textContent = signal.aborted ? before : `The measurement failed: ${messageOf(error)}`;
    say(signal.aborted ? "The measurement was stopped." : "The measurement failed.");
  } finally {
    measuring = null;
    page.measure.textContent = "Measure";
    page.send.disabled = false;
  }
}

async function showStored() {
  const stored = await WebGPULlama4.cache.list().catch(() => []);
  const size = stored.reduce((sum, entry) => sum + entry.bytes, 0);
  page.stored.hidden = !size;
  page.storedText.textContent = `${bytes(size)} are kept in this browser, so that the model loads without a network.`;
}

for (const [input, output] of /** @type {const} */ ([
  [page.temperature, page.temperatureValue],
  [page.topP, page.topPValue],
])) {
  const update = () => {
    output.textContent = input.valueAsNumber.toFixed(2);
  };
  input.addEventListener("input", update);
  update();
}
page.load.addEventListener("click", load);
page.cancel.addEventListener("click", () => stopping?.abort());
page.stop.addEventListener("click", () => stopping?.abort());
page.measure.addEventListener("click", measure);
page.chat.addEventListener("change", mode);
page.clear.addEventListener("click", async () => {
  await WebGPULlama4.cache.clear();
  await showStored();
  say("The stored copy was deleted.");
});
page.fresh.addEventListener("click", () => {
  conversation.clear();
  state("ready");
  page.prompt.focus();
});
page.settings.addEventListener("submit", (event) => event.preventDefault());
page.composer.addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});
page.prompt.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    send();
  }
});
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && document.body.dataset.state === "answering") stopping?.abort();
});
start();
