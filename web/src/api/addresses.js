/** Addresses of callers, and what requests to them carry (spec: Runtime API, section Loading). */

import { InputError } from "../errors.js";
import { Endpoint } from "../net/endpoint.js";

/** @typedef {import("../net/endpoint.js").Fetch} Fetch */
/**
 * @typedef {object} RequestOptions
 * @property {Fetch} [fetch] makes all requests; the platform's by default
 * @property {Record<string, string> | Headers} [headers] of requests to the origin of the first address
 * @property {RequestCredentials} [credentials] of requests to the origin of the first address
 */

/** The names of all options. @satisfies {readonly (keyof RequestOptions)[]} */
export const REQUEST_OPTIONS = ["fetch", "headers", "credentials"];

const HUB = "https://huggingface.co/";
const HUB_ADDRESS = /^hf:(?:\/\/)?([^/@\s?#]+\/[^/@\s?#]+)(?:@([^/\s?#]+))?(?:\/([^\s?#]*))?$/i;
const CREDENTIALS = ["omit", "same-origin", "include"];
/** Headers that the runtime sets itself. */
const OWN_HEADERS = ["range"];

/**
 * Returns an absolute address.
 *
 * @param {string | URL} url relative to the page or worker, where there is one, or `hf:` and a place of the hub
 * @param {string} purpose what the address leads to, for messages
 * @throws {InputError}
 */
export function absoluteUrl(url, purpose) {
  const shown = String(url).split(/[?#]/)[0]; // a query may be a secret
  if (/^hf:/i.test(shown)) return hubUrl(String(url));
  let address;
  try {
    address = new URL(url, base());
  } catch {
    throw new InputError(`${shown} is not the address of ${purpose}`);
  }
  if (address.username !== "" || address.password !== "") {
    throw new InputError(`the address of ${purpose} has a user name or a password: use option headers`);
  }
  return address;
}

/** Returns what relative addresses are relative to: a worker of a blob knows nothing but its origin. */
function base() {
  const href = globalThis.document?.baseURI ?? globalThis.location?.href;
  return href?.startsWith("blob:") ? globalThis.location.origin : href;
}

/** Returns the address of files of the Hugging Face hub. @param {string} address @throws {InputError} */
function hubUrl(address) {
  const match = HUB_ADDRESS.exec(address);
  if (match === null) {
    const expected = "hf:OWNER/NAME, hf:OWNER/NAME@REVISION or hf:OWNER/NAME@REVISION/FOLDER";
    throw new InputError(`${address.split(/[?#]/)[0]} is not an address of the hub: expected ${expected}`);
  }
  const [, repository, revision = "main", path = ""] = match;
  return new URL(`${HUB}${repository}/resolve/${revision}/${path}`);
}

/**
 * Returns the directory of a package, with a slash at its end, and what follows the path.
 *
 * @param {string | URL} url of the directory, its metadata.json or its .wgsl
 * @returns {{url: string, query: string}}
 * @throws {InputError}
 */
export function directoryOf(url) {
  let address = absoluteUrl(url, "a package");
  const query = address.search;
  address.search = "";
  address.hash = "";
  if (/(\/metadata\.json|\.wgsl)$/.test(address.pathname)) address = new URL(".", address);
  if (!address.pathname.endsWith("/")) address.pathname += "/";
  return { url: address.href, query };
}

/**
 * Returns directories as requests go to them: headers and credentials are for the origin of the first alone.
 *
 * @param {{url: string, query: string}[]} directories
 * @param {RequestOptions} options
 * @throws {InputError}
 */
export function endpointsOf(directories, options) {
  const { fetch, headers, credentials } = checkedRequests(options);
  const { origin } = new URL(directories[0].url);
  return directories.map((directory) => {
    const isFirst = new URL(directory.url).origin === origin;
    return new Endpoint({ ...directory, ...(isFirst && { headers, credentials }) }, fetch);
  });
}

/** @param {RequestOptions} options @throws {InputError} */
function checkedRequests({ fetch, headers, credentials }) {
  if (fetch !== undefined && typeof fetch !== "function") {
    throw new InputError(`fetch is ${String(fetch)}, expected a function`);
  }
  if (credentials !== undefined && !CREDENTIALS.includes(credentials)) {
    throw new InputError(`credentials is ${String(credentials)}, expected ${CREDENTIALS.join(", ")}`);
  }
  return { fetch: fetch ?? null, headers: headersOf(headers), credentials };
}

/** @param {RequestOptions["headers"]} headers @returns {Record<string, string> | undefined} @throws {InputError} */
function headersOf(headers) {
  if (headers === undefined) return undefined;
  let entries;
  try {
    if (typeof headers !== "object" || Array.isArray(headers)) throw new TypeError();
    entries = Object.fromEntries(new Headers(headers));
  } catch {
    throw new InputError("headers is not an object of names and values of HTTP headers"); // values may be secrets
  }
  const own = OWN_HEADERS.find((name) => name in entries);
  if (own !== undefined) throw new InputError(`headers has ${own}, which the runtime sets itself`);
  return entries;
}
