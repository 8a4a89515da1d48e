/**
 * Files in the private file system of an origin, read and written at once. Browsers have synchronous access to
 * them in workers only. It is many times faster than Cache storage, whose bytes go through other processes.
 */

/** @typedef {import("./source.js").Bytes} Bytes */
/**
 * @typedef {object} SyncAccess what is used of FileSystemSyncAccessHandle, which the library of types for pages
 *   lacks
 * @property {(bytes: Bytes, options: {at: number}) => number} read
 * @property {(bytes: Bytes, options: {at: number}) => number} write
 * @property {(length: number) => void} truncate
 * @property {() => number} getSize
 * @property {() => void} close
 */
/** @typedef {FileSystemFileHandle & {createSyncAccessHandle: (options?: object) => Promise<SyncAccess>}} SyncFile */

/** @type {Set<FileSystemHandle>} handles that wait for an answer: Chromium forgets those without a reference */
const WAITING = new Set();

/** Name of the directory of all packages. */
export const ROOT = "webgpu-llama4-1";

/**
 * Returns the directory of a package.
 *
 * @param {string} directory its name
 * @param {boolean} [create] whether to make it where it is missing
 * @returns {Promise<FileSystemDirectoryHandle>}
 */
export async function packageDirectory(directory, create = false) {
  const origin = await navigator.storage.getDirectory();
  const root = await asked(origin, () => origin.getDirectoryHandle(ROOT, { create }));
  return asked(root, () => root.getDirectoryHandle(directory, { create }));
}

/**
 * Asks a handle, which is referred to until it answers.
 *
 * @template T
 * @param {FileSystemHandle} handle
 * @param {() => Promise<T>} question
 * @returns {Promise<T>}
 */
async function asked(handle, question) {
  WAITING.add(handle);
  try {
    return await question();
  } finally {
    WAITING.delete(handle);
  }
}

/** Returns whether files can be read and written here. @param {{}} _input */
export async function canReadFiles(_input) {
  try {
    await navigator.storage.getDirectory();
    return { can: "createSyncAccessHandle" in FileSystemFileHandle.prototype };
  } catch {
    return { can: false }; // private windows and sandboxed frames refuse
  }
}

/**
 * Reads files into one buffer, one after the other.
 *
 * @param {{directory: string, files: {name: string, length: number | null}[], target?: Bytes}} input a length of
 *   null is that of the only file; target: where the bytes go, a new buffer by default
 * @param {{signal?: AbortSignal}} [context] signal: whether the target is still free when the files are open
 * @returns {Promise<{present: boolean[], bytes: Bytes}>} where a file of that length is missing, its bytes are
 *   those of the target, or zero
 */
export async function readFiles({ directory, files, target }, { signal } = {}) {
  const accesses = await Promise.all(files.map(({ name }) => readable(directory, name)));
  try {
    signal?.throwIfAborted();
    const only = files[0].length ?? accesses[0]?.getSize() ?? 0;
    const lengths = files.map(({ length }) => length ?? only);
    const bytes = target ?? new Uint8Array(lengths.reduce((sum, each) => sum + each, 0));
    let end = 0;
    const present = lengths.map((length, index) => {
      const ofFile = bytes.subarray(end, end + length);
      end += length;
      const access = accesses[index];
      return access?.getSize() === length && access.read(ofFile, { at: 0 }) === length;
    });
    return { present, bytes };
  } finally {
    for (const access of accesses) access?.close();
  }
}

/**
 * @param {string} directory
 * @param {string} name
 * @returns {Promise<SyncAccess | null>} null where there is no such file, or another tab writes it
 */
async function readable(directory, name) {
  try {
    const file = await fileHandle(directory, name, false);
    return await asked(file, () => file.createSyncAccessHandle({ mode: "read-only" }));
  } catch {
    return null;
  }
}

/** A file that is open, to be written as a whole. It is opened while its bytes are still to come. */
export class NewFile {
  #directory;
  #name;
  #opening;

  /** @param {string} directory @param {string} name */
  constructor(directory, name) {
    this.#directory = directory;
    this.#name = name;
    this.#opening = this.#open();
    this.#opening.catch(() => {}); // it is thrown where the file is written
  }

  async #open() {
    const file = await fileHandle(this.#directory, this.#name, true);
    return asked(file, () => file.createSyncAccessHandle());
  }

  /**
   * Writes all bytes, and closes the file.
   *
   * @param {Bytes} bytes
   * @returns {Promise<unknown>} why that failed, such as QuotaExceededError; then there is no such file. Otherwise
   *   null
   */
  async write(bytes) {
    try {
      const access = await this.#opening;
      let written = 0;
      try {
        access.truncate(0);
        written = access.write(bytes, { at: 0 });
      } finally {
        access.close();
        if (written !== bytes.length) await this.#remove();
      }
      if (written === bytes.length) return null;
      return new DOMException(`no room for ${this.#name}`, "QuotaExceededError");
    } catch (failure) {
      return failure;
    }
  }

  /** Closes and removes the file. */
  async discard() {
    try {
      (await this.#opening).close();
    } catch {
      return; // it was not opened
    }
    await this.#remove();
  }

  async #remove() {
    const directory = await packageDirectory(this.#directory);
    await directory.removeEntry(this.#name).catch(() => {});
  }
}

/**
 * Writes a file as a whole.
 *
 * @param {{directory: string, name: string, bytes: Bytes}} input
 * @returns {Promise<{failure: unknown, bytes: Bytes}>} failure: null, or such as QuotaExceededError; then there is
 *   no such file
 */
export async function writeFile({ directory, name, bytes }) {
  return { failure: await new NewFile(directory, name).write(bytes), bytes };
}

/** @type {Map<string, Promise<FileSystemDirectoryHandle>>} directories that were made or found, by their name */
const directories = new Map();

/**
 * Returns a file of a package. The handle of its directory is used again, unless the directory was removed.
 *
 * @param {string} directory
 * @param {string} name
 * @param {boolean} create
 * @returns {Promise<SyncFile>}
 */
async function fileHandle(directory, name, create) {
  const known = directories.get(directory);
  try {
    return await fileIn(await (known ?? remembered(directory, create)), name, create);
  } catch (error) {
    if (known === undefined || directories.get(directory) !== known) throw error;
    return fileIn(await remembered(directory, create), name, create);
  }
}

/** @param {string} directory @param {boolean} create */
function remembered(directory, create) {
  const opening = packageDirectory(directory, create);
  directories.set(directory, opening);
  opening.catch(() => {
    if (directories.get(directory) === opening) directories.delete(directory);
  });
  return opening;
}

/** @param {FileSystemDirectoryHandle} handle @param {string} name @param {boolean} create */
async function fileIn(handle, name, create) {
  return /** @type {SyncFile} */ (await asked(handle, () => handle.getFileHandle(name, { create })));
}
