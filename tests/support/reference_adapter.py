"""The reference with the JSON-lines protocol, as a runtime in another language would use it."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from conformance.core.runtime import Adjustment, Sampling
from conformance.runtimes.reference import Reference

RUNTIME = Reference()


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Return the response to a request, after its files are written."""
    answer = {"id": request.get("id"), "ok": True}
    package = Path(request.get("package", ""))
    match request["op"]:
        case "hello":
            info = vars(RUNTIME.info)
            return {"op": "hello", "protocol": 1, **info, "capabilities": sorted(RUNTIME.capabilities)}
        case "activations":
            rounded = RUNTIME.activations(np.load(request["input"]), request["format"])
            np.save(request["output"], rounded.values)
            if rounded.scales is not None:
                np.save(request["scales"], rounded.scales)
        case "matvec":
            x = np.load(request["input"])
            products = RUNTIME.matvec(package, request["tensor"], request["format"], x)
            np.save(request["output"], np.ascontiguousarray(products))
        case "logits":
            logits = RUNTIME.logits(package, request["tokens"], request["splits"])
            np.save(request["output"], logits.astype(np.float32))
        case "trace":
            tensors = RUNTIME.trace(package, request["tokens"], request["splits"])
            np.save(request["output"], np.concatenate([tensor.ravel() for tensor in tensors.values()]))
            listed = [{"name": name, "shape": list(tensor.shape)} for name, tensor in tensors.items()]
            return {**answer, "tensors": listed}
        case "generate":
            tokens = RUNTIME.generate(package, request["tokens"], request["max_tokens"])
            return {**answer, "tokens": list(tokens)}
        case "sample" | "adjust":
            return {**answer, **_draws(request)}
        case "tokenize":
            tokenized = RUNTIME.tokenize(package, request["text"])
            return {**answer, "ids": list(tokenized.ids), "decoded": tokenized.decoded}
    return answer


def _draws(request: dict[str, Any]) -> dict[str, Any]:
    """Return the tokens of `sample` or `adjust`, or the refusal."""
    parameters = {name: request[name] for name in ("temperature", "top_k", "top_p", "position")}
    sampling = Sampling(**parameters, seed=int(request["seed"]))
    logits, count = np.load(request["input"]), request["count"]
    if request["op"] == "sample":
        tokens = RUNTIME.sample(logits, sampling, count)
    else:
        adjustment = Adjustment(
            request["min_p"],
            request["repetition_penalty"],
            tuple((token, bias) for token, bias in request["logit_bias"]),
            tuple(request["sequence"]),
            None if request["mask"] is None else tuple(request["mask"]),
        )
        tokens = RUNTIME.adjust(logits, sampling, adjustment, count)
    return {"refused": True} if tokens is None else {"tokens": list(tokens)}


for line in sys.stdin:
    message = json.loads(line)
    if message["op"] == "bye":
        break
    sys.stdout.write(json.dumps(answer(message)) + "\n")
    sys.stdout.flush()
