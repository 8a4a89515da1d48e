/** Where the bytes of packages are stored. */

/** @typedef {import("./source.js").Bytes} Bytes */
/** @typedef {{name: string, bytes: number}} StoredFile a name, and its length */
/** @typedef {{name: string, bytes: number | null}} WantedFile a length of null is that of the only file */
/** @typedef {{present: boolean[], bytes: Bytes}} StoredBytes of files, one after the other; zeros for missing ones */
/** @typedef {{failure: unknown, bytes: Bytes}} Written failure: null, or such as QuotaExceededError */
/**
 * @typedef {object} Store of bytes by the address of a package and a name
 * @property {(url: string, files: WantedFile[]) => Promise<StoredBytes>} read
 *   reads files that are stored with these lengths; a length of null is that of the only file
 * @property {(url: string, name: string, bytes: Bytes) => Promise<Written>} write takes `bytes` over, and gives
 *   them back
 * @property {(url: string, names: string[]) => Promise<void>} remove
 * @property {() => Promise<Map<string, StoredFile[]>>} packages
 * @property {(url?: string) => Promise<void>} clear
 */

export {};
