CREATE TABLE IF NOT EXISTS otelprof_schema (
    Version UInt32,
    Made DateTime DEFAULT now()
) ENGINE = ReplacingMergeTree
ORDER BY Version;

CREATE TABLE IF NOT EXISTS otel_traces (
    Timestamp DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    TraceId String CODEC(ZSTD(1)),
    SpanId String CODEC(ZSTD(1)),
    ParentSpanId String CODEC(ZSTD(1)),
    TraceState String CODEC(ZSTD(1)),
    SpanName LowCardinality(String) CODEC(ZSTD(1)),
    SpanKind LowCardinality(String) CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeName String CODEC(ZSTD(1)),
    ScopeVersion String CODEC(ZSTD(1)),
    SpanAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    Duration UInt64 CODEC(ZSTD(1)),
    StatusCode LowCardinality(String) CODEC(ZSTD(1)),
    StatusMessage String CODEC(ZSTD(1)),
    Events Nested (
        Timestamp DateTime64(9),
        Name LowCardinality(String),
        Attributes Map(LowCardinality(String), String)
    ) CODEC(ZSTD(1)),
    Links Nested (
        TraceId String,
        SpanId String,
        TraceState String,
        Attributes Map(LowCardinality(String), String)
    ) CODEC(ZSTD(1)),
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX idx_res_attr_key mapKeys(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_res_attr_value mapValues(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_span_attr_key mapKeys(SpanAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_span_attr_value mapValues(SpanAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_duration Duration TYPE minmax GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY toDate(Timestamp)
ORDER BY (ServiceName, SpanName, toDateTime(Timestamp))
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS otel_traces_trace_id_ts (
    TraceId String CODEC(ZSTD(1)),
    Start DateTime CODEC(Delta(4), ZSTD(1)),
    End DateTime CODEC(Delta(4), ZSTD(1)),
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.01) GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY toDate(Start)
ORDER BY (TraceId, Start)
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS otel_traces_trace_id_ts_mv TO otel_traces_trace_id_ts AS
SELECT TraceId, min(Timestamp) AS Start, max(Timestamp) AS End
FROM otel_traces
WHERE TraceId != ''
GROUP BY TraceId;

INSERT INTO otelprof_schema (Version) VALUES (1);

ALTER TABLE otel_traces
    ADD COLUMN IF NOT EXISTS OtelprofSpan String DEFAULT '' CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS OtelprofResource LowCardinality(String) DEFAULT '' CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS OtelprofScope LowCardinality(String) DEFAULT '' CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS OtelprofScopeAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS OtelprofOrder UInt64 DEFAULT 0 CODEC(Delta(8), ZSTD(1)),
    ADD COLUMN IF NOT EXISTS OtelprofIndex UInt32 DEFAULT 0 CODEC(ZSTD(1));

ALTER TABLE otel_traces MODIFY SETTING non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS otelprof_sites (
    SiteId FixedString(16),
    Service String,
    Track String,
    Name String,
    Kind UInt8,
    Function String,
    File String,
    Line UInt32
) ENGINE = ReplacingMergeTree
ORDER BY SiteId;

CREATE TABLE IF NOT EXISTS otelprof_paths (
    PathId FixedString(16),
    Parent FixedString(16),
    SiteId FixedString(16)
) ENGINE = ReplacingMergeTree
ORDER BY PathId;

CREATE TABLE IF NOT EXISTS otelprof_profile (
    Service LowCardinality(String),
    SiteId FixedString(16),
    PathId FixedString(16),
    Minute Int64 CODEC(Delta(8), ZSTD(1)),
    Count SimpleAggregateFunction(sum, UInt64),
    Errors SimpleAggregateFunction(sum, UInt64),
    Total SimpleAggregateFunction(sum, UInt128),
    Self SimpleAggregateFunction(sum, UInt128),
    Critical SimpleAggregateFunction(sum, UInt128),
    Unsampled SimpleAggregateFunction(sum, UInt128),
    SumSquares SimpleAggregateFunction(sum, UInt128),
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
) ENGINE = AggregatingMergeTree
PARTITION BY intDiv(Minute, 1440)
ORDER BY (Service, SiteId, PathId, Minute)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS otelprof_minutes (
    Minute Int64,
    Names SimpleAggregateFunction(groupUniqArrayArray, Array(String)),
    DisabledTracks SimpleAggregateFunction(groupUniqArrayArray, Array(String)),
    Start SimpleAggregateFunction(min, Int64),
    End SimpleAggregateFunction(max, Int64),
    Counters SimpleAggregateFunction(sumMap, Map(String, UInt64))
) ENGINE = AggregatingMergeTree
PARTITION BY intDiv(Minute, 1440)
ORDER BY Minute
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS otelprof_snapshots (
    Name String,
    Saved Int64,
    Start Int64,
    End Int64,
    Spans UInt64,
    Data String CODEC(ZSTD(3)),
    Deleted UInt8
) ENGINE = ReplacingMergeTree(Saved)
ORDER BY Name;

INSERT INTO otelprof_schema (Version) VALUES (2);

ALTER TABLE otel_traces
    ADD COLUMN IF NOT EXISTS OtelprofNode LowCardinality(String) DEFAULT '' CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS OtelprofPart UInt32 DEFAULT 0 CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS OtelprofUncounted UInt8 DEFAULT 0 CODEC(ZSTD(1));

ALTER TABLE otel_traces ADD PROJECTION IF NOT EXISTS otelprof_operations (
    SELECT ServiceName, SpanName, SpanKind, count() GROUP BY ServiceName, SpanName, SpanKind
);

ALTER TABLE otel_traces ADD PROJECTION IF NOT EXISTS otelprof_size (
    SELECT toDate(Timestamp), count(), countIf(OtelprofIndex = 0 AND OtelprofOrder > 0), min(toUnixTimestamp64Nano(Timestamp)),
        max(toUnixTimestamp64Nano(Timestamp) + toInt64(Duration))
    GROUP BY toDate(Timestamp)
);

ALTER TABLE otelprof_profile
    ADD COLUMN IF NOT EXISTS SquaresLess SimpleAggregateFunction(sum, UInt128) DEFAULT 0 AFTER SumSquares;

CREATE TABLE IF NOT EXISTS otelprof_parts (
    TraceId FixedString(16),
    Node LowCardinality(String),
    Order UInt64,
    Part UInt32,
    Spans UInt32,
    Withheld UInt8,
    Arrived DateTime64(3) CODEC(Delta(8), ZSTD(1)),
    INDEX idx_arrived Arrived TYPE minmax GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY toDate(Arrived)
ORDER BY (TraceId, Order, Node, Part)
TTL toDateTime(Arrived) + toIntervalDay(2)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS otelprof_plans (
    Plan UInt64,
    Made DateTime64(3) CODEC(Delta(8), ZSTD(1)),
    TraceId FixedString(16),
    Node LowCardinality(String),
    Order UInt64,
    Part UInt32,
    Spans UInt32,
    Withheld UInt8,
    INDEX idx_plan Plan TYPE minmax GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY toDate(Made)
ORDER BY (TraceId, Plan)
TTL toDateTime(Made) + toIntervalDay(4)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS otelprof_journal (
    Term UInt64,
    Holder String,
    Until Int64,
    Through Int64,
    Done UInt64,
    Made DateTime DEFAULT now()
) ENGINE = MergeTree
ORDER BY Term
TTL Made + toIntervalYear(1)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS otelprof_hours (
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
) ENGINE = AggregatingMergeTree
PARTITION BY intDiv(Hour, 1440)
ORDER BY (Service, SiteId, PathId, Hour)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW IF NOT EXISTS otelprof_hours_mv TO otelprof_hours AS
SELECT Service, SiteId, PathId, Minute - positiveModulo(Minute, 60) AS Hour,
    sum(Count) AS Count, sum(Errors) AS Errors, sum(Total) AS Total, sum(Self) AS Self, sum(Critical) AS Critical,
    sum(Unsampled) AS Unsampled, sum(SumSquares) AS SumSquares, sum(SquaresLess) AS SquaresLess, sum(Bytes) AS Bytes,
    min(Min) AS Min, max(Max) AS Max, min(First) AS First, max(Last) AS Last,
    sum(Active) AS Active, sum(Pending) AS Pending, sum(Zero) AS Zero, sumMap(Buckets) AS Buckets,
    max(Slowest) AS Slowest, max(LastError) AS LastError
FROM otelprof_profile
GROUP BY Service, SiteId, PathId, Hour;

CREATE TABLE IF NOT EXISTS otelprof_rollup (
    Since Int64,
    Made DateTime DEFAULT now()
) ENGINE = MergeTree
ORDER BY Since;

INSERT INTO otelprof_rollup (Since) SELECT if(sum(n) = 0, toInt64(-9000000000), maxIf(last, n > 0) - positiveModulo(maxIf(last, n > 0), 60) + 60)
FROM (SELECT count() AS n, max(Minute) AS last FROM otelprof_profile);

INSERT INTO otelprof_schema (Version) VALUES (3);

ALTER TABLE otelprof_profile
    ADD COLUMN IF NOT EXISTS SelfZero SimpleAggregateFunction(sum, UInt64) DEFAULT 0 AFTER Buckets,
    ADD COLUMN IF NOT EXISTS SelfBuckets SimpleAggregateFunction(sumMap, Map(Int32, UInt64)) AFTER SelfZero;

ALTER TABLE otelprof_hours
    ADD COLUMN IF NOT EXISTS SelfZero SimpleAggregateFunction(sum, UInt64) DEFAULT 0 AFTER Buckets,
    ADD COLUMN IF NOT EXISTS SelfBuckets SimpleAggregateFunction(sumMap, Map(Int32, UInt64)) AFTER SelfZero;

ALTER TABLE otelprof_hours_mv MODIFY QUERY
SELECT Service, SiteId, PathId, Minute - positiveModulo(Minute, 60) AS Hour,
    sum(Count) AS Count, sum(Errors) AS Errors, sum(Total) AS Total, sum(Self) AS Self, sum(Critical) AS Critical,
    sum(Unsampled) AS Unsampled, sum(SumSquares) AS SumSquares, sum(SquaresLess) AS SquaresLess, sum(Bytes) AS Bytes,
    min(Min) AS Min, max(Max) AS Max, min(First) AS First, max(Last) AS Last,
    sum(Active) AS Active, sum(Pending) AS Pending, sum(Zero) AS Zero, sumMap(Buckets) AS Buckets,
    sum(SelfZero) AS SelfZero, sumMap(SelfBuckets) AS SelfBuckets,
    max(Slowest) AS Slowest, max(LastError) AS LastError
FROM otelprof_profile
GROUP BY Service, SiteId, PathId, Hour;

INSERT INTO otelprof_schema (Version) VALUES (4);

ALTER TABLE otel_traces
    COMMENT COLUMN IF EXISTS OtelprofSpan 'of the OTLP message, what the other columns do not have';

INSERT INTO otelprof_schema (Version) VALUES (5);
