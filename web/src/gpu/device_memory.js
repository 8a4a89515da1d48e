/** What the upload of weights needs of a device. */

/** @typedef {import("./device.js").Device} Device */
/**
 * @typedef {object} DeviceMemory what an upload needs of a device
 * @property {Pick<GPUDevice, "createBuffer" | "createCommandEncoder"> & {queue: Pick<GPUQueue, "submit">}} gpu
 * @property {Device["scoped"]} scoped
 * @property {Device["check"]} check
 * @property {Device["failure"]} failure
 * @property {Device["lossReport"]} lossReport
 */

export {};
