"""Tokens a second of `llq run --runtime webgpu`: `python -m benchmarks.webgpu_decode PACKAGE [ADAPTER]`.

Runs the command as users do, three times, and prints the fastest; another process on the machine can only
slow it down. Goal on lavapipe, two cores, SmolLM2-135M: at least 3 tokens/s.
"""

import argparse
import json
import subprocess
import sys

GOAL = 3.0
_PROMPT = "Once upon a time, in a lighthouse far from any town,"
_TOKENS = 48
_RUNS = 3


def main(package: str, adapter: str, variant: str) -> None:
    """Measure and print."""
    options = ["--runtime", "webgpu", "--adapter", adapter, "--variant", variant, "--json"]
    command = [sys.executable, "-m", "llq_format", "run", package, _PROMPT, *options]
    command += ["--max-tokens", str(_TOKENS)]
    answers = [
        json.loads(subprocess.run(command, check=True, capture_output=True).stdout) for _ in range(_RUNS)
    ]
    best = max(answers, key=lambda answer: float(answer["tokens_per_second"] or 0))
    print(f"{best['variant']} on {best['adapter']}, KV cache {best['kv_cache']}")
    print(f"prompt of {best['prompt_tokens']} tokens, the first token after {best['first_token_seconds']} s")
    print(f"then {best['tokens_per_second']} tokens/s over {best['tokens']} tokens; goal {GOAL}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("package")
    parser.add_argument("adapter", nargs="?", default="lavapipe")
    parser.add_argument("--variant", default="best")
    options = parser.parse_args()
    main(options.package, options.adapter, options.variant)
