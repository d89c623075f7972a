// Sends traces with OpenTelemetry's JavaScript SDK: client.mjs PROTOCOL ENDPOINT TRACES, each a request with two queries, one
// of which fails. It exits with 1 if anything was not exported.
import { SpanKind, SpanStatusCode, context, trace } from "@opentelemetry/api";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";

const [protocol, endpoint, traces] = process.argv.slice(2);
const { OTLPTraceExporter } = await import(
  `@opentelemetry/exporter-trace-otlp-${{ grpc: "grpc", "http/json": "http", "http/protobuf": "proto" }[protocol]}`
);
const exporter = new OTLPTraceExporter({ url: protocol === "grpc" ? endpoint : `${endpoint}/v1/traces` });
let failed = 0;
const send = exporter.export.bind(exporter);
exporter.export = (spans, done) =>
  send(spans, (result) => {
    if (result.code !== 0) {
      failed += spans.length;
      console.error(result.error);
    }
    done(result);
  });
const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({ "service.name": `js ${protocol}` }),
  spanProcessors: [new BatchSpanProcessor(exporter, { maxQueueSize: 100_000 })],
});
provider.register();
const tracer = trace.getTracer("shop");
for (let i = 0; i < Number(traces); i++) {
  const root = tracer.startSpan("GET /cart", { kind: SpanKind.SERVER });
  context.with(trace.setSpan(context.active(), root), () => {
    tracer.startSpan("SELECT", { kind: SpanKind.CLIENT }).end();
    const bad = tracer.startSpan("UPDATE", { kind: SpanKind.CLIENT });
    bad.setStatus({ code: SpanStatusCode.ERROR });
    bad.end();
  });
  root.end();
}
await provider.shutdown();
process.exit(failed > 0 ? 1 : 0);
