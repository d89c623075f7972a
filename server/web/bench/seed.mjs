// What the measurement looks at: the demonstration shop, a call tree that is as wide as the page takes, and one long trace.

import { spawn } from "node:child_process";

import { ask } from "./server.mjs";

export const BLOCKS = 5_000;
export const NODES = 50_000;
export const LONG_TRACE = { id: "00000000000000000000000000100000", spans: 100_000 };

const SERVICES = 10;
const ROOTS = 500; // each with a tree of its own: NODES / ROOTS nodes
const REQUEST = 5_000; // spans in a request

/** Fills a server with about as many spans as are asked for, the blocks, the nodes and the long trace among them. */
export async function seed(server, binary, spans) {
  await run(binary, ["demo", "--endpoint", server.grpc, "--spans", String(spans - NODES - LONG_TRACE.spans), "--rate", "0", "--truth", "", "--ago", "25m"]);
  const now = Date.now() - 120_000; // in one minute of the past, so that the tree is complete
  await send(server, wide(now));
  await send(server, long(now));
  // What is sent is in the statistics once its traces are complete.
  for (let tries = 0; tries < 240; tries++) {
    const tree = await ask(server, "tree?since=all&limit=0");
    const trace = await ask(server, `traces/${LONG_TRACE.id}?bare=true`).catch(() => null);
    if (tree.nodes.parent.length >= NODES && trace?.spans.length === LONG_TRACE.spans) return ask(server, "status");
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  throw new Error("the spans did not arrive");
}

/** ROOTS traces whose spans make NODES places in the call tree, of BLOCKS call sites. */
function* wide(start) {
  const size = NODES / ROOTS;
  const subs = BLOCKS - ROOTS;
  for (let root = 0; root < ROOTS; root++) {
    const trace = (0xabc000 + root).toString(16).padStart(32, "0");
    for (let i = 0; i < size; i++) {
      // Three children each: five levels. A child is as long as a quarter of its parent.
      const parent = i === 0 ? -1 : Math.floor((i - 1) / 3);
      let depth = 0;
      for (let up = i; up > 0; up = Math.floor((up - 1) / 3)) depth++;
      const length = (root + 1) * 4 ** (8 - depth);
      const from = i === 0 ? 0 : offset(i, root);
      const site = i === 0 ? root : ROOTS + ((root * (size - 1) + i * 7) % subs);
      yield span(trace, root * size + i + 1, parent < 0 ? 0 : root * size + parent + 1, site, start, from, length);
    }
  }
}

/** When a span of the wide tree starts, in ns from its root. */
function offset(i, root) {
  let at = 0;
  for (let up = i, depth = depthOf(i); up > 0; up = Math.floor((up - 1) / 3), depth--) at += ((up - 1) % 3) * (root + 1) * 4 ** (8 - depth);
  return at;
}

function depthOf(i) {
  let depth = 0;
  for (let up = i; up > 0; up = Math.floor((up - 1) / 3)) depth++;
  return depth;
}

/** One trace with 100 spans below its root, and as many below each of them as make up the number. */
function* long(start) {
  const { id, spans } = LONG_TRACE;
  const groups = 100;
  const inGroup = Math.ceil((spans - 1 - groups) / groups);
  const base = NODES + 1;
  const all = 1e9;
  yield span(id, base, 0, 0, start, 0, all);
  let n = 1;
  for (let g = 0; g < groups && n < spans; g++) {
    const parent = base + n++;
    yield span(id, parent, base, 1 + (g % 20), start, (g * all) / groups, all / groups);
    for (let i = 0; i < inGroup && n < spans; i++) {
      yield span(id, base + n++, parent, 21 + (i % 50), start, (g * all + (i * all) / inGroup) / groups, all / groups / inGroup);
    }
  }
}

function span(traceId, number, parent, site, start, from, length) {
  const nanos = BigInt(start) * 1_000_000n + BigInt(Math.round(from));
  const hex = (n) => n.toString(16).padStart(16, "0");
  return {
    service: site % SERVICES,
    traceId, spanId: hex(number), parentSpanId: parent ? hex(parent) : "", name: `operation ${site} of the measurement`, kind: 1,
    startTimeUnixNano: String(nanos), endTimeUnixNano: String(nanos + BigInt(Math.max(Math.round(length), 1))),
    attributes: [
      { key: "item", value: { intValue: String(number) } }, { key: "thread.id", value: { intValue: String(number % 16) } },
      { key: "server.address", value: { stringValue: `10.0.0.${number % 200}` } }, { key: "db.system.name", value: { stringValue: "postgresql" } },
      { key: "db.query.summary", value: { stringValue: `SELECT table_${site % 40}` } },
    ],
  };
}

/** Sends spans over OTLP/HTTP in JSON. */
async function send(server, spans) {
  let batch = [];
  const flush = async () => {
    const byService = Map.groupBy ? Map.groupBy(batch, (s) => s.service) : batch.reduce((m, s) => m.set(s.service, [...(m.get(s.service) ?? []), s]), new Map());
    const resourceSpans = [...byService].map(([service, all]) => ({
      resource: { attributes: [{ key: "service.name", value: { stringValue: `service-${service}` } }] },
      scopeSpans: [{ scope: { name: "measurement" }, spans: all.map(({ service: _, ...rest }) => rest) }],
    }));
    const response = await fetch(server.http + "/v1/traces", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ resourceSpans }) });
    if (!response.ok) throw new Error(await response.text());
    batch = [];
  };
  for (const s of spans) {
    batch.push(s);
    if (batch.length === REQUEST) await flush();
  }
  if (batch.length > 0) await flush();
}

function run(binary, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(binary, args, { stdio: ["ignore", "ignore", "inherit"] });
    child.once("error", reject);
    child.once("exit", (code) => (code === 0 ? resolve() : reject(new Error(`${args[0]} ended with ${code}`))));
  });
}
