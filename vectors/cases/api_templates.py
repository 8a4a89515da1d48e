"""Interface: how chat templates are read. Each template ends with the prompt whose answer is known."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from vectors.cases.api import LOAD, PATH, PROMPT, SCRIPT, TEXT
from vectors.cases.tokenization import BEGIN, BPE, END, START
from vectors.kit.api_scenario import Interface
from vectors.kit.computed import computed

Json = Any
MESSAGES = [
    {"role": "user", "content": "h\u00e9 <b>'&/\"\n\u65e5\U0001f999"},
    {"role": "assistant", "content": "llo"},
]
ONE, TWO = (
    '{"role": "user", "content": "h\u00e9 <b>\'&/\\"\\n\u65e5\U0001f999"}',
    '{"role": "assistant", "content": "llo"}',
)


@dataclass(frozen=True)
class Rendering:
    """A template, the text that it gives for the messages, and the texts of special tokens."""

    template: str
    text: str
    special: dict[str, str] = field(default_factory=dict)


FEATURES = {
    "tests whether there are tools and documents": Rendering(
        "{% if tools is none %}t{% endif %}{% if documents is none %}d{% endif %}"
        "{% if tools %}TOOLS{% endif %}{% if documents is defined and documents %}DOCUMENTS{% endif %}",
        "td",
    ),
    "writes JSON": Rendering("{{ messages|tojson }}", f"[{ONE}, {TWO}]"),
    "writes JSON in lines": Rendering(
        "{{ messages[1]|tojson(indent=2) }}", '{\n  "role": "assistant",\n  "content": "llo"\n}'
    ),
    "writes JSON with separators": Rendering(
        "{{ messages[1]|tojson(separators=(',', ':')) }}", '{"role":"assistant","content":"llo"}'
    ),
    "writes JSON in ASCII": Rendering(
        "{{ messages[0].content[:2]|tojson(ensure_ascii=true) }}", '"h\\u00e9"'
    ),
    "breaks off a loop after text": Rendering(
        "{% for i in range(5) %}{{ i }}{% if i == 2 %}, {% break %}{% endif %}-{% endfor %}", "0-1-2, "
    ),
    "continues a loop after text": Rendering(
        "{% for i in range(4) %}{{ i }}{% if i is odd %}{% continue %}{% endif %}-{% endfor %}", "0-12-3"
    ),
    "breaks off an inner loop": Rendering(
        "{% for i in range(3) %}{% for j in range(9) %}{% if j > i %}{% break %}{% endif %}"
        "{{ j }}{% endfor %};{% endfor %}",
        "0;01;012;",
    ),
    "marks text of the model": Rendering(
        "{% for m in messages %}\n  {% generation %}\n{{ m.role }}{% endgeneration %}\n{% endfor %}",
        "userassistant",
    ),
    "asks for the time": Rendering(
        "{{ strftime_now('%Y')|length }}{{ strftime_now('%d %m %H:%M')|length }}"
        "{{ strftime_now('%b')|length }}{{ strftime_now('%j')|length }}{{ strftime_now('%%') }}",
        "41133%",
    ),
    "has indented blocks": Rendering(
        "{% for m in messages %}\n    {% if m.role == 'user' %}\n  u\n    {%- else %}\na\n    {% endif %}\n"
        "{% endfor %}",
        "  ua\n",
    ),
    "writes none and true": Rendering("{{ none }} {{ true }} {{ messages is none }}", "None True False"),
    "names special tokens": Rendering(
        "{{ bos_token }}{{ eos_token }}{{ pad_token }}{% if unk_token is defined %}UNK{% endif %}",
        f"{START}{BEGIN}{END}",
        {"bos_token": START, "eos_token": BEGIN, "pad_token": END},
    ),
}


@computed("api", "LLQ-API-11", cases=FEATURES)
def template_that(rendering: Rendering) -> Interface:
    """A chat template that {}: it MUST be rendered as transformers renders it."""
    options = {
        "bosTokenId": BPE.special_id(BEGIN),
        "eosTokenIds": [BPE.special_id(END)],
        "chatTemplate": rendering.template + PROMPT,
        "specialTokens": rendering.special,
    }
    step = {"do": "tokenizer", "url": "package/tokenizer.json", "options": options, "use": True}
    prompt, count = len(BPE.encode(rendering.text + PROMPT)), len(PATH) - 3
    usage = {"promptTokens": prompt, "completionTokens": count, "totalTokens": prompt + count}
    answer: Json = {"text": TEXT, "usage": usage, "finishReason": "stop"}
    stream = {"do": "stream", "prompt": MESSAGES, "options": {}, "rule": "LLQ-API-11", "expect": answer}
    used = {**step, "rule": "LLQ-API-11", "expect": {}}
    return Interface(SCRIPT, [{**LOAD, "share": "templates"}, used, stream])
