/** The WGSL of one variant of a module. */

import { PackageError } from "../errors.js";

/** @typedef {import("../package/module.js").Section} Section */
/** @typedef {import("../package/program_types.js").Variant} Variant */

/**
 * Returns the source of a variant: its directives, then its sections.
 *
 * @param {ReadonlyMap<string, Section>} sections
 * @param {Variant} variant
 * @returns {string}
 * @throws {PackageError} LLQ-PROG-7
 */
export function shaderSource(sections, variant) {
  const texts = variant.sections.map((name) => {
    const section = sections.get(name);
    if (section === undefined) {
      throw new PackageError(`the module has no section ${name}`, { rule: "LLQ-PROG-7" });
    }
    return section.text;
  });
  return [...variant.directives, ...texts].join("\n");
}
