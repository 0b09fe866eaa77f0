// A server of the TypeScript SDK, 1.x or 2.x, over streamable HTTP, whose port it prints, or over
// stdio. Arguments: the folder of the npm packages, 1 or 2, and http or stdio.
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';

const [folder, major, transport] = process.argv.slice(2);
const require = createRequire(pathToFileURL(`${folder}/`));
const load = (name) => import(pathToFileURL(require.resolve(name)));
const { z } = await load('zod');

const PIXEL =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const PERSON = {
  type: 'object',
  properties: { name: { type: 'string', title: 'Name' }, years: { type: 'integer', title: 'Years', default: 7 } },
  required: ['name'],
};
const cancelled = new Set();
const text = (text) => ({ content: [{ type: 'text', text }] });

// What both majors share. `call` makes of a handler's context what the handlers here need of it.
function sample(server, schema, ResourceTemplate, call, ask) {
  const tool = (name, description, members, run, more = {}) =>
    server.registerTool(name, { description, inputSchema: schema(members), ...more }, (args, context) => run(args, call(context)));
  tool('add', 'Adds two numbers.', { a: z.number(), b: z.number() }, ({ a, b }) => text(`${a + b}`));
  const measured = { place: z.string(), celsius: z.number() };
  tool('measure', 'Says how warm it is at a place: größer 🜂.', { place: z.string() }, ({ place }) => {
    const structuredContent = { place, celsius: 21.5 };
    return { ...text(JSON.stringify(structuredContent)), structuredContent };
  }, { outputSchema: schema(measured) });
  tool('fail', 'Always fails.', {}, () => {
    throw new Error('it never works');
  });
  tool('picture', 'Gives a picture of one point.', {}, () => ({
    content: [{ type: 'image', data: PIXEL, mimeType: 'image/png' }],
  }));
  tool('count', 'Counts to three and reports each step.', {}, async (_, { report }) => {
    for (const step of [1, 2, 3]) {
      await report({ progress: step, total: 3, message: `step ${step}` });
      await sleep(20);
    }
    return text('counted');
  });
  const waiting = { key: z.string(), seconds: z.number().int() };
  tool('wait', 'Waits, reporting progress, until it is cancelled or the time is over.', waiting,
    async ({ key, seconds }, { report, signal }) => {
      signal.addEventListener('abort', () => cancelled.add(key));
      for (let step = 1; step < seconds * 10 && !signal.aborted; step += 1) {
        await report({ progress: step, total: seconds * 10 });
        await sleep(100);
      }
      return text('the time is over');
    });
  tool('was_cancelled', 'Says whether the wait with this key has been cancelled.', { key: z.string() },
    ({ key }) => text(cancelled.has(key) ? 'cancelled' : 'not cancelled'));
  ask(tool);

  const known = { description: 'A text that never changes.', mimeType: 'text/plain' };
  server.registerResource('text', 'sample://text', known, (uri) => ({
    contents: [{ uri: uri.href, mimeType: 'text/plain', text: 'Grüße 🜂\n' }],
  }));
  const picture = { description: 'A picture of one point.', mimeType: 'image/png' };
  server.registerResource('picture', 'sample://picture', picture, (uri) => ({
    contents: [{ uri: uri.href, mimeType: 'image/png', blob: PIXEL }],
  }));
  const items = new ResourceTemplate('sample://items/{number}', { list: undefined });
  server.registerResource('item', items, { description: 'One item for each number.' }, (uri, { number }) => ({
    contents: [{ uri: uri.href, text: `item ${number}` }],
  }));
  const argsSchema = schema({ name: z.string() });
  server.registerPrompt('greeting', { description: 'Greets somebody.', argsSchema }, ({ name }) => ({
    messages: [{ role: 'user', content: { type: 'text', text: `Please greet ${name} 🜂.` } }],
  }));
  return server;
}

const reporter = (token, notify) => (progress) =>
  token === undefined ? undefined : notify({ method: 'notifications/progress', params: { progressToken: token, ...progress } });

async function sdk1() {
  const { McpServer, ResourceTemplate } = await load('@modelcontextprotocol/sdk/server/mcp.js');
  const { StreamableHTTPServerTransport } = await load('@modelcontextprotocol/sdk/server/streamableHttp.js');
  const { StdioServerTransport } = await load('@modelcontextprotocol/sdk/server/stdio.js');
  const { ElicitResultSchema } = await load('@modelcontextprotocol/sdk/types.js');
  const call = ({ _meta, sendNotification, sendRequest, signal }) => ({
    signal,
    elicit: (params) => sendRequest({ method: 'elicitation/create', params }, ElicitResultSchema),
    report: reporter(_meta?.progressToken, sendNotification),
  });
  const make = () => {
    const server = new McpServer({ name: 'interop', version: '1' });
    const ask = (tool) =>
      tool('ask', 'Asks the user who they are.', {}, async (_, { elicit }) => {
        const { content } = await elicit({ message: 'Who are you?', requestedSchema: PERSON });
        return text(`${content.name}, ${content.years}`);
      });
    return sample(server, (members) => members, ResourceTemplate, call, ask);
  };
  if (transport === 'stdio') return make().connect(new StdioServerTransport());
  listen(sessions(make, StreamableHTTPServerTransport));
}

async function sdk2() {
  const { McpServer, ResourceTemplate, acceptedContent, createMcpHandler, inputRequired, isLegacyRequest } =
    await load('@modelcontextprotocol/server');
  const { serveStdio } = await load('@modelcontextprotocol/server/stdio');
  const { NodeStreamableHTTPServerTransport, toNodeHandler, toWebRequest } = await load('@modelcontextprotocol/node');
  const call = ({ mcpReq: { _meta, notify, signal, inputResponses } }) => ({
    signal,
    inputResponses,
    report: reporter(_meta?.progressToken, notify),
  });
  const ask = (tool) =>
    tool('ask', 'Asks the user who they are.', {}, (_, { inputResponses }) => {
      const content = acceptedContent(inputResponses, 'person');
      if (content) return text(`${content.name}, ${content.years}`);
      const person = inputRequired.elicit({ message: 'Who are you?', requestedSchema: PERSON });
      return inputRequired({ inputRequests: { person } });
    });
  const schema = (members) => z.object(members);
  const make = () => sample(new McpServer({ name: 'interop', version: '1' }), schema, ResourceTemplate, call, ask);
  if (transport === 'stdio') return serveStdio(make);
  const modern = toNodeHandler(createMcpHandler(make, { legacy: 'reject' }));
  const legacy = sessions(make, NodeStreamableHTTPServerTransport);
  listen(async (request, response, body) => {
    const old = await isLegacyRequest(await toWebRequest(request, body), body);
    return (old ? legacy : modern)(request, response, body);
  });
}

// Sessions of the handshake era, each with a server of its own.
function sessions(make, Transport) {
  const open = new Map();
  return async (request, response, body) => {
    const known = open.get(request.headers['mcp-session-id']);
    if (known) return known.handleRequest(request, response, body);
    if (request.headers['mcp-session-id']) return response.writeHead(404).end();
    const fresh = new Transport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => open.set(id, fresh),
    });
    fresh.onclose = () => open.delete(fresh.sessionId);
    await make().connect(fresh);
    return fresh.handleRequest(request, response, body);
  };
}

function listen(answer) {
  const server = createServer(async (request, response) => {
    let read = '';
    for await (const chunk of request) read += chunk;
    await answer(request, response, read ? JSON.parse(read) : undefined);
  });
  server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));
}

await (major === '1' ? sdk1() : sdk2());
