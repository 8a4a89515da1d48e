// Templates as Jinja renders them; the texts are those of Python's jinja2.

import assert from "node:assert/strict";
import { test } from "node:test";

import { renderChat } from "../../src/text/chat_template.js";
import { strftime } from "../../src/text/strftime.js";

const MESSAGES = [
  { role: "user", content: "a" },
  { role: "assistant", content: "b" },
  { role: "user", content: "c" },
];
const TOKENS = { bos_token: "<s>" };

/** @type {[string, string][]} */
const TEXTS = [
  [
    "{% for m in messages %}{{ m.content }}{% if loop.first %}{% continue %}{% endif %};{% endfor %}",
    "ab;c;",
  ],
  [
    "{% for m in messages %}{{ loop.index }}{% if loop.index == 2 %}!{% break %}{% endif %}-{% endfor %}",
    "1-2!",
  ],
  [
    "{% for m in messages %}{% if true %}{% if true %}x{% break %}{% endif %}y{% endif %}z{% endfor %}|",
    "x|",
  ],
  [
    "{% for i in range(2) %}{% for m in messages %}{{ m.content }}{% break %}{% endfor %}{{ i }}{% endfor %}",
    "a0a1",
  ],
  ["{% for m in [] %}x{% break %}{% else %}none{% endfor %}", "none"],
  [
    "{% macro f(x) %}{% for i in range(x) %}{{ i }}{% break %}{% endfor %}{% endmacro %}{{ f(3) }}{{ f(0) }}",
    "0",
  ],
  ["{% for m in messages %}{% macro f() %}m{% endmacro %}{{ f() }}{% continue %}n{% endfor %}", "mmm"],
  ["{{ none }}{{ true }}{{ 1 == 2 }}{{ nothing }}{% set x = none %}{{ [x, 1]|first }}", "NoneTrueFalseNone"],
  [
    "{{ range(3)|list|length }}{{ range(1, 6, 2)|list|last }}{{ range(3, 0, -2)|list|join }}{{ range(2, 1)|list|length }}",
    "35310",
  ],
  ["{{ bos_token }}{% if eos_token is defined %}E{% endif %}{% if tools is none %}t{% endif %}", "<s>t"],
];

test("texts are those of Jinja", () => {
  for (const [template, text] of TEXTS) assert.equal(renderChat(template, MESSAGES, TOKENS), text, template);
});

test("a template refuses messages", () => {
  for (const template of ["{{ raise_exception('no') }}", "{{ range(1, 2, 0) }}", "{% if %}", "{% break %}"]) {
    assert.throws(() => renderChat(template, MESSAGES, TOKENS), { code: "template", rule: null });
  }
});

test("a template that exceeds a limit violates a rule", () => {
  for (const template of [
    "{{ range(100001)|length }}",
    "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "{% set n = namespace(t='x') %}{% for a in range(60) %}{% set n.t = n.t + n.t %}{% endfor %}{{ n.t }}",
    "{% set n = namespace(t='xxxxxxxx') %}{% for a in range(9) %}{% set n.t = n.t|replace('x', n.t) %}{% endfor %}",
    `{% for a in range(9999) %}{{ "${"x".repeat(9999)}" }}{% endfor %}`,
  ]) {
    const limit = { code: "template", rule: "LLQ-TOK-4" };
    assert.throws(() => renderChat(template, MESSAGES, TOKENS), limit, template.slice(0, 60));
  }
  assert.equal(renderChat("{{ range(100000)|length }}", MESSAGES, TOKENS), "100000");
});

test("the time is that of C in the locale C", () => {
  const date = new Date(2024, 1, 9, 0, 5, 7);
  assert.equal(strftime(date, "%Y-%m-%d %H:%M:%S %y %j"), "2024-02-09 00:05:07 24 040");
  assert.equal(
    strftime(date, "%a %A %b %B %w %I %p %% %-d %-m %-H"),
    "Fri Friday Feb February 5 12 AM % 9 2 0",
  );
  assert.equal(strftime(new Date(2023, 11, 31, 13), "%j %I %p"), "365 01 PM");
  assert.equal(strftime(date, "%q"), "%q");
});
