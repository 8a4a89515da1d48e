/** The type of a global of the platform, or any object where the types of the platform lack it. */
type Platform<Name extends string> = typeof globalThis extends Record<
  Name,
  { prototype: infer Instance }
>
  ? Instance
  : object;

/**
 * Returns the GPU object of this process, for option `device` of `loadModel`.
 *
 * @param options of Dawn, such as `backend=vulkan`
 */
export declare function nodeGpu(options?: string[]): Promise<Platform<"GPU">>;
