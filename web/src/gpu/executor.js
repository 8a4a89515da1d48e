/** The executor: the interpreter of program.json on a device (spec: Execution program). */

import { ContextError, DeviceError, InputError } from "../errors.js";
import { encodeDispatches } from "./bound_dispatch.js";
import { USAGE } from "./buffer_usage.js";
import { CacheRecord } from "./cache_record.js";
import { grid, parameterBytes, SLOT_BYTES } from "./program.js";
import { ProgramBuffers } from "./program_buffers.js";

/** @typedef {import("./device.js").Device} Device */
/** @typedef {import("./program.js").Dispatch} Dispatch */
/** @typedef {import("./program.js").Program} Program */
/** @typedef {import("./bound_dispatch.js").BoundDispatch} BoundDispatch */

/** Default number of positions of the KV cache. */
export const DEFAULT_CONTEXT = 2048;

/** The word of `state` that holds the token chosen last. */
export const CHOSEN = 2;

/**
 * Checks the number of positions of a KV cache.
 *
 * @param {number} context
 * @param {number} longest the context length of the model
 * @throws {ContextError}
 */
export function checkContext(context, longest) {
  if (Number.isInteger(context) && context >= 1 && context <= longest) return;
  throw new ContextError(`the context has ${context} positions (allowed: 1 to ${longest})`);
}

/** A program on a device, with one sequence. */
export class Executor {
  #buffers;
  /** @type {Map<string, BoundDispatch[]>} */
  #passes = new Map();
  /** @type {Map<number, GPUBindGroup>} */
  #parameters = new Map();
  #arena;
  #shards;
  /** @type {Float32Array | null} */
  #invFreq = null;
  #record = new CacheRecord();
  /** Number of errors of the device when the record began. */
  #errors = 0;

