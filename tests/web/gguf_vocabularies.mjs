// Prints the token ids of each text of a JSON file, by the JavaScript runtime's tokenizer of a tokenizer.json.
import { readFileSync } from "node:fs";
import { Tokenizer } from "../../web/src/text/tokenizer.js";

const [tokenizerFile, textsFile] = process.argv.slice(2);
const tokenizer = await Tokenizer.fromJson(readFileSync(tokenizerFile, "utf8"));
const texts = JSON.parse(readFileSync(textsFile, "utf8"));
const ids = [];
for (const text of texts) ids.push(await tokenizer.encode(text));
console.log(JSON.stringify(ids));
