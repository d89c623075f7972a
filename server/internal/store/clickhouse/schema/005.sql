ALTER TABLE {{local "otel_traces"}}{{on}}
    COMMENT COLUMN IF EXISTS OtelprofSpan 'of the OTLP message, what the other columns do not have';
