ALTER TABLE {{local "otel_traces"}}{{on}}
    ADD COLUMN IF NOT EXISTS OtelprofNode LowCardinality(String) DEFAULT '' CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS OtelprofPart UInt32 DEFAULT 0 CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS OtelprofUncounted UInt8 DEFAULT 0 CODEC(ZSTD(1));

ALTER TABLE {{local "otel_traces"}}{{on}} ADD PROJECTION IF NOT EXISTS otelprof_operations (
    SELECT ServiceName, SpanName, SpanKind, count() GROUP BY ServiceName, SpanName, SpanKind
);

ALTER TABLE {{local "otel_traces"}}{{on}} ADD PROJECTION IF NOT EXISTS otelprof_size (
    SELECT toDate(Timestamp), count(), countIf(OtelprofIndex = 0 AND OtelprofOrder > 0), min(toUnixTimestamp64Nano(Timestamp)),
        max(toUnixTimestamp64Nano(Timestamp) + toInt64(Duration))
    GROUP BY toDate(Timestamp)
);

ALTER TABLE {{local "otelprof_profile"}}{{on}}
    ADD COLUMN IF NOT EXISTS SquaresLess SimpleAggregateFunction(sum, UInt128) DEFAULT 0 AFTER SumSquares;

{{if .Cluster}}ALTER TABLE otelprof_profile{{on}}
    ADD COLUMN IF NOT EXISTS SquaresLess SimpleAggregateFunction(sum, UInt128) DEFAULT 0 AFTER SumSquares;

ALTER TABLE otel_traces{{on}}
    ADD COLUMN IF NOT EXISTS OtelprofNode LowCardinality(String) DEFAULT '',
    ADD COLUMN IF NOT EXISTS OtelprofPart UInt32 DEFAULT 0,
    ADD COLUMN IF NOT EXISTS OtelprofUncounted UInt8 DEFAULT 0;

{{end}}CREATE TABLE IF NOT EXISTS {{local "otelprof_parts"}}{{on}} (
    TraceId FixedString(16),
    Node LowCardinality(String),
    Order UInt64,
    Part UInt32,
    Spans UInt32,
    Withheld UInt8,
    Arrived DateTime64(3) CODEC(Delta(8), ZSTD(1)),
    INDEX idx_arrived Arrived TYPE minmax GRANULARITY 1
) ENGINE = {{engine "MergeTree"}}
PARTITION BY toDate(Arrived)
ORDER BY (TraceId, Order, Node, Part)
TTL toDateTime(Arrived) + toIntervalDay(2)
SETTINGS ttl_only_drop_parts = 1, {{window}};

CREATE TABLE IF NOT EXISTS {{local "otelprof_plans"}}{{on}} (
    Plan UInt64,
    Made DateTime64(3) CODEC(Delta(8), ZSTD(1)),
    TraceId FixedString(16),
    Node LowCardinality(String),
    Order UInt64,
    Part UInt32,
    Spans UInt32,
    Withheld UInt8,
    INDEX idx_plan Plan TYPE minmax GRANULARITY 1
) ENGINE = {{engine "MergeTree"}}
PARTITION BY toDate(Made)
ORDER BY (TraceId, Plan)
TTL toDateTime(Made) + toIntervalDay(4)
SETTINGS ttl_only_drop_parts = 1, {{window}};

CREATE TABLE IF NOT EXISTS {{local "otelprof_journal"}}{{on}} (
    Term UInt64,
    Holder String,
    Until Int64,
    Through Int64,
    Done UInt64,
    Made DateTime DEFAULT now()
) ENGINE = {{engine "MergeTree"}}
ORDER BY Term
TTL Made + toIntervalYear(1)
SETTINGS {{window}};

CREATE TABLE IF NOT EXISTS {{local "otelprof_hours"}}{{on}} (
    Service LowCardinality(String),
    SiteId FixedString(16),
    PathId FixedString(16),
    Hour Int64 CODEC(Delta(8), ZSTD(1)),
    Count SimpleAggregateFunction(sum, UInt64),
    Errors SimpleAggregateFunction(sum, UInt64),
    Total SimpleAggregateFunction(sum, UInt128),
    Self SimpleAggregateFunction(sum, UInt128),
    Critical SimpleAggregateFunction(sum, UInt128),
    Unsampled SimpleAggregateFunction(sum, UInt128),
    SumSquares SimpleAggregateFunction(sum, UInt128),
    SquaresLess SimpleAggregateFunction(sum, UInt128),
    Bytes SimpleAggregateFunction(sum, UInt128),
    Min SimpleAggregateFunction(min, UInt64),
    Max SimpleAggregateFunction(max, UInt64),
    First SimpleAggregateFunction(min, Int64),
    Last SimpleAggregateFunction(max, Int64),
    Active SimpleAggregateFunction(sum, Int64),
    Pending SimpleAggregateFunction(sum, Int64),
    Zero SimpleAggregateFunction(sum, UInt64),
    Buckets SimpleAggregateFunction(sumMap, Map(Int32, UInt64)),
    Slowest SimpleAggregateFunction(max, String),
    LastError SimpleAggregateFunction(max, String)
) ENGINE = {{engine "AggregatingMergeTree"}}
PARTITION BY intDiv(Hour, 1440)
ORDER BY (Service, SiteId, PathId, Hour)
{{ttl "otelprof_hours"}}SETTINGS {{window}};

CREATE MATERIALIZED VIEW IF NOT EXISTS {{local "otelprof_hours_mv"}}{{on}} TO {{local "otelprof_hours"}} AS
SELECT Service, SiteId, PathId, Minute - positiveModulo(Minute, 60) AS Hour,
    sum(Count) AS Count, sum(Errors) AS Errors, sum(Total) AS Total, sum(Self) AS Self, sum(Critical) AS Critical,
    sum(Unsampled) AS Unsampled, sum(SumSquares) AS SumSquares, sum(SquaresLess) AS SquaresLess, sum(Bytes) AS Bytes,
    min(Min) AS Min, max(Max) AS Max, min(First) AS First, max(Last) AS Last,
    sum(Active) AS Active, sum(Pending) AS Pending, sum(Zero) AS Zero, sumMap(Buckets) AS Buckets,
    max(Slowest) AS Slowest, max(LastError) AS LastError
FROM {{local "otelprof_profile"}}
GROUP BY Service, SiteId, PathId, Hour;

CREATE TABLE IF NOT EXISTS {{local "otelprof_rollup"}}{{on}} (
    Since Int64,
    Made DateTime DEFAULT now()
) ENGINE = {{engine "MergeTree"}}
ORDER BY Since;

{{distributed "otelprof_parts" (together "Part")}}
{{distributed "otelprof_plans" (together "Plan")}}
{{distributed "otelprof_journal" (together "Term")}}
{{distributed "otelprof_hours" "sipHash64(SiteId, PathId)"}}
{{distributed "otelprof_rollup" (together "abs(Since)")}}
INSERT INTO otelprof_rollup (Since) SELECT if(sum(n) = 0, toInt64(-9000000000), maxIf(last, n > 0) - positiveModulo(maxIf(last, n > 0), 60) + 60)
FROM (SELECT count() AS n, max(Minute) AS last FROM otelprof_profile{{if .Cluster}} SETTINGS distributed_group_by_no_merge = 1{{end}});
