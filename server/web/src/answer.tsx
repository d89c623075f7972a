import type { ComponentChildren } from "preact";

import { type Resource, useAnswer } from "./resource";

/** Shows what a resource holds, or why it does not: an error with what to do, or that it is on its way. */
export function Answer<T>(props: { of: Resource<T>; children: (data: T) => ComponentChildren }) {
  const data = props.of.data.value;
  const error = props.of.error.value;
  return (
    <div class="answer" aria-busy={props.of.loading.value}>
      {error && (
        <div class="error" role="alert">
          <strong>{error.message}</strong> {error.hint}
        </div>
      )}
      {data === undefined ? !error && <p class="waiting">Loading…</p> : props.children(data)}
    </div>
  );
}

/** What a view shows when there is nothing in the period: how to get something in, or that the choice leaves nothing. */
export function Empty(props: { what: string; narrowed: boolean }) {
  const status = useAnswer(() => ({ path: "status" }));
  const s = status.data.value;
  if (props.narrowed && s && s.spans > 0) {
    return (
      <section class="message">
        <h2>No {props.what} match.</h2>
        <p>Choose a longer period, another service, or a wider filter.</p>
      </section>
    );
  }
  const grpc = s?.endpoints.otlp_grpc ?? "http://127.0.0.1:4317";
  return (
    <section class="message">
      <h2>{s && s.spans > 0 ? "Nothing happened in this period." : "Nothing has arrived yet."}</h2>
      <p>Start any program that has OpenTelemetry with this in its environment:</p>
      <pre>
        <code>OTEL_EXPORTER_OTLP_ENDPOINT={grpc}</code>
      </pre>
      <p>Or send the traffic of a demonstration shop:</p>
      <pre>
        <code>otelprof demo --endpoint {grpc}</code>
      </pre>
    </section>
  );
}
