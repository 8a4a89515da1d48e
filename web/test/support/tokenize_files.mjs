// Reads tokenizers from files, and encodes texts, decodes the ids, and renders chats:
// {tokenizers: [{file, options}], texts, chats} on standard input, a list of {ids, decoded, chats} on standard output.

import { readFileSync } from "node:fs";
import { stdin, stdout } from "node:process";

import { Tokenizer } from "../../src/text/tokenizer.js";

let input = "";
for await (const piece of stdin.setEncoding("utf8")) input += piece;
const { tokenizers, texts, chats } = JSON.parse(input);

const answers = [];
for (const { file, options } of tokenizers) {
  const tokenizer = await Tokenizer.fromJson(readFileSync(file, "utf8"), options);
  const ids = [];
  for (const text of texts) ids.push(await tokenizer.encode(text));
  const rendered = [];
  for (const messages of chats) {
    try {
      const text = await tokenizer.chat(messages);
      rendered.push({ text, ids: await tokenizer.prompt(messages, Infinity) });
    } catch (error) {
      if (!["template", "no-template"].includes(Object(error).code)) throw error;
      rendered.push({ text: null, ids: [] });
    }
  }
  const decoded = [];
  for (const row of ids) decoded.push(await tokenizer.decode(row));
  answers.push({ ids, decoded, chats: rendered });
}
stdout.write(JSON.stringify(answers));
