/** The parts that the pages of the use cases share: loading the model, asking it, and reporting failures. */

import { explained, isAbort, messageOf } from "./error_causes.js";
import { find } from "./find.js";
import { bytes } from "./quantities.js";
import { WebGPULlama4 } from "./webgpu-llama4.js";

/** @typedef {import("./webgpu-llama4.js").InferOptions} InferOptions */
/** @typedef {import("./webgpu-llama4.js").Message} Message */
/** @typedef {import("./webgpu-llama4.js").Model} Model */
/** @typedef {import("./webgpu-llama4.js").Session} Session */
/** @typedef {import("./webgpu-llama4.js").TextStream} TextStream */

const address = new URL(new URLSearchParams(location.search).get("model") ?? "../model/", location.href).href;
const loading = {
  text: find("loading-text", HTMLElement),
  bar: find("loading-bar", HTMLProgressElement),
  button: find("load", HTMLButtonElement),
};
const fault = find("fault", HTMLElement);
const status = find("status", HTMLElement);
const controls = find("controls", HTMLFieldSetElement);

/** A model, and a session that keeps what was computed of the last prompt, if there is memory for one. */
export class LoadedModel {
  /**
   * @param {Model} model
   * @param {Session | null} session
   */
  constructor(model, session) {
    this.contextLength = (session ?? model).contextLength;
    this.answering = session ?? model;
    this.hasTemplate = Boolean(model.metadata.tokenizer?.chat_template);
  }

  /**
   * Answers messages. A model without a chat template continues their texts to the end of the line.
   *
   * @param {Message[]} messages
   * @param {InferOptions} options
   */
  chat(messages, options) {
    if (this.hasTemplate) return this.answering.stream(messages, options);
    const text = messages.map(({ content }) => content).join("\n");
    return this.answering.stream(text, { stop: "\n", ...options });
  }

  /**
   * Continues a text.
   *
   * @param {string} text
   * @param {InferOptions} options
   */
  complete(text, options) {
    return this.answering.stream(text, options);
  }
}

/**
 * Passes the text of a stream on as it comes. Resolves to the times of its first piece and its end, in ms.
 *
 * @param {TextStream} stream
 * @param {(text: string) => void} show
 */
export async function read(stream, show) {
  const start = performance.now();
  /** @type {number | null} */
  let first = null;
  let text = "";
  for await (const piece of stream) {
    first ??= performance.now() - start;
    text += piece;
    show(text);
  }
  return { first, total: performance.now() - start, tokens: stream.usage.completionTokens };
}

/** Returns a time in seconds, to two decimals. @param {number} milliseconds */
export function seconds(milliseconds) {
  return `${(milliseconds / 1000).toFixed(2)} s`;
}

/** Announces a text to screen readers. @param {string} text */
export function say(text) {
  status.textContent = text;
}

/** Shows a failure, or none for an empty text. @param {string} text */
export function report(text) {
  fault.textContent = text;
  fault.hidden = !text;
}

/** Shows the message of an error, unless the visitor caused it by an abort. @param {unknown} error */
export function reportError(error) {
  if (isAbort(error)) return;
  console.warn(error);
  report(messageOf(error));
}

/**
 * Prepares the page, and calls `ready` when the visitor has loaded the model.
 *
 * @param {(model: LoadedModel) => void} ready
 */
export async function start(ready) {
  if (!globalThis.isSecureContext || !navigator.gpu) {
    loading.text.textContent = "The model cannot run here.";
    report(
      globalThis.isSecureContext
        ? "This browser has no WebGPU, with which the model computes. Recent versions of Chrome, Edge and Safari have it, and Firefox on Windows and macOS."
        : "This address is not secure. Browsers offer WebGPU only over https and on localhost: open the page there.",
    );
    return;
  }
  try {
    const response = await fetch(new URL("metadata.json", address), { cache: "no-cache" });
    if (!response.ok) throw new Error(`${response.url} answers with HTTP ${response.status}`);
    /** @type {Model["metadata"]} */
    const { stem, shards } = await response.json();
    const size = shards.reduce((sum, shard) => sum + shard.byte_length, 0);
    loading.text.textContent = `${stem}: ${bytes(size)} are loaded once and kept in this browser.`;
  } catch (error) {
    loading.text.textContent = "The package cannot be read; a stored copy may still load.";
    console.warn(error);
  }
  /** @type {AbortController | null} */
  let stopping = null;
  loading.button.disabled = false;
  loading.button.addEventListener("click", async () => {
    if (stopping) {
      stopping.abort();
      return;
    }
    stopping = new AbortController();
    const model = await load(stopping.signal);
    stopping = null;
    if (model) ready(model);
  });
}

/** Loads the model; null if that fails or is aborted. @param {AbortSignal} signal */
async function load(signal) {
  const text = loading.text.textContent ?? "";
  report("");
  loading.button.textContent = "Cancel";
  loading.bar.removeAttribute("value");
  loading.bar.classList.remove("unseen");
  say("Loading the model.");
  try {
    const model = await WebGPULlama4.loadModel(address, {
      signal,
      onProgress({ loaded, total }) {
        if (!total) return;
        loading.bar.value = loaded / total;
        loading.text.textContent =
          loaded < total ? `${bytes(loaded)} of ${bytes(total)}` : "Compiling the kernels …";
      },
    });
    if (!model.tokenizer) throw new Error("This package has no tokenizer, so the model cannot read texts.");
    const session = await model.createSession().catch(() => null);
    const place = model.device.software ? "the processor, where answers are slow" : "the graphics card";
    loading.text.textContent = `${model.metadata.stem} is ready. It runs on ${place}.`;
    loading.button.hidden = true;
    controls.disabled = false;
    say("The model is ready.");
    return new LoadedModel(model, session);
  } catch (error) {
    loading.text.textContent = text;
    loading.button.textContent = "Load the model";
    if (!isAbort(error)) {
      console.warn(error);
      const { cause, exactly } = explained(error);
      report(`The model could not be loaded. ${cause} (${exactly})`);
    }
    return null;
  } finally {
    loading.bar.classList.add("unseen");
  }
}
