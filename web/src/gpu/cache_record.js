/** Which ids the KV cache of an executor holds, and which of its positions another computation would compute alike. */

/** The ids of computed positions, and the chunks in which pass `prefill` computed them. */
export class CacheRecord {
  /** @type {number[]} the ids of all positions */
  #ids = [];
  /** @type {number[]} the ends of the chunks from position 0 on, up to the first position of another pass */
  #ends = [];

  /** Number of positions. */
  get length() {
    return this.#ids.length;
  }

  /** Adds the positions of a chunk of pass `prefill`. @param {readonly number[]} ids */
  addChunk(ids) {
    const begin = this.length;
    this.add(ids);
    if ((this.#ends.at(-1) ?? 0) === begin) this.#ends.push(this.length);
  }

  /** Adds positions that another pass computed. @param {readonly number[]} ids */
  add(ids) {
    for (const id of ids) this.#ids.push(id);
  }

  /** Removes all positions from one on. @param {number} position */
  cut(position) {
    this.#ids.length = Math.min(this.length, position);
    while ((this.#ends.at(-1) ?? 0) > position) this.#ends.pop();
  }

  /** Returns a record with the same positions. */
  copy() {
    const copy = new CacheRecord();
    copy.#ids = [...this.#ids];
    copy.#ends = [...this.#ends];
    return copy;
  }

  /**
   * Returns the number of first positions that have the ids of a sequence, whichever pass computed them. The last id of
   * the sequence is left out: its logits are needed.
   *
   * @param {readonly number[]} ids
   */
  common(ids) {
    const most = Math.min(this.length, ids.length - 1);
    let count = 0;
    while (count < most && ids[count] === this.#ids[count]) count++;
    return Math.max(0, count);
  }

  /**
   * Returns the number of first positions that computing a sequence from its beginning would compute in the same
   * chunks: their keys and values are equal bit for bit. The last chunk of the sequence is left out: its logits are
   * needed.
   *
   * @param {readonly number[]} ids
   * @param {number} chunk maximum number of tokens of a chunk
   */
  commonChunks(ids, chunk) {
    const common = this.common(ids);
    let begin = 0;
    for (const end of this.#ends) {
      if (end !== begin + chunk || end > common) break;
      begin = end;
    }
    return begin;
  }
}
