// Filters of Jinja; the texts are those of Python's jinja2.

import assert from "node:assert/strict";
import { test } from "node:test";

import { checkTemplate, renderChat } from "../../src/text/chat_template.js";

const MESSAGES = [
  { role: "user", content: "a" },
  { role: "assistant", content: "b" },
  { role: "user", content: "c" },
];

/** @type {[string, string][]} */
const TEXTS = [
  [
    "{{ [1, 2, 3]|sum }} {{ [1, 2.5]|sum }} {{ [{'n': 2}, {'n': 5}]|sum(attribute='n', start=10) }} {{ []|sum }}",
    "6 3.5 17 0",
  ],
  [
    "{% for row in range(5)|batch(2, '-') %}{{ row|join(',') }};{% endfor %}{% for row in 'abc'|batch(2) %}{{ row|length }}{% endfor %}",
    "0,1;2,3;4,-;21",
  ],
  [
    "{% for row in range(7)|slice(3) %}{{ row|join(',') }};{% endfor %}{% for row in range(7)|slice(3, 'x') %}{{ row|join(',') }};{% endfor %}",
    "0,1,2;3,4;5,6;0,1,2;3,4,x;5,6,x;",
  ],
  [
    "{{ [3, 1, 2]|min }}{{ [3, 1, 2]|max }}{{ ['b', 'A', 'a', 'B']|min }}{{ ['b', 'A', 'a', 'B']|max }}{{ ['a', 'B']|max(case_sensitive=true) }}{{ (messages|max(attribute='content')).role }}",
    "13Abauser",
  ],
  [
    "{{ 2.5|round }} {{ 3.5|round }} {{ 2.675|round(2) }} {{ 42|round }} {{ 2.1|round(method='ceil') }} {{ 2.19|round(1, 'floor') }} {{ 0.125|round(2) }}",
    "2.0 4.0 2.67 42 3.0 2.1 0.12",
  ],
  [
    "{{ range(6)|select('odd')|join }} {{ range(6)|reject('odd')|join }} {{ [0, 1, '', 'a']|select|join('-') }}",
    "135 024 1-a",
  ],
  [
    "{{ ['a', 'b']|map('upper')|join }} {{ messages|map(attribute='role')|unique|join(',') }} {{ ['1', 'x']|map('int', 7)|join('+') }} {{ ['ab', 'cd']|map('first')|join }}",
    "AB user,assistant 1+7 ac",
  ],
  [
    "{% for k, v in {'b': 1, 'A': 2}|dictsort %}{{ k }}{{ v }}{% endfor %}{% for k, v in {'b': 1, 'A': 2}|dictsort(by='value', reverse=true) %}{{ k }}{{ v }}{% endfor %}",
    "A2b1A2b1",
  ],
  ["{{ messages|count }}{{ 'abc'|count }}{{ nothing|d('x') }}{{ ''|d('y', true) }}", "33xy"],
  ["[{{ 'ab'|center(5) }}][{{ 'abc'|center(6) }}][{{ 'a b_c d2'|wordcount }}]", "[  ab ][ abc  ][3]"],
  [
    "{{ 'abc'|first }}{{ 'abc'|last }}{{ 'cab'|sort|join }}{{ 'abc'|reverse }}{{ 'aab'|unique|join }}{{ {'x': 1, 'y': 2}|list|join }}{{ 'abc'|list|length }}",
    "acabccbaabxy3",
  ],
  ["[{{ ' a '|trim }}][{{ 'xxaxx'|trim('x') }}]", "[a][a]"],
  [
    "{{ 'one two three four'|truncate(11) }}|{{ 'one two three four'|truncate(11, true) }}|{{ 'one two three four'|truncate(11, end='!') }}|{{ 'one two'|truncate(5) }}",
    "one two...|one two ...|one two!|one two",
  ],
  ["{% filter upper %}ab{% endfilter %}{% filter center(4) %}x{% endfilter %}", "AB x  "],
  ["{{ messages|selectattr('role', 'equalto', 'user')|map(attribute='content')|list|last }}", "c"],
];

/** Filters of Jinja 3.1 that are not implemented. */
const MISSING = [
  ...["attr", "e", "escape", "filesizeformat", "forceescape", "format", "groupby", "pprint", "random"],
  ...["striptags", "urlencode", "urlize", "wordwrap", "xmlattr"],
];

test("texts are those of Jinja", () => {
  for (const [template, text] of TEXTS) {
    checkTemplate(template);
    assert.equal(renderChat(template, MESSAGES, {}), text, template);
  }
});

test("arguments without meaning are refused", () => {
  for (const filter of [
    "batch(0)",
    "slice(0)",
    "slice(100001)",
    "center('x')",
    "map",
    "map(5)",
    "select('nonesuch')",
    "round('x')",
    "sum",

    "dictsort",
  ]) {
    const template = `{{ ['a', 1]|${filter} }}`;
    assert.throws(() => renderChat(template, MESSAGES, {}), { code: "template" }, template);
  }
});

test("a filter that is not implemented is named before it is used", () => {
  for (const name of [...MISSING, "nonesuch"]) {
    for (const template of [
      `{% if false %}{{ messages|${name} }}{% endif %}`,
      `{% for m in messages %}{% set x = [m.content|upper|${name}(1)] %}{% endfor %}`,
      `{% filter ${name} %}x{% endfilter %}`,
    ]) {
      assert.throws(
        () => checkTemplate(template),
        (/** @type {any} */ error) =>
          error.code === "template" && error.message.includes(`the filter '${name}'`),
      );
    }
  }
});

test("a template that does not parse is refused when it is used", () => {
  checkTemplate("{% if %}");
  assert.throws(() => renderChat("{% if %}", MESSAGES, {}), { code: "template" });
});
