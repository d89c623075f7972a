// A server of its own for a measurement, with ports and a folder that nobody else has.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Returns free ports of the loopback. */
async function freePorts(n) {
  const held = await Promise.all(Array.from({ length: n }, () => new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => resolve(server));
  })));
  const ports = held.map((server) => server.address().port);
  await Promise.all(held.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** Starts a server and waits until it answers. stop ends it and deletes what it kept. */
export async function startServer(binary) {
  const folder = mkdtempSync(join(tmpdir(), "otelprof-measure-"));
  const [grpc, http, page] = await freePorts(3);
  const args = ["serve", "--data", folder, "--otlp-grpc", `127.0.0.1:${grpc}`, "--otlp-http", `127.0.0.1:${http}`,
    "--http", `127.0.0.1:${page}`, "--jaeger-grpc", "", "--jaeger-storage", ""];
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("OTELPROF_"))); // those are settings of it
  const child = spawn(binary, args, { stdio: ["ignore", "ignore", "inherit"], env });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const stop = async () => {
    child.kill("SIGTERM");
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  const server = { grpc: `http://127.0.0.1:${grpc}`, http: `http://127.0.0.1:${http}`, page: `http://127.0.0.1:${page}`, stop };
  for (let tries = 0; tries < 600; tries++) {
    const ready = await fetch(server.page + "/readyz").catch(() => null);
    if (ready?.ok) return server;
    if (child.exitCode !== null) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await stop();
  throw new Error("the server did not start");
}

/** Asks the API. */
export async function ask(server, path) {
  const response = await fetch(server.page + "/api/v1/" + path);
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response.json();
}
