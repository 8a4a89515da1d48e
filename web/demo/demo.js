/** The demo page: loads the package below ../model/, or at the address that ?model= names, and talks to it. */

import { Conversation } from "./conversation.js";
import { explained } from "./error_causes.js";
import { bytes, duration } from "./quantities.js";
import { picture, sentence, table } from "./timing.js";
import { WebGPULlama4 } from "./webgpu-llama4.js";

const $ = (id) => document.getElementById(id);
const address = new URL(new URLSearchParams(location.search).get("model") ?? "../model/", location.href).href;
const conversation = new Conversation($("messages"));
const PHASES = {
  metadata: "Reading the index",
  program: "Reading the program",
  device: "Asking for the device",
  pipelines: "Compiling the kernels",
  weights: "Loading the weights",
  tokenizer: "Reading the tokenizer",
  ready: "Ready",
};

const MUTE = "This package has no tokenizer: it can be loaded and measured, but not talked to.";

let model = null;
let stopping = null;
let measuring = null;

function state(name) {
  document.body.dataset.state = name;
  const loaded = name === "ready" || name === "answering";
  $("start").hidden = loaded || name === "unsupported" || name === "failed";
  $("progress").hidden = $("cancel").hidden = name !== "loading";
  $("load").hidden = name === "loading";
  $("conversation").hidden = !loaded;
  $("composer").hidden = !loaded || !model.tokenizer;
  $("send").hidden = name === "answering";
  $("stop").hidden = name !== "answering";
  $("fresh").hidden = !conversation.list.children.length || name === "answering";
  $("empty").hidden = Boolean(conversation.list.children.length);
  $("measure").disabled = name === "answering";
}

/** Tells those who listen instead of looking. */
const say = (text) => ($("status").textContent = text);

function notice(title, text, exactly = "", again = null) {
  $("notice-title").textContent = title;
  $("notice-text").textContent = text;
  $("notice-exactly").textContent = exactly;
  $("notice-details").hidden = !exactly;
  $("retry").hidden = !again;
  $("retry").onclick = again;
  $("notice").hidden = false;
}

async function start() {
  state("starting");
  if (!globalThis.isSecureContext) {
    state("unsupported");
    return notice(
      "This address is not secure",
      "Browsers offer WebGPU on https and on this machine itself (localhost) alone. Open the page there.",
    );
  }
  if (!navigator.gpu) {
    state("unsupported");
    return notice(
      "This browser has no WebGPU",
      "The model computes with WebGPU. Recent versions of Chrome, Edge and Safari have it, and Firefox on Windows and macOS; on Linux it may have to be switched on.",
    );
  }
  try {
    const response = await fetch(new URL("metadata.json", address), { cache: "no-cache" });
    if (!response.ok) throw new Error(`${response.url} answers with HTTP ${response.status}`);
    describe(await response.json());
  } catch (error) {
    $("size").textContent = "The package could not be looked at; a stored copy may still load.";
    console.warn(error);
  }
  $("load").disabled = false;
  state("idle");
  $("load").focus({ preventScroll: true });
  await showStored();
}

function describe(metadata) {
  const size = metadata.shards.reduce((sum, shard) => sum + shard.byte_length, 0);
  $("name").textContent = metadata.stem;
  document.title = `${metadata.stem} – LLQ demo`;
  $("size").textContent = `${bytes(size)} are loaded once, and kept in this browser for the next time.`;
  $("load").textContent = `Load ${bytes(size)}`;
  if (!metadata.tokenizer) $("size").textContent += ` ${MUTE}`;
  const template = metadata.tokenizer?.chat_template;
  $("chat").checked = Boolean(template);
  $("chat").disabled = !template;
  if (!template) $("chat").labels[0].textContent = "This model continues texts: it has no chat template";
  mode();
}

function mode() {
  $("prompt-label").textContent = $("chat").checked ? "Message" : "Text to continue";
}

async function load() {
  $("notice").hidden = true;
  $("bar").removeAttribute("value");
  stopping = new AbortController();
  state("loading");
  $("cancel").focus();
  say("Loading the model.");
  let told = 0;
  const onProgress = (progress) => {
    show(progress);
    const quarter = progress.total ? Math.floor((4 * progress.loaded) / progress.total) : 0;
    if (quarter > told && quarter < 4) say(`${25 * quarter} per cent loaded.`);
    told = Math.max(told, quarter);
  };
  try {
    model = await WebGPULlama4.loadModel(address, { signal: stopping.signal, onProgress });
  } catch (error) {
    if (error.name === "AbortError") {
      state("idle");
      $("load").focus();
      return say("Loading was cancelled.");
    }
    console.warn(error);
    const { cause, exactly } = explained(error);
    state("failed");
    notice("The model could not be loaded", cause, exactly, load);
    return $("retry").focus();
  }
  $("software").hidden = !model.device.software;
  facts();
  if (!model.tokenizer) $("empty").textContent = MUTE;
  state("ready");
  say("The model is ready.");
  $("prompt").focus({ preventScroll: true });
  $("prompt").select();
  await showStored();
}

