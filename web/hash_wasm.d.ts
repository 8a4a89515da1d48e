declare module "hash-wasm/dist/sha256.umd.min.js" {
  const hashes: Pick<typeof import("hash-wasm"), "createSHA256">;
  export default hashes;
}
