/** A directory on a server, and what each request to it carries. */

import { InputError, NetworkError } from "../errors.js";

/** @typedef {(url: string, init: RequestInit) => Promise<Response>} Fetch */
/**
 * @typedef {object} Address it can be copied to a worker
 * @property {string} url of the directory, with a slash at its end and without a query
 * @property {string} [query] of every request, which begins with a question mark; "" by default
 * @property {Record<string, string>} [headers] of every request
 * @property {RequestCredentials} [credentials] of every request; "same-origin" by default
 */

export class Endpoint {
  #address;
  #fetch;

  /** @param {Address} address @param {Fetch | null} [fetch] makes the requests; null for the platform's */
  constructor({ url, query = "", headers = {}, credentials = "same-origin" }, fetch = null) {
    this.#address = { url, query, headers, credentials };
    this.#fetch = fetch;
  }

  /** The address, for another thread; null where only this thread can make the requests. */
  get address() {
    return this.#fetch === null ? this.#address : null;
  }

  /** The address without what it carries. */
  get url() {
    return this.#address.url;
  }

  /** Whether responses may be meant for this caller only. */
  get isPrivate() {
    const { query, headers, credentials } = this.#address;
    const carries = query !== "" || credentials === "include" || Object.keys(headers).length > 0;
    return carries || this.#fetch !== null;
  }

  /**
   * Requests a file.
   *
   * @param {string} name
   * @param {RequestInit & {headers?: Record<string, string>}} init
   * @returns {Promise<Response>}
   * @throws {NetworkError | InputError} `network`
   */
  async request(name, init) {
    const { url, query, headers, credentials } = this.#address;
    const address = url + name + query;
    const all = { ...init, headers: { ...headers, ...init.headers }, credentials };
    let response;
    try {
      response = await (this.#fetch === null ? fetch(address, all) : this.#fetch(address, all));
    } catch (error) {
      throw new NetworkError(`${url}${name} cannot be reached: check the address and the connection`, {
        cause: this.withoutSecrets(error),
      });
    }
    if (typeof response?.arrayBuffer === "function") return response;
    throw new InputError(`option fetch resolved to ${typeof response}, expected a Response`);
  }

  /**
   * Returns an error of the platform, undefined where it states the query or a header: causes are logged.
   *
   * @param {unknown} error
   */
  withoutSecrets(error) {
    const { query, headers } = this.#address;
    const secrets = [query.slice(1), ...Object.values(headers)].filter((secret) => secret !== "");
    for (let link = error; link !== undefined && link !== null; link = causeOf(link)) {
      const text = link instanceof Error ? `${link.message} ${link.stack}` : String(link);
      if (secrets.some((secret) => text.includes(secret))) return undefined;
    }
    return error;
  }
}

/** @param {unknown} error */
function causeOf(error) {
  return error instanceof Error ? error.cause : undefined;
}
