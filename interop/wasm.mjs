// Puts questions to a module of crates/web and prints its answers: one JSON document a line in, one out. The first
// line out says what the module imports and exports, and how long a question took at most.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const module = new WebAssembly.Module(readFileSync(process.argv[2]));
const imports = WebAssembly.Module.imports(module);
const exports = WebAssembly.Module.exports(module).map((entry) => entry.name);
console.log(JSON.stringify({ imports, exports }));
if (imports.length > 0) process.exit(1);

const { memory, alloc, answer } = new WebAssembly.Instance(module, {}).exports;

function ask(question) {
  const bytes = new TextEncoder().encode(question);
  const room = alloc(bytes.length);
  if (room === 0) throw new Error("no room for the question");
  new Uint8Array(memory.buffer, room, bytes.length).set(bytes);
  const at = answer(room, bytes.length);
  // Looked at anew: the memory may have grown, and its old view is gone.
  const length = new DataView(memory.buffer).getUint32(at, true);
  return new TextDecoder().decode(new Uint8Array(memory.buffer, at + 4, length));
}

for await (const question of createInterface({ input: process.stdin })) {
  const begin = performance.now();
  const text = ask(question);
  const milliseconds = Math.round(performance.now() - begin);
  console.log(JSON.stringify({ milliseconds, text }));
}
