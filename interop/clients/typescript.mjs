// Lists and calls with the TypeScript SDK 1.x or 2.x. Arguments: the folder of the npm packages,
// 1 or 2, and {"target", "calls"}; prints what it received.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [folder, major, job] = process.argv.slice(2);
const { target, calls } = JSON.parse(job);
const require = createRequire(pathToFileURL(`${folder}/`));
const load = (name) => import(pathToFileURL(require.resolve(name)));

async function sdk1() {
  const { Client } = await load('@modelcontextprotocol/sdk/client/index.js');
  const { StreamableHTTPClientTransport } = await load('@modelcontextprotocol/sdk/client/streamableHttp.js');
  const { StdioClientTransport } = await load('@modelcontextprotocol/sdk/client/stdio.js');
  return { client: new Client({ name: 'interop', version: '1' }), StreamableHTTPClientTransport, StdioClientTransport };
}

async function sdk2() {
  const { Client, StreamableHTTPClientTransport } = await load('@modelcontextprotocol/client');
  const { StdioClientTransport } = await load('@modelcontextprotocol/client/stdio');
  const client = new Client({ name: 'interop', version: '1' }, { versionNegotiation: { mode: 'auto' } });
  return { client, StreamableHTTPClientTransport, StdioClientTransport };
}

const { client, StreamableHTTPClientTransport, StdioClientTransport } = await (major === '1' ? sdk1() : sdk2());
const transport = target.command
  ? new StdioClientTransport(target)
  : new StreamableHTTPClientTransport(new URL(target.url), { requestInit: { headers: target.headers ?? {} } });
await client.connect(transport);

const tools = (await client.listTools()).tools;
const results = [];
for (const [name, args] of calls) {
  try {
    results.push(await client.callTool({ name, arguments: args }));
  } catch (error) {
    results.push({ error: { code: error.code, message: error.message, data: error.data } });
  }
}
const version = client.getNegotiatedProtocolVersion?.() ?? transport.protocolVersion;
console.log(JSON.stringify({ version, tools, results }));
await client.close();
