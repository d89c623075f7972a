ALTER TABLE {{local "otel_traces"}}{{on}}
    ADD COLUMN IF NOT EXISTS OtelprofSpan String DEFAULT '' CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS OtelprofResource LowCardinality(String) DEFAULT '' CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS OtelprofScope LowCardinality(String) DEFAULT '' CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS OtelprofScopeAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS OtelprofOrder UInt64 DEFAULT 0 CODEC(Delta(8), ZSTD(1)),
    ADD COLUMN IF NOT EXISTS OtelprofIndex UInt32 DEFAULT 0 CODEC(ZSTD(1));

ALTER TABLE {{local "otel_traces"}}{{on}} MODIFY SETTING {{window}};

{{if .Cluster}}ALTER TABLE otel_traces{{on}}
    ADD COLUMN IF NOT EXISTS OtelprofSpan String DEFAULT '',
    ADD COLUMN IF NOT EXISTS OtelprofResource LowCardinality(String) DEFAULT '',
    ADD COLUMN IF NOT EXISTS OtelprofScope LowCardinality(String) DEFAULT '',
    ADD COLUMN IF NOT EXISTS OtelprofScopeAttributes Map(LowCardinality(String), String),
    ADD COLUMN IF NOT EXISTS OtelprofOrder UInt64 DEFAULT 0,
    ADD COLUMN IF NOT EXISTS OtelprofIndex UInt32 DEFAULT 0;

{{end}}CREATE TABLE IF NOT EXISTS {{local "otelprof_sites"}}{{on}} (
    SiteId FixedString(16),
    Service String,
    Track String,
    Name String,
    Kind UInt8,
    Function String,
    File String,
    Line UInt32
) ENGINE = {{engine "ReplacingMergeTree"}}
ORDER BY SiteId;

CREATE TABLE IF NOT EXISTS {{local "otelprof_paths"}}{{on}} (
    PathId FixedString(16),
    Parent FixedString(16),
    SiteId FixedString(16)
) ENGINE = {{engine "ReplacingMergeTree"}}
ORDER BY PathId;

CREATE TABLE IF NOT EXISTS {{local "otelprof_profile"}}{{on}} (
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
) ENGINE = {{engine "AggregatingMergeTree"}}
PARTITION BY intDiv(Minute, 1440)
ORDER BY (Service, SiteId, PathId, Minute)
{{ttl "otelprof_profile"}}SETTINGS {{window}};

CREATE TABLE IF NOT EXISTS {{local "otelprof_minutes"}}{{on}} (
    Minute Int64,
    Names SimpleAggregateFunction(groupUniqArrayArray, Array(String)),
    DisabledTracks SimpleAggregateFunction(groupUniqArrayArray, Array(String)),
    Start SimpleAggregateFunction(min, Int64),
    End SimpleAggregateFunction(max, Int64),
    Counters SimpleAggregateFunction(sumMap, Map(String, UInt64))
) ENGINE = {{engine "AggregatingMergeTree"}}
PARTITION BY intDiv(Minute, 1440)
ORDER BY Minute
{{ttl "otelprof_minutes"}}SETTINGS {{window}};

CREATE TABLE IF NOT EXISTS {{local "otelprof_snapshots"}}{{on}} (
    Name String,
    Saved Int64,
    Start Int64,
    End Int64,
    Spans UInt64,
    Data String CODEC(ZSTD(3)),
    Deleted UInt8
) ENGINE = {{engine "ReplacingMergeTree(Saved)"}}
ORDER BY Name;

{{distributed "otelprof_sites" "sipHash64(SiteId)"}}
{{distributed "otelprof_paths" "sipHash64(PathId)"}}
{{distributed "otelprof_profile" "sipHash64(SiteId, PathId)"}}
{{distributed "otelprof_minutes" "Minute"}}
{{distributed "otelprof_snapshots" "sipHash64(Name)"}}
