package clickhouse

// What is asked in a cluster is asked of Distributed tables. Rows that are merged are on one shard as a rule, so that each shard
// merges its own, and what is left to be merged is little.

// perShard ends a subquery that each shard answers by itself.
func (s *Store) perShard() string {
	if s.options.Schema.Cluster == "" {
		return ""
	}
	return " SETTINGS distributed_group_by_no_merge = 1"
}

// onOneShard ends a query over tables of which all rows are on the same shard, subqueries included.
func (s *Store) onOneShard() string {
	if s.options.Schema.Cluster == "" {
		return ""
	}
	return " SETTINGS distributed_product_mode = 'local'"
}
