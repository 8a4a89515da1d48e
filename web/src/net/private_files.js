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
 * @param {{directory: string, files: {name: string, length: number | null}[]}} input a length of null is that of
 *   the only file
 * @returns {Promise<{present: boolean[], bytes: Bytes}>} where a file of that length is missing, its bytes are zero
 */
export async function readFiles({ directory, files }) {
  const handle = await packageDirectory(directory).catch(() => null);
  const handles = await Promise.all(
    files.map(({ name }) => handle?.getFileHandle(name).catch(() => null) ?? null),
  );
  const length = files[0].length === null ? ((await handles[0]?.getFile())?.size ?? 0) : null;
  const lengths = files.map((file) => file.length ?? length ?? 0);
  const bytes = new Uint8Array(lengths.reduce((sum, each) => sum + each, 0));
  const present = [];
  let end = 0;
  for (const [index, each] of lengths.entries()) {
    const target = bytes.subarray(end, end + each);
    end += each;
    present.push(await readFile(/** @type {SyncFile | null} */ (handles[index]), target));
  }
  return { present, bytes };
}

/**
 * @param {SyncFile | null} file
 * @param {Bytes} target
 * @returns {Promise<boolean>} whether the lengths of file and target are equal
 */
async function readFile(file, target) {
  if (file === null) return false;
  try {
    const stored = await file.getFile();
    if (stored.size !== target.length) return false;
    const access = await asked(file, () => file.createSyncAccessHandle({ mode: "read-only" }));
    try {
      return access.read(target, { at: 0 }) === target.length;
    } finally {
      access.close();
    }
  } catch {
    return false; // another tab writes it
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
  try {
    const handle = await packageDirectory(directory, true);
    const file = /** @type {SyncFile} */ (await handle.getFileHandle(name, { create: true }));
    const access = await asked(file, () => file.createSyncAccessHandle());
    let written = 0;
    try {
      access.truncate(0);
      written = access.write(bytes, { at: 0 });
    } finally {
      access.close();
      if (written !== bytes.length) await handle.removeEntry(name).catch(() => {});
    }
    if (written !== bytes.length) throw new DOMException(`no room for ${name}`, "QuotaExceededError");
    return { failure: null, bytes };
  } catch (failure) {
    return { failure, bytes };
  }
}
