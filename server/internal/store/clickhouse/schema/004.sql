ALTER TABLE {{local "otelprof_profile"}}{{on}}
    ADD COLUMN IF NOT EXISTS SelfZero SimpleAggregateFunction(sum, UInt64) DEFAULT 0 AFTER Buckets,
    ADD COLUMN IF NOT EXISTS SelfBuckets SimpleAggregateFunction(sumMap, Map(Int32, UInt64)) AFTER SelfZero;

ALTER TABLE {{local "otelprof_hours"}}{{on}}
    ADD COLUMN IF NOT EXISTS SelfZero SimpleAggregateFunction(sum, UInt64) DEFAULT 0 AFTER Buckets,
    ADD COLUMN IF NOT EXISTS SelfBuckets SimpleAggregateFunction(sumMap, Map(Int32, UInt64)) AFTER SelfZero;

{{if .Cluster}}ALTER TABLE otelprof_profile{{on}}
    ADD COLUMN IF NOT EXISTS SelfZero SimpleAggregateFunction(sum, UInt64) DEFAULT 0 AFTER Buckets,
    ADD COLUMN IF NOT EXISTS SelfBuckets SimpleAggregateFunction(sumMap, Map(Int32, UInt64)) AFTER SelfZero;

ALTER TABLE otelprof_hours{{on}}
    ADD COLUMN IF NOT EXISTS SelfZero SimpleAggregateFunction(sum, UInt64) DEFAULT 0 AFTER Buckets,
    ADD COLUMN IF NOT EXISTS SelfBuckets SimpleAggregateFunction(sumMap, Map(Int32, UInt64)) AFTER SelfZero;

{{end}}ALTER TABLE {{local "otelprof_hours_mv"}}{{on}} MODIFY QUERY
SELECT Service, SiteId, PathId, Minute - positiveModulo(Minute, 60) AS Hour,
    sum(Count) AS Count, sum(Errors) AS Errors, sum(Total) AS Total, sum(Self) AS Self, sum(Critical) AS Critical,
    sum(Unsampled) AS Unsampled, sum(SumSquares) AS SumSquares, sum(SquaresLess) AS SquaresLess, sum(Bytes) AS Bytes,
    min(Min) AS Min, max(Max) AS Max, min(First) AS First, max(Last) AS Last,
    sum(Active) AS Active, sum(Pending) AS Pending, sum(Zero) AS Zero, sumMap(Buckets) AS Buckets,
    sum(SelfZero) AS SelfZero, sumMap(SelfBuckets) AS SelfBuckets,
    max(Slowest) AS Slowest, max(LastError) AS LastError
FROM {{local "otelprof_profile"}}
GROUP BY Service, SiteId, PathId, Hour;
