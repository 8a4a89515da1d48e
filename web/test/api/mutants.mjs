// Mutants of `WebGPULlama4`, each with one bug, and conforming variants of it, for
// web/test/api/mutant_adapter.mjs. All are
// made around the correct implementation. tests/conformance/checks/test_api.py lists the rule that each
// mutant breaks.

import { CHANGES as ANSWERS } from "./answer_mutants.mjs";
import { CHANGES as LOADS } from "./loading_mutants.mjs";
import { CHANGES as SESSIONS } from "./session_mutants.mjs";

/** Mutants and variants that are made around real loads. */
export const LOADING = new Set([
  ...[
    "control",
    "module-not-resolved",
    "load-abort-ignored",
    "load-abort-with-another-error",
    "load-goes-on-after-abort",
  ],
  ...[
    "hash-without-rule",
    "rule-of-another-fault",
    "damaged-shard-taken",
    "errors-without-code",
    "errors-with-another-code",
  ],
  ...["compressed-files-refused", "context-checked-at-the-end"],
  ...["query-dropped", "hub-address-requested", "first-mirror-alone", "query-in-messages"],
  ...["stored-for-everybody", "worker-takes-a-device"],
  ...["ranges-required", "context-length-ignored", "long-prompt-cut", "lost-device-ends-quietly"],
  "one-token-fewer-after-a-loss",
  ...["lost-session-ends-quietly", "session-limit-ignored", "beginning-of-the-previous-prompt"],
]);

export const CHANGES = { ...SESSIONS, ...LOADS, ...ANSWERS };
