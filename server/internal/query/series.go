package query

import (
	"context"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// Series names a time series: a service, and one of its operations if that is not "".
type Series struct{ Service, Operation string }

// Minutes returns the statistics of every series by the minute in which spans ended. key says to which series a site
// belongs, if to any.
func (e *Engine) Minutes(ctx context.Context, within store.Range, key func(core.Site) (Series, bool)) (map[Series]map[int64]core.Stats, error) {
	all := map[Series]map[int64]core.Stats{}
	err := e.store.Profiles(ctx, WholeMinutes(within), 1, func(minute int64, s *core.Snapshot) error {
		for i := range s.Blocks {
			k, ok := key(s.Blocks[i].Site)
			if !ok {
				continue
			}
			if all[k] == nil {
				all[k] = map[int64]core.Stats{}
			}
			all[k][minute] = all[k][minute].Merge(s.Blocks[i].Stats)
		}
		return nil
	})
	return all, err
}
