// A server of files that can do what servers do wrong.

import { createServer } from "node:http";
import { gzipSync } from "node:zlib";

/**
 * Serves files from memory. `fault(request, name, bytes)` may answer in the place of the server: it returns true if it
 * has, or a map of what it wants otherwise: {ranges: false}, {gzip: true}, {cut: bytes}, {short: bytes}, {status}, {html}.
 */
export async function serve(files, fault = () => ({})) {
  const requests = [];
  const server = createServer((request, response) => {
    const name = decodeURIComponent(new URL(request.url, "http://x").pathname.slice(1));
    requests.push({ name, range: request.headers.range ?? null });
    const bytes = files.get(name);
    const wrong = fault(request, name, requests.length) ?? {};
    if (wrong.redirect) return response.writeHead(302, { location: wrong.redirect }).end();
    if (wrong.status) return response.writeHead(wrong.status, wrong.headers).end("no");
    if (wrong.html)
      return response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><p>Sorry");
    if (wrong.silent) return undefined;
    if (bytes === undefined) return response.writeHead(404).end();
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
    const ranged = range !== null && wrong.ranges !== false;
    const begin = ranged ? Number(range[1]) : 0;
    const end = ranged ? Math.min(Number(range[2]) + 1, bytes.length) : bytes.length;
    if (ranged && begin >= bytes.length) return response.writeHead(416).end();
    let body = Buffer.from(bytes.subarray(begin, wrong.short ? Math.min(end, begin + wrong.short) : end));
    const headers = { "content-type": "application/octet-stream", ...wrong.headers };
    if (ranged)
      headers["content-range"] =
        `bytes ${begin + (wrong.shifted ?? 0)}-${begin + body.length - 1}/${bytes.length}`;
    if (wrong.gzip) {
      body = gzipSync(body);
      headers["content-encoding"] = "gzip";
    }
    response.writeHead(ranged ? 206 : 200, { ...headers, "content-length": body.length });
    if (wrong.cut === undefined) return response.end(body);
    response.write(body.subarray(0, wrong.cut), () => setTimeout(() => response.destroy(), 20));
    return undefined;
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${server.address().port}/`;
  const close = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  return { url, requests, close };
}
