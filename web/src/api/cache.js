/** What earlier loads stored on this platform. */

import { PackageCache } from "../net/cache.js";
import { CacheStore } from "../net/cache_store.js";
import { FileStore } from "../net/file_store.js";
import { WorkerPool } from "../net/worker_pool.js";
import { directoryOf } from "./addresses.js";

/** The caches of this platform: packages are in the one that was the faster when they were loaded. */
function caches() {
  const stores = [FileStore.ofPage(new WorkerPool(0)), CacheStore.ofPlatform()];
  return stores.flatMap((store) => (store === null ? [] : [new PackageCache(store)]));
}

export const cache = {
  /** @returns {Promise<{url: string, bytes: number}[]>} the packages, by the address of their directory */
  async list() {
    /** @type {Map<string, number>} */
    const sizes = new Map();
    const lists = await Promise.all(caches().map((stored) => stored.list()));
    for (const { url, bytes } of lists.flat()) sizes.set(url, (sizes.get(url) ?? 0) + bytes);
    return Array.from(sizes, ([url, bytes]) => ({ url, bytes }));
  },

  /**
   * Deletes a package, or all of them.
   *
   * @param {string | URL} [url] of its directory, its metadata.json or its .wgsl, as for loadModel
   * @returns {Promise<void>}
   * @throws {import("../errors.js").InputError}
   */
  async clear(url) {
    const directory = url === undefined ? undefined : directoryOf(url).url;
    await Promise.all(caches().map((stored) => stored.clear(directory)));
  },
};
