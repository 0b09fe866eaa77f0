// Does what a job says with the TypeScript SDK 1.x or 2.x. Arguments: the folder of the npm packages,
// 1 or 2, and {"target", "steps", "answer"}; prints what it received at each step.
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';

const [folder, major, job] = process.argv.slice(2);
const { target, steps, answer } = JSON.parse(job);
const require = createRequire(pathToFileURL(`${folder}/`));
const load = (name) => import(pathToFileURL(require.resolve(name)));

async function sdk1() {
  const { Client } = await load('@modelcontextprotocol/sdk/client/index.js');
  const http = await load('@modelcontextprotocol/sdk/client/streamableHttp.js');
  const sse = await load('@modelcontextprotocol/sdk/client/sse.js');
  const stdio = await load('@modelcontextprotocol/sdk/client/stdio.js');
  const { ElicitRequestSchema } = await load('@modelcontextprotocol/sdk/types.js');
  const client = new Client({ name: 'interop', version: '1' }, { capabilities: { elicitation: {} } });
  const call = (params, options) => client.callTool(params, undefined, options);
  return { client, call, onElicit: ElicitRequestSchema, ...http, ...sse, ...stdio };
}

async function sdk2() {
  const http = await load('@modelcontextprotocol/client');
  const stdio = await load('@modelcontextprotocol/client/stdio');
  const options = { capabilities: { elicitation: {} }, versionNegotiation: { mode: 'auto' } };
  const client = new http.Client({ name: 'interop', version: '1' }, options);
  return { client, call: (params, options) => client.callTool(params, options), onElicit: 'elicitation/create', ...http, ...stdio };
}

const sdk = await (major === '1' ? sdk1() : sdk2());
const { client } = sdk;
const requestInit = { headers: target.headers ?? {} };
const transport = target.command
  ? new sdk.StdioClientTransport(target)
  : target.transport === 'sse'
    ? new sdk.SSEClientTransport(new URL(target.url), { requestInit })
    : new sdk.StreamableHTTPClientTransport(new URL(target.url), { requestInit });
let asked = [];
client.setRequestHandler(sdk.onElicit, ({ params }) => {
  asked.push(params);
  const { properties } = params.requestedSchema;
  const content = Object.entries(answer.content ?? {}).filter(([name]) => name in properties);
  return { ...answer, content: Object.fromEntries(content) };
});
await client.connect(transport);

const lists = {
  tools: ['listTools', 'tools'],
  prompts: ['listPrompts', 'prompts'],
  resources: ['listResources', 'resources'],
  templates: ['listResourceTemplates', 'resourceTemplates'],
};
const run = {
  async list({ of }) {
    const [method, member] = lists[of];
    const items = [];
    for (let cursor; ;) {
      const page = await client[method](cursor === undefined ? undefined : { cursor });
      items.push(...page[member]);
      cursor = page.nextCursor;
      if (cursor === undefined) return { items };
    }
  },
  async call({ name, arguments: args, progress, until }) {
    const reports = [];
    const options = progress ? { onprogress: (report) => reports.push(report) } : undefined;
    let result;
    for (let turn = 0; turn < 100; turn += 1) {
      result = await sdk.call({ name, arguments: args }, options);
      if (until === undefined || result.content.some(({ text }) => text === until)) break;
      await sleep(50);
    }
    return { result, ...(progress ? { progress: reports } : {}) };
  },
  // Cancels a call when it first reports progress.
  async cancel({ name, arguments: args }) {
    const abort = new AbortController();
    const begun = new Promise((resolve) => {
      const options = { signal: abort.signal, onprogress: resolve };
      sdk.call({ name, arguments: args }, options).catch(() => {});
    });
    await begun;
    abort.abort('interop');
    return { cancelled: true };
  },
  async read({ uri }) {
    return { result: await client.readResource({ uri }) };
  },
  async get({ name, arguments: args }) {
    return { result: await client.getPrompt({ name, arguments: args }) };
  },
};

const results = [];
for (const { do: name, ...step } of steps) {
  asked = [];
  let seen;
  try {
    seen = await run[name](step);
  } catch (error) {
    if (error.code === undefined) throw error;
    seen = { error: { code: error.code, message: error.message, data: error.data } };
  }
  results.push(asked.length ? { ...seen, asked } : seen);
}
const version = client.getNegotiatedProtocolVersion?.() ?? transport.protocolVersion;
console.log(JSON.stringify({ version, results }));
await client.close();
