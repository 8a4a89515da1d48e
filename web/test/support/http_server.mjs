// A server of files that can do what servers do wrong.

import { createServer } from "node:http";
import { gzipSync } from "node:zlib";

/** @typedef {import("node:http").IncomingMessage} Request */
/** @typedef {import("node:http").ServerResponse} Response */
/**
 * @typedef {object} LoggedRequest
 * @property {string} name
 * @property {string | null} range
 * @property {string} query "" or with a question mark
 * @property {import("node:http").IncomingHttpHeaders} headers
 */
/**
 * @typedef {object} Deviation what the server does otherwise
 * @property {string} [redirect] address
 * @property {number} [status]
 * @property {Record<string, string>} [headers]
 * @property {boolean} [html] a web page instead of the file
 * @property {boolean} [silent] no response at all
 * @property {boolean} [ranges] false: ranges are ignored
 * @property {boolean} [gzip] compressed bytes
 * @property {number} [short] at most this number of bytes, as if there were no more
 * @property {number} [shifted] a wrong offset in content-range
 * @property {number} [cut] the connection is cut after this number of bytes
 */
/** @typedef {(request: Request, name: string) => Deviation} DeviationOf */
/** @typedef {{url: string, requests: LoggedRequest[], close: () => Promise<void>}} FileServer */

/**
 * Serves files from memory.
 *
 * @param {ReadonlyMap<string, Uint8Array>} files
 * @param {DeviationOf} [deviationOf]
 * @returns {Promise<FileServer>}
 */
export async function serve(files, deviationOf = () => ({})) {
  /** @type {LoggedRequest[]} */
  const requests = [];
  const server = createServer((request, response) => {
    const { pathname, search: query } = new URL(request.url ?? "", "http://x");
    const name = decodeURIComponent(pathname.slice(1));
    requests.push({ name, range: request.headers.range ?? null, query, headers: request.headers });
    respond(request, response, files.get(name), deviationOf(request, name));
  });
  await new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve(undefined));
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  /** @returns {Promise<void>} */
  const close = () => {
    server.closeAllConnections();
    return new Promise((resolve) => {
      server.close(() => resolve());
    });
  };
  return { url: `http://127.0.0.1:${address.port}/`, requests, close };
}

/**
 * @param {Request} request
 * @param {Response} response
 * @param {Uint8Array | undefined} bytes of the file, if there is one
 * @param {Deviation} deviation
 */
function respond(request, response, bytes, deviation) {
  if (deviation.redirect) response.writeHead(302, { location: deviation.redirect }).end();
  else if (deviation.status) response.writeHead(deviation.status, deviation.headers).end("no");
  else if (deviation.html) {
    response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><p>Sorry");
  } else if (deviation.silent) return;
  else if (bytes === undefined) response.writeHead(404).end();
  else sendFile(request, response, bytes, deviation);
}

/**
 * @param {Request} request
 * @param {Response} response
 * @param {Uint8Array} bytes
 * @param {Deviation} deviation
 */
function sendFile(request, response, bytes, deviation) {
  const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
  const ranged = range !== null && deviation.ranges !== false;
  const begin = ranged ? Number(range[1]) : 0;
  const end = ranged ? Math.min(Number(range[2]) + 1, bytes.length) : bytes.length;
  if (ranged && begin >= bytes.length) {
    response.writeHead(416).end();
    return;
  }
  const last = deviation.short ? Math.min(end, begin + deviation.short) : end;
  let body = Buffer.from(bytes.subarray(begin, last));
  /** @type {Record<string, string>} */
  const headers = { "content-type": "application/octet-stream", ...deviation.headers };
  if (ranged) {
    const first = begin + (deviation.shifted ?? 0);
    headers["content-range"] = `bytes ${first}-${begin + body.length - 1}/${bytes.length}`;
  }
  if (deviation.gzip) {
    body = gzipSync(body);
    headers["content-encoding"] = "gzip";
  }
  response.writeHead(ranged ? 206 : 200, { ...headers, "content-length": body.length });
  if (deviation.cut === undefined) response.end(body);
  else response.write(body.subarray(0, deviation.cut), () => setTimeout(() => response.destroy(), 20));
}
