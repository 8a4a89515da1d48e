/**
 * Stored bytes in the private file system of an origin: a directory for each package. Workers read and write
 * the files.
 */

import { sha256 } from "../package/sha256.js";
import { packageDirectory, ROOT } from "./private_files.js";

/** @typedef {import("./store.js").Store} Store */
/** @typedef {import("./store.js").StoredFile} StoredFile */
/** @typedef {import("./store.js").WantedFile} WantedFile */
/** @typedef {import("./source.js").Bytes} Bytes */
/** @typedef {import("./worker_pool.js").WorkerPool} WorkerPool */
/** @typedef {AsyncIterable<[string, FileSystemHandle]>} Entries of a directory */

/** The file that holds the address of a package. */
const ADDRESS = "address";

/** @implements {Store} */
export class FileStore {
  #pool;
  /** @type {Map<string, Promise<string>>} names of directories that were made, by the address of their package */
  #made = new Map();

  /** @param {WorkerPool} pool */
  constructor(pool) {
    this.#pool = pool;
  }

  /**
   * Returns the store as a page can list and clear it, null where there is none.
   *
   * @param {WorkerPool} pool
   */
  static ofPage(pool) {
    return globalThis.navigator?.storage?.getDirectory === undefined ? null : new FileStore(pool);
  }

  /**
   * Returns the store of this platform, null where there is none, as without workers and in private windows.
   *
   * @param {WorkerPool} pool
   */
  static async ofPlatform(pool) {
    const store = FileStore.ofPage(pool);
    if (store === null || !(await pool.hasWorkers())) return null;
    const { can } = await (await pool.spot()).run("canReadFiles", {});
    return can ? store : null;
  }

  /** @param {string} url of the package @param {WantedFile[]} files */
  async read(url, files) {
    const spot = await this.#pool.spot();
    const wanted = files.map(({ name, bytes }) => ({ name: fileName(name), length: bytes }));
    return spot.run("readFiles", { directory: await directoryName(url), files: wanted });
  }

  /** @param {string} url @param {string} name @param {Bytes} bytes */
  async write(url, name, bytes) {
    const [spot, directory] = await Promise.all([this.#pool.spot(), this.#directory(url)]);
    return spot.run("writeFile", { directory, name: fileName(name), bytes });
  }

  /**
   * Returns where files are, for a worker that reads and writes them by itself.
   *
   * @param {string} url of the package, whose directory is made
   * @param {string[]} names
   */
  async place(url, names) {
    return { directory: await this.#directory(url), names: names.map(fileName) };
  }

  /** Returns the name of the directory of a package, which is made. @param {string} url */
  #directory(url) {
    let made = this.#made.get(url);
    if (made === undefined) {
      made = this.#make(url);
      this.#made.set(url, made);
    }
    return made;
  }

  /** @param {string} url @param {string[]} names */
  async remove(url, names) {
    const handle = await packageDirectory(await directoryName(url)).catch(() => null);
    await Promise.all(names.map((name) => handle?.removeEntry(fileName(name)).catch(() => {})));
  }

  /** @returns {Promise<Map<string, StoredFile[]>>} */
  async packages() {
    /** @type {Map<string, StoredFile[]>} */
    const packages = new Map();
    const root = await rootDirectory();
    if (root === null) return packages;
    for await (const [directory] of entriesOf(root)) {
      const { url, files } = await contents(await packageDirectory(directory));
      if (url !== null) packages.set(url, files);
    }
    return packages;
  }

  /** Deletes a package, or all of them. @param {string} [url] */
  async clear(url) {
    this.#made.clear();
    const root = await rootDirectory();
    if (root === null) return;
    /** @type {string[]} */
    const names = [];
    for await (const [name] of entriesOf(root)) names.push(name);
    const cleared =
      url === undefined ? names : [await directoryName(url)].filter((name) => names.includes(name));
    await Promise.all(cleared.map((name) => root.removeEntry(name, { recursive: true })));
  }

  /** Makes the directory of a package, with its address in it. @param {string} url @returns {Promise<string>} */
  async #make(url) {
    const [spot, directory] = await Promise.all([this.#pool.spot(), directoryName(url)]);
    const { failure } = await spot.run("writeFile", {
      directory,
      name: ADDRESS,
      bytes: new TextEncoder().encode(url),
    });
    if (failure !== null) throw failure;
    return directory;
  }
}

/** @param {string} url @returns {Promise<string>} */
function directoryName(url) {
  return sha256(new TextEncoder().encode(url));
}

/** @param {string} name in which a slash follows the hash */
function fileName(name) {
  return name.replace("/", ".");
}

/** @returns {Promise<FileSystemDirectoryHandle | null>} null where there is none */
async function rootDirectory() {
  try {
    return await (await navigator.storage.getDirectory()).getDirectoryHandle(ROOT);
  } catch {
    return null;
  }
}

/** @param {FileSystemDirectoryHandle} directory @returns {Promise<{url: string | null, files: StoredFile[]}>} */
async function contents(directory) {
  /** @type {string | null} */
  let url = null;
  /** @type {StoredFile[]} */
  const files = [];
  for await (const [name, handle] of entriesOf(directory)) {
    const file = await /** @type {FileSystemFileHandle} */ (handle).getFile();
    if (name === ADDRESS) url = await file.text();
    else files.push({ name: name.replace(".", "/"), bytes: file.size });
  }
  return { url, files };
}

/** @param {FileSystemDirectoryHandle} directory */
function entriesOf(directory) {
  return /** @type {Entries} */ (/** @type {unknown} */ (directory));
}
