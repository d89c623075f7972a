CREATE TABLE IF NOT EXISTS otelprof_schema ON CLUSTER 'main' (
    Version UInt32,
    Made DateTime DEFAULT now()
) ENGINE = ReplacingMergeTree
ORDER BY Version;

CREATE TABLE IF NOT EXISTS otel_traces_local ON CLUSTER 'main' (
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

CREATE TABLE IF NOT EXISTS otel_traces_trace_id_ts_local ON CLUSTER 'main' (
    TraceId String CODEC(ZSTD(1)),
    Start DateTime CODEC(Delta(4), ZSTD(1)),
    End DateTime CODEC(Delta(4), ZSTD(1)),
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.01) GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY toDate(Start)
ORDER BY (TraceId, Start)
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS otel_traces_trace_id_ts_mv_local ON CLUSTER 'main' TO otel_traces_trace_id_ts_local AS
SELECT TraceId, min(Timestamp) AS Start, max(Timestamp) AS End
FROM otel_traces_local
WHERE TraceId != ''
GROUP BY TraceId;

CREATE TABLE IF NOT EXISTS otel_traces ON CLUSTER 'main' AS otel_traces_local
ENGINE = Distributed('main', currentDatabase(), 'otel_traces_local', cityHash64(TraceId));

CREATE TABLE IF NOT EXISTS otel_traces_trace_id_ts ON CLUSTER 'main' AS otel_traces_trace_id_ts_local
ENGINE = Distributed('main', currentDatabase(), 'otel_traces_trace_id_ts_local', cityHash64(TraceId));

INSERT INTO otelprof_schema (Version) VALUES (1);

ALTER TABLE otel_traces_local ON CLUSTER 'main'
    ADD COLUMN IF NOT EXISTS OtelprofSpan String DEFAULT '' CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS OtelprofResource LowCardinality(String) DEFAULT '' CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS OtelprofScope LowCardinality(String) DEFAULT '' CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS OtelprofScopeAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS OtelprofOrder UInt64 DEFAULT 0 CODEC(Delta(8), ZSTD(1)),
    ADD COLUMN IF NOT EXISTS OtelprofIndex UInt32 DEFAULT 0 CODEC(ZSTD(1));

ALTER TABLE otel_traces_local ON CLUSTER 'main' MODIFY SETTING non_replicated_deduplication_window = 10000;

ALTER TABLE otel_traces ON CLUSTER 'main'
    ADD COLUMN IF NOT EXISTS OtelprofSpan String DEFAULT '',
    ADD COLUMN IF NOT EXISTS OtelprofResource LowCardinality(String) DEFAULT '',
    ADD COLUMN IF NOT EXISTS OtelprofScope LowCardinality(String) DEFAULT '',
    ADD COLUMN IF NOT EXISTS OtelprofScopeAttributes Map(LowCardinality(String), String),
    ADD COLUMN IF NOT EXISTS OtelprofOrder UInt64 DEFAULT 0,
    ADD COLUMN IF NOT EXISTS OtelprofIndex UInt32 DEFAULT 0;

CREATE TABLE IF NOT EXISTS otelprof_sites_local ON CLUSTER 'main' (
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

CREATE TABLE IF NOT EXISTS otelprof_paths_local ON CLUSTER 'main' (
    PathId FixedString(16),
    Parent FixedString(16),
    SiteId FixedString(16)
) ENGINE = ReplacingMergeTree
ORDER BY PathId;

CREATE TABLE IF NOT EXISTS otelprof_profile_local ON CLUSTER 'main' (
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

CREATE TABLE IF NOT EXISTS otelprof_minutes_local ON CLUSTER 'main' (
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

CREATE TABLE IF NOT EXISTS otelprof_snapshots_local ON CLUSTER 'main' (
    Name String,
    Saved Int64,
    Start Int64,
    End Int64,
    Spans UInt64,
    Data String CODEC(ZSTD(3)),
    Deleted UInt8
) ENGINE = ReplacingMergeTree(Saved)
ORDER BY Name;

CREATE TABLE IF NOT EXISTS otelprof_sites ON CLUSTER 'main' AS otelprof_sites_local
ENGINE = Distributed('main', currentDatabase(), 'otelprof_sites_local', sipHash64(SiteId));

CREATE TABLE IF NOT EXISTS otelprof_paths ON CLUSTER 'main' AS otelprof_paths_local
ENGINE = Distributed('main', currentDatabase(), 'otelprof_paths_local', sipHash64(PathId));

CREATE TABLE IF NOT EXISTS otelprof_profile ON CLUSTER 'main' AS otelprof_profile_local
ENGINE = Distributed('main', currentDatabase(), 'otelprof_profile_local', sipHash64(SiteId, PathId));

CREATE TABLE IF NOT EXISTS otelprof_minutes ON CLUSTER 'main' AS otelprof_minutes_local
ENGINE = Distributed('main', currentDatabase(), 'otelprof_minutes_local', Minute);

CREATE TABLE IF NOT EXISTS otelprof_snapshots ON CLUSTER 'main' AS otelprof_snapshots_local
ENGINE = Distributed('main', currentDatabase(), 'otelprof_snapshots_local', sipHash64(Name));

INSERT INTO otelprof_schema (Version) VALUES (2);

ALTER TABLE otel_traces_local ON CLUSTER 'main'
    ADD COLUMN IF NOT EXISTS OtelprofNode LowCardinality(String) DEFAULT '' CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS OtelprofPart UInt32 DEFAULT 0 CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS OtelprofUncounted UInt8 DEFAULT 0 CODEC(ZSTD(1));

ALTER TABLE otel_traces_local ON CLUSTER 'main' ADD PROJECTION IF NOT EXISTS otelprof_operations (
    SELECT ServiceName, SpanName, SpanKind, count() GROUP BY ServiceName, SpanName, SpanKind
);

ALTER TABLE otel_traces_local ON CLUSTER 'main' ADD PROJECTION IF NOT EXISTS otelprof_size (
    SELECT toDate(Timestamp), count(), countIf(OtelprofIndex = 0 AND OtelprofOrder > 0), min(toUnixTimestamp64Nano(Timestamp)),
        max(toUnixTimestamp64Nano(Timestamp) + toInt64(Duration))
    GROUP BY toDate(Timestamp)
);

ALTER TABLE otelprof_profile_local ON CLUSTER 'main'
    ADD COLUMN IF NOT EXISTS SquaresLess SimpleAggregateFunction(sum, UInt128) DEFAULT 0 AFTER SumSquares;

ALTER TABLE otelprof_profile ON CLUSTER 'main'
    ADD COLUMN IF NOT EXISTS SquaresLess SimpleAggregateFunction(sum, UInt128) DEFAULT 0 AFTER SumSquares;

ALTER TABLE otel_traces ON CLUSTER 'main'
    ADD COLUMN IF NOT EXISTS OtelprofNode LowCardinality(String) DEFAULT '',
    ADD COLUMN IF NOT EXISTS OtelprofPart UInt32 DEFAULT 0,
    ADD COLUMN IF NOT EXISTS OtelprofUncounted UInt8 DEFAULT 0;

CREATE TABLE IF NOT EXISTS otelprof_parts_local ON CLUSTER 'main' (
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

CREATE TABLE IF NOT EXISTS otelprof_plans_local ON CLUSTER 'main' (
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

CREATE TABLE IF NOT EXISTS otelprof_journal_local ON CLUSTER 'main' (
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

CREATE TABLE IF NOT EXISTS otelprof_hours_local ON CLUSTER 'main' (
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

CREATE MATERIALIZED VIEW IF NOT EXISTS otelprof_hours_mv_local ON CLUSTER 'main' TO otelprof_hours_local AS
SELECT Service, SiteId, PathId, Minute - positiveModulo(Minute, 60) AS Hour,
    sum(Count) AS Count, sum(Errors) AS Errors, sum(Total) AS Total, sum(Self) AS Self, sum(Critical) AS Critical,
    sum(Unsampled) AS Unsampled, sum(SumSquares) AS SumSquares, sum(SquaresLess) AS SquaresLess, sum(Bytes) AS Bytes,
    min(Min) AS Min, max(Max) AS Max, min(First) AS First, max(Last) AS Last,
    sum(Active) AS Active, sum(Pending) AS Pending, sum(Zero) AS Zero, sumMap(Buckets) AS Buckets,
    max(Slowest) AS Slowest, max(LastError) AS LastError
FROM otelprof_profile_local
GROUP BY Service, SiteId, PathId, Hour;

CREATE TABLE IF NOT EXISTS otelprof_rollup_local ON CLUSTER 'main' (
    Since Int64,
    Made DateTime DEFAULT now()
) ENGINE = MergeTree
ORDER BY Since;

CREATE TABLE IF NOT EXISTS otelprof_parts ON CLUSTER 'main' AS otelprof_parts_local
ENGINE = Distributed('main', currentDatabase(), 'otelprof_parts_local', intDiv(toUInt64(Part), 9223372036854775808));

CREATE TABLE IF NOT EXISTS otelprof_plans ON CLUSTER 'main' AS otelprof_plans_local
ENGINE = Distributed('main', currentDatabase(), 'otelprof_plans_local', intDiv(toUInt64(Plan), 9223372036854775808));

CREATE TABLE IF NOT EXISTS otelprof_journal ON CLUSTER 'main' AS otelprof_journal_local
ENGINE = Distributed('main', currentDatabase(), 'otelprof_journal_local', intDiv(toUInt64(Term), 9223372036854775808));

CREATE TABLE IF NOT EXISTS otelprof_hours ON CLUSTER 'main' AS otelprof_hours_local
ENGINE = Distributed('main', currentDatabase(), 'otelprof_hours_local', sipHash64(SiteId, PathId));

CREATE TABLE IF NOT EXISTS otelprof_rollup ON CLUSTER 'main' AS otelprof_rollup_local
ENGINE = Distributed('main', currentDatabase(), 'otelprof_rollup_local', intDiv(toUInt64(abs(Since)), 9223372036854775808));

INSERT INTO otelprof_rollup (Since) SELECT if(sum(n) = 0, toInt64(-9000000000), maxIf(last, n > 0) - positiveModulo(maxIf(last, n > 0), 60) + 60)
FROM (SELECT count() AS n, max(Minute) AS last FROM otelprof_profile SETTINGS distributed_group_by_no_merge = 1);

INSERT INTO otelprof_schema (Version) VALUES (3);

ALTER TABLE otelprof_profile_local ON CLUSTER 'main'
    ADD COLUMN IF NOT EXISTS SelfZero SimpleAggregateFunction(sum, UInt64) DEFAULT 0 AFTER Buckets,
    ADD COLUMN IF NOT EXISTS SelfBuckets SimpleAggregateFunction(sumMap, Map(Int32, UInt64)) AFTER SelfZero;

ALTER TABLE otelprof_hours_local ON CLUSTER 'main'
    ADD COLUMN IF NOT EXISTS SelfZero SimpleAggregateFunction(sum, UInt64) DEFAULT 0 AFTER Buckets,
    ADD COLUMN IF NOT EXISTS SelfBuckets SimpleAggregateFunction(sumMap, Map(Int32, UInt64)) AFTER SelfZero;

ALTER TABLE otelprof_profile ON CLUSTER 'main'
    ADD COLUMN IF NOT EXISTS SelfZero SimpleAggregateFunction(sum, UInt64) DEFAULT 0 AFTER Buckets,
    ADD COLUMN IF NOT EXISTS SelfBuckets SimpleAggregateFunction(sumMap, Map(Int32, UInt64)) AFTER SelfZero;

ALTER TABLE otelprof_hours ON CLUSTER 'main'
    ADD COLUMN IF NOT EXISTS SelfZero SimpleAggregateFunction(sum, UInt64) DEFAULT 0 AFTER Buckets,
    ADD COLUMN IF NOT EXISTS SelfBuckets SimpleAggregateFunction(sumMap, Map(Int32, UInt64)) AFTER SelfZero;

ALTER TABLE otelprof_hours_mv_local ON CLUSTER 'main' MODIFY QUERY
SELECT Service, SiteId, PathId, Minute - positiveModulo(Minute, 60) AS Hour,
    sum(Count) AS Count, sum(Errors) AS Errors, sum(Total) AS Total, sum(Self) AS Self, sum(Critical) AS Critical,
    sum(Unsampled) AS Unsampled, sum(SumSquares) AS SumSquares, sum(SquaresLess) AS SquaresLess, sum(Bytes) AS Bytes,
    min(Min) AS Min, max(Max) AS Max, min(First) AS First, max(Last) AS Last,
    sum(Active) AS Active, sum(Pending) AS Pending, sum(Zero) AS Zero, sumMap(Buckets) AS Buckets,
    sum(SelfZero) AS SelfZero, sumMap(SelfBuckets) AS SelfBuckets,
    max(Slowest) AS Slowest, max(LastError) AS LastError
FROM otelprof_profile_local
GROUP BY Service, SiteId, PathId, Hour;

INSERT INTO otelprof_schema (Version) VALUES (4);

ALTER TABLE otel_traces_local ON CLUSTER 'main'
    COMMENT COLUMN IF EXISTS OtelprofSpan 'of the OTLP message, what the other columns do not have';

INSERT INTO otelprof_schema (Version) VALUES (5);