function show({ phase, loaded, total, bytesPerSecond, secondsLeft, cached }) {
  $("phase").textContent = PHASES[phase] + (cached && phase === "weights" ? ", from the stored copy" : "");
  if (!total) return;
  $("bar").value = loaded / total;
  $("amount").textContent = `${bytes(loaded)} of ${bytes(total)}`;
  $("speed").textContent = bytesPerSecond && loaded < total ? `${bytes(bytesPerSecond)}/s` : "";
  $("left").textContent = secondsLeft !== null && loaded < total ? `${duration(secondsLeft)} left` : "";
}

function facts() {
  const { name, variant, software } = model.device;
  const memory = model.memory();
  const sum = Object.values(memory).reduce((total, size) => total + size, 0);
  const rows = [
    ["Adapter", name || "not told by this browser"],
    ["Runs on", software ? "the processor" : "the graphics card"],
    ["Kernels", variant],
    ["Memory", bytes(sum)],
    ["– weights", bytes(memory.weights ?? 0)],
    ["– KV cache", bytes(memory.kv_cache ?? 0)],
  ];
  $("device").replaceChildren(
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

function options(signal) {
  const seed = $("seed").value.trim();
  return {
    maxTokens: $("max-tokens").valueAsNumber,
    temperature: $("temperature").valueAsNumber,
    topK: $("top-k").valueAsNumber,
    topP: $("top-p").valueAsNumber,
    ...(seed && { seed: BigInt(seed) }),
    signal,
  };
}

async function send() {
  const text = $("prompt").value.trim();
  if (!text || document.body.dataset.state !== "ready" || measuring || !$("settings").reportValidity())
    return;
  $("prompt").value = "";
  stopping = new AbortController();
  const chat = $("chat").checked;
  if (!chat) conversation.messages = [];
  const answering = conversation.answer(
    text,
    (messages, signal) => model.stream(chat ? messages : text, options(signal)),
    stopping.signal,
  );
  state("answering");
  say("The model is answering.");
  const said = await answering;
  const focused = document.activeElement === document.body || document.activeElement === $("stop");
  state("ready");
  say(`The answer: ${said || "nothing"}`);
  if (focused) $("prompt").focus();
}

async function measure() {
  if (measuring) return measuring.abort();
  const { signal } = (measuring = new AbortController());
  const before = $("timing-text").textContent;
  $("measure").textContent = "Stop measuring";
  $("send").disabled = true;
  $("timing-text").textContent = model.device.software
    ? "Measuring; on the processor this may take minutes …"
    : "Measuring …";
  say("Measuring.");
  // each repetition of a real model takes seconds on a software adapter
  const repetitions = model.device.software ? { tokens: 2, promptTokens: 1 } : {};
  try {
    const profile = await model.profile({ ...repetitions, signal });
    $("picture").replaceChildren(picture(profile), table(profile));
    $("picture").hidden = !profile.block_times_ms.some((time) => time !== null);
    $("timing-text").textContent = sentence(profile);
    say(sentence(profile));
  } catch (error) {
    if (!signal.aborted) console.warn(error);
    $("timing-text").textContent = signal.aborted ? before : `This could not be measured: ${error.message}`;
    say(signal.aborted ? "Measuring was stopped." : "This could not be measured.");
  } finally {
    measuring = null;
    $("measure").textContent = "Measure";
    $("send").disabled = false;
  }
}

async function showStored() {
  const stored = await WebGPULlama4.cache.list().catch(() => []);
  const size = stored.reduce((sum, entry) => sum + entry.bytes, 0);
  $("stored").hidden = !size;
  $("stored-text").textContent =
    `${bytes(size)} are kept in this browser, so that the model loads without a network.`;
}

for (const id of ["temperature", "top-p"]) {
  const tell = () => ($(`${id}-value`).textContent = $(id).valueAsNumber.toFixed(2));
  $(id).addEventListener("input", tell);
  tell();
}
$("load").addEventListener("click", load);
$("cancel").addEventListener("click", () => stopping.abort());
$("stop").addEventListener("click", () => stopping.abort());
$("measure").addEventListener("click", measure);
$("chat").addEventListener("change", mode);
$("clear").addEventListener("click", async () => {
  await WebGPULlama4.cache.clear();
  await showStored();
  say("The stored copy was deleted.");
});
$("fresh").addEventListener("click", () => {
  conversation.clear();
  state("ready");
  $("prompt").focus();
});
$("settings").addEventListener("submit", (event) => event.preventDefault());
$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});
$("prompt").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    send();
  }
});
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && document.body.dataset.state === "answering") stopping.abort();
});
start();
