/**
 * A lower bound on the number of tokens of a text, found without encoding it: encoding a long text may take
 * long.
 *
 * A symbol, which is a byte or a character, belongs to one token. The tokens with symbol s have at most L(s)
 * symbols, and at most m(s) times s. A text therefore has at least the sum of 1 / L(s) over its symbols, and at
 * least count(s) / m(s) tokens for each s.
 */

/** @typedef {{content?: unknown, lstrip?: unknown, rstrip?: unknown}} AddedToken */
/** @typedef {{type?: string, [member: string]: any}} Component of a tokenizer.json */
/**
 * @typedef {object} TokenizerJson
 * @property {Component | null} [model]
 * @property {Component | null} [normalizer]
 * @property {Component | null} [pre_tokenizer]
 * @property {unknown} [truncation]
 * @property {AddedToken[]} [added_tokens]
 */
/** @typedef {{length: number, count: number}} Extent the largest length and count of a token with a symbol */
/** @typedef {(text: string) => Iterable<number>} Symbols */

/** Symbols of a text that is not certainly too short for a limit: a UTF-16 unit is at most 3 bytes. */
const BYTES_PER_UNIT = 3;

/** Pre-tokenizers that keep every character. */
const KEEPING = ["ByteLevel", "Digits", "Metaspace"];

export class TokenBound {
  #json;
  /** @type {Map<number, Extent> | null} by symbol; made when it is first needed */
  #extents = null;

  /** @param {TokenizerJson} json a tokenizer.json */
  constructor(json) {
    this.#json = json;
  }

  /**
   * Returns whether a text certainly has more than a number of tokens.
   *
   * @param {string} text
   * @param {number} limit
   */
  exceeds(text, limit) {
    if (BYTES_PER_UNIT * text.length <= limit || !isBounded(this.#json, text)) return false;
    this.#extents ??= extentsOf(this.#json);
    /** @type {Map<number, number>} */
    const counts = new Map();
    let sum = 0;
    for (const symbol of this.#symbols(text)) {
      const extent = this.#extents.get(symbol);
      if (extent === undefined) continue; // perhaps left out, or a part of an unknown token
      sum += 1 / extent.length;
      const count = (counts.get(symbol) ?? 0) + 1;
      if (sum > limit + 1 || count > limit * extent.count) return true; // 1 more for rounding of the sum
      counts.set(symbol, count);
    }
    return false;
  }

  /** @param {string} text @returns {Iterable<number>} */
  #symbols(text) {
    const { normalizer, pre_tokenizer: preTokenizer, added_tokens: added = [] } = this.#json;
    let kept = text;
    for (const { pattern, content } of partsOf(normalizer).filter(({ type }) => type === "Replace")) {
      kept = kept.replaceAll(pattern.String, content);
    }
    for (const { replacement } of partsOf(preTokenizer).filter(({ type }) => type === "Metaspace")) {
      kept = kept.replaceAll(" ", replacement ?? "▁");
    }
    // an added token may take all spaces around it
    if (added.some(({ lstrip, rstrip }) => lstrip || rstrip)) kept = kept.replace(/[\s▁]+/g, "");
    return symbolsOf(this.#json)(kept);
  }
}

/** Returns the parts of a component, in order. @param {Component | null | undefined} component @returns {Component[]} */
function partsOf(component) {
  if (!component) return [];
  const parts = component.normalizers ?? component.pretokenizers;
  return Array.isArray(parts) ? parts.flatMap(partsOf) : [component];
}

/**
 * Whether symbols of a text are known to come into tokens: no component leaves out characters or joins them.
 *
 * @param {TokenizerJson} json
 * @param {string} text
 */
function isBounded({ model, normalizer, pre_tokenizer: preTokenizer, truncation }, text) {
  const isNormal = (/** @type {Component} */ { type, pattern, content }) =>
    type === "Prepend" ||
    (type === "NFC" && isAscii(text)) ||
    (type === "Replace" &&
      typeof pattern?.String === "string" &&
      pattern.String !== "" &&
      content?.length > 0);
  const isKeeping = (/** @type {Component} */ { type, behavior }) =>
    KEEPING.includes(type ?? "") || (type === "Split" && behavior !== "Removed");
  return (
    model?.type === "BPE" &&
    !model.continuing_subword_prefix &&
    !model.end_of_word_suffix &&
    !truncation &&
    partsOf(normalizer).every(isNormal) &&
    partsOf(preTokenizer).every(isKeeping)
  );
}

/** @param {string} text */
function isAscii(text) {
  return !/[^\0-\x7F]/.test(text);
}

/** Returns the extents of the symbols that always come into a token. @param {TokenizerJson} json */
function extentsOf(json) {
  /** @type {Record<string, number>} */
  const vocab = json.model?.vocab ?? {};
  const symbols = symbolsOf(json);
  const ofToken = isByteLevel(json) ? bytesOfToken : symbols;
  /** @type {Map<number, Extent>} */
  const extents = new Map();
  const single = new Set();
  const add = (/** @type {number[]} */ token) => {
    /** @type {Map<number, number>} */
    const counts = new Map();
    for (const symbol of token) counts.set(symbol, (counts.get(symbol) ?? 0) + 1);
    for (const [symbol, count] of counts) {
      const known = extents.get(symbol) ?? { length: 0, count: 0 };
      extents.set(symbol, {
        length: Math.max(known.length, token.length),
        count: Math.max(known.count, count),
      });
    }
  };
  for (const token of Object.keys(vocab)) {
    const parts = [...ofToken(token)];
    if (parts.length === 1) single.add(parts[0]);
    add(parts);
  }
  for (const { content } of json.added_tokens ?? []) add([...symbols(String(content))]);
  for (const symbol of extents.keys()) if (!single.has(symbol)) extents.delete(symbol);
  return extents;
}

/** @param {TokenizerJson} json whether the symbols are bytes */
function isByteLevel({ pre_tokenizer: preTokenizer }) {
  return partsOf(preTokenizer).some(({ type }) => type === "ByteLevel");
}

/** @param {TokenizerJson} json @returns {Symbols} */
function symbolsOf(json) {
  if (isByteLevel(json)) return (text) => new TextEncoder().encode(text);
  return function* characters(text) {
    for (const character of text) yield/** @type {number} */ (character.codePointAt(0));
  };
}

/** Returns the bytes that the characters of a token denote (LLQ-API-31, step 2). @param {string} token */
function bytesOfToken(token) {
  return Array.from(token, (character) => {
    const code = /** @type {number} */ (character.codePointAt(0));
    return BYTES.get(code) ?? code;
  });
}

/** The bytes that are not written as the character of their number, by their character. @type {Map<number, number>} */
const BYTES = new Map();
for (let byte = 0; byte < 256; byte++) {
  const isWritten =
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
  if (!isWritten) BYTES.set(0x100 + BYTES.size, byte);
}