  /**
   * @param {Program} program
   * @param {Device} device
   * @param {object} [options]
   * @param {GPUBuffer[]} [options.shards] the shards that `weights` names, uploaded and checked
   * @param {number} [options.context] positions of the KV cache, 1 to the program's context_length
   * @throws {ContextError}
   */
  constructor(
    program,
    device,
    { shards = [], context = Math.min(program.contextLength, DEFAULT_CONTEXT) } = {},
  ) {
    checkContext(context, program.contextLength);
    this.program = program;
    this.device = device;
    this.context = context;
    this.#buffers = new ProgramBuffers(program, device, context);
    this.#errors = device.errors;
    this.#shards = shards;
    const data = parameterBytes(program);
    this.#arena = device.gpu.createBuffer({
      label: "parameters",
      size: Math.max(SLOT_BYTES, data.length),
      usage: USAGE.UNIFORM | USAGE.COPY_DST,
    });
    device.gpu.queue.writeBuffer(this.#arena, 0, data);
  }

  // Sequences.

  /** Number of positions that were computed. */
  get position() {
    return this.#record.length;
  }

  /** Begins a new sequence: what the KV cache holds is forgotten. */
  start() {
    this.#record.cut(0);
    this.#errors = this.device.errors;
  }

  /**
   * Begins a sequence with what the KV cache holds of it, and returns the ids that are still to be computed.
   *
   * @param {readonly number[]} ids of the sequence
   * @param {{exact: boolean}} options exact: keep only what computing all ids would compute bit for bit
   */
  resume(ids, { exact }) {
    if (this.device.errors !== this.#errors) this.start();
    const kept = exact ? this.#record.commonChunks(ids, this.program.chunk) : this.#record.common(ids);
    this.#record.cut(kept);
    return ids.slice(kept);
  }

  /** Counts positions that passes of the caller computed. @param {readonly number[]} tokens */
  advance(tokens) {
    this.#record.add(tokens);
  }

  /**
   * Computes the next positions; a choice then gives the token that follows them. If the device fails, the sequence is
   * forgotten.
   *
   * @param {readonly number[]} tokens
   * @param {AbortSignal} [signal] checked between chunks
   */
  async prefill(tokens, signal) {
    const chunks = this.#chunks(tokens);
    for (const [number, chunk] of chunks.entries()) {
      signal?.throwIfAborted();
      const last = number === chunks.length - 1;
      try {
        this.#writeChunk(chunk);
        await this.#submit(last ? ["prefill", "last"] : ["prefill"], chunk.length);
        if (signal !== undefined && !last) await this.device.gpu.queue.onSubmittedWorkDone();
        this.device.check();
      } catch (error) {
        this.start();
        throw error;
      }
      this.#record.addChunk(chunk);
    }
  }

  /**
   * Computes the next positions and returns their logits, [tokens, vocab_size].
   *
   * @param {readonly number[]} tokens
   * @returns {Promise<Float32Array>}
   */
  async forward(tokens) {
    const vocab = this.vocabSize;
    const logits = new Float32Array(tokens.length * vocab);
    let row = 0;
    for (const chunk of this.#chunks(tokens)) {
      this.#writeChunk(chunk);
      const single = chunk.length === 1;
      await this.#submit(single ? ["decode"] : ["prefill", "logits"], chunk.length);
      this.advance(chunk);
      const bytes = await this.read(single ? "logits" : "all_logits", 4 * chunk.length * vocab);
      logits.set(new Float32Array(bytes), row * vocab);
      row += chunk.length;
    }
    return logits;
  }

  get vocabSize() {
    return (this.program.buffers.get("logits")?.bytes ?? 0) / 4;
  }

  /** @param {readonly number[]} tokens @returns {number[][]} */
  #chunks(tokens) {
    const vocab = this.vocabSize;
    if (tokens.length === 0 || !tokens.every((id) => Number.isInteger(id) && id >= 0 && id < vocab)) {
      throw new InputError(
        `the token ids are invalid: expected at least one id, each from 0 to ${vocab - 1}`,
      );
    }
    if (this.position + tokens.length > this.context) {
      const count = this.position + tokens.length;
      throw new ContextError(`${count} positions do not fit into a context of ${this.context}`);
    }
    const { chunk } = this.program;
    return Array.from({ length: Math.ceil(tokens.length / chunk) }, (_, i) =>
      tokens.slice(i * chunk, (i + 1) * chunk),
    );
  }

  /** @param {number[]} chunk */
  #writeChunk(chunk) {
    this.write("tokens", new Uint32Array(chunk));
    this.write("state", new Uint32Array([this.position, chunk.length]));
  }

  // Passes.

  /** @param {string[]} passes @param {number} tokens */
  async #submit(passes, tokens) {
    await this.prepare(passes);
    const encoder = this.device.gpu.createCommandEncoder({ label: passes.join(" ") });
    this.encode(encoder, passes, tokens);
    this.device.gpu.queue.submit([encoder.finish()]);
  }

  /**
   * Runs a pass for a chunk of tokens; `state` must hold their number.
   *
   * @param {string} name
   * @param {number} tokens
   */
  async run(name, tokens) {
    await this.#submit([name], tokens);
  }

  /**
   * Encodes passes that were prepared, one after another, into one compute pass.
   *
   * @param {GPUCommandEncoder} encoder
   * @param {string[]} passes
   * @param {number} tokens
   */
  encode(encoder, passes, tokens) {
    const pass = encoder.beginComputePass({ label: passes.join(" ") });
    for (const name of passes) encodeDispatches(pass, this.dispatches(name), tokens);
    pass.end();
  }

  /**
   * Makes what the dispatches of passes need: pipelines, buffers, bind groups.
   *
   * @param {string[]} passes
   */
  async prepare(passes) {
    for (const name of passes) {
      if (this.#passes.has(name)) continue;
      const dispatches = this.program.passes.get(name);
      if (dispatches === undefined) throw new DeviceError(`the program has no pass ${name}`);
      const pipelines = await Promise.all(
        dispatches.map((dispatch) => this.device.pipeline(dispatch.entry_point, this.#access(dispatch))),
      );
      const bound = await this.device.scoped(`pass ${name}`, () =>
        dispatches.map((dispatch, i) => this.#bind(dispatch, pipelines[i])),
      );
      this.#passes.set(name, bound);
    }
  }

  /** @param {string} name @returns {readonly BoundDispatch[]} the dispatches of a pass that was prepared */
  dispatches(name) {
    return this.#passes.get(name) ?? [];
  }

  /** @param {Dispatch} dispatch */
  #access(dispatch) {
    return this.program.pipelines.get(dispatch.entry_point) ?? [];
  }

  /** @param {Dispatch} dispatch @param {GPUComputePipeline} pipeline @returns {BoundDispatch} */
  #bind(dispatch, pipeline) {
    const access = this.#access(dispatch);
    const bindings = this.device.gpu.createBindGroup({
      label: dispatch.label,
      layout: this.device.bindingsLayout(access),
      entries: dispatch.bindings.map((name, binding) => ({ binding, resource: this.binding(name) })),
    });
    let parameters = this.#parameters.get(dispatch.parameters);
    if (parameters === undefined) {
      parameters = this.device.parameters(dispatch.parameters, this.#arena);
      this.#parameters.set(dispatch.parameters, parameters);
    }
    return { dispatch, pipeline, bindings, parameters, grid: grid(dispatch, 1) };
  }

  /**
   * Returns what a name is bound to: a range of a shard, or a whole buffer.
   *
   * @param {string} name
   * @returns {{buffer: GPUBuffer, offset: number, size: number}}
   */
  binding(name) {
    const range = this.program.weights.get(name);
    if (range !== undefined) {
      return { buffer: this.#shards[range.shard], offset: range.offset, size: range.size };
    }
    const buffer = this.resource(name);
    return { buffer, offset: 0, size: buffer.size };
  }

  // Buffers.

  /** Makes the buffers that passes use. @param {string[]} passes */
  allocate(passes) {
    for (const { bindings } of passes.flatMap((name) => this.program.passes.get(name) ?? [])) {
      for (const name of bindings) if (!this.program.weights.has(name)) this.resource(name);
    }
  }

  /** Takes the shards that `weights` names, uploaded and checked. @param {GPUBuffer[]} shards */
  useShards(shards) {
    this.#shards = shards;
  }

  /**
   * Returns a buffer of the program by name, made when it is first used.
   *
   * @param {string} name
   */
  resource(name) {
    return this.#buffers.get(name);
  }

  /**
   * Writes cos and sin of position · inv_freq, [context, head_dim / 2, 2], into the tables of RoPE
   * (LLQ-DEC-6).
   *
   * @param {Float32Array} invFreq
   */
  writeRope(invFreq) {
    this.#invFreq = invFreq;
    this.#buffers.writeRope(invFreq);
  }

  /**
   * Writes the first bytes of a buffer.
   *
   * @param {string} name
   * @param {Uint32Array<ArrayBuffer> | Float32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>} data
   */
  write(name, data) {
    this.#buffers.write(name, data);
  }

  /**
   * Returns the first bytes of a buffer.
   *
   * @param {string} name
   * @param {number} bytes
   * @returns {Promise<ArrayBuffer>}
   */
  read(name, bytes) {
    return this.#buffers.read(name, bytes);
  }

  /** The shards that the program needs. */
  #uploadedShards() {
    return this.#shards.filter((shard) => shard !== undefined);
  }

  /** @returns {Record<string, number>} bytes on the device by purpose */
  memory() {
    /** @type {Record<string, number>} */
    const bytes = { weights: 0, parameters: this.#arena.size };
    for (const shard of this.#uploadedShards()) bytes.weights += shard.size;
    return { ...bytes, ...this.#buffers.memory() };
  }

  /**
   * Makes an executor with a sequence of its own and the passes that this one has. It shares the device and the shards.
   *
   * @param {number} [context] positions of its KV cache
   * @returns {Promise<Executor>}
   * @throws {DeviceError} `out-of-memory`
   */
  async sibling(context = this.context) {
    const passes = [...this.#passes.keys()];
    const executor = new Executor(this.program, this.device, { shards: this.#shards, context });
    try {
      await this.device.scoped("buffers of a session", () => executor.allocate(passes));
      if (this.#invFreq !== null) executor.writeRope(this.#invFreq);
      await executor.prepare(passes);
      return executor;
    } catch (error) {
      executor.dispose();
      throw error;
    }
  }

  /** Makes an executor as `sibling` does, with a copy of this sequence: of all buffers, wherever keys and values are. */
  async fork() {
    const executor = await this.sibling();
    executor.#buffers.copy(this.#buffers);
    executor.#record = this.#record.copy();
    executor.#errors = this.#errors;
    return executor;
  }

  /** Frees the buffers of this executor, and on demand the shards. @param {{shards?: boolean}} [options] */
  dispose({ shards = false } = {}) {
    if (shards) for (const shard of this.#uploadedShards()) shard.destroy();
    this.#buffers.destroy();
    this.#arena.destroy();
    this.#passes.clear();
  }
}
