package clickhouse

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// dictionary says what ids of sites and of paths mean.
type dictionary struct {
	sites map[id]core.Site
	// parents are those of the paths.
	parents map[id]id
}

// dictionaries keeps what was read of names: an id never means anything else.
type dictionaries struct {
	naming sync.Mutex
	known  dictionary
}

const (
	// namesAtOnce is how many ids are asked for in one query, maxNames how many are kept.
	namesAtOnce = 2000
	maxNames    = 1 << 17
)

// names returns what the ids in statistics mean.
func (s *Store) names(ctx context.Context, groups map[int64][]pathStats) (*dictionary, error) {
	s.naming.Lock()
	defer s.naming.Unlock()
	if s.known.sites == nil || len(s.known.sites)+len(s.known.parents) > maxNames {
		s.known = dictionary{sites: map[id]core.Site{}, parents: map[id]id{}}
	}
	sites, paths := map[id]bool{}, map[id]bool{}
	for _, stats := range groups {
		for i := range stats {
			p := &stats[i]
			if _, ok := s.known.sites[p.site]; !ok {
				sites[p.site] = true
			}
			if _, ok := s.known.parents[p.path]; !ok && p.path != (id{}) {
				paths[p.path] = true
			}
		}
	}
	d := &s.known
	for some := range slices.Chunk(slices.Collect(maps.Keys(sites)), namesAtOnce) {
		if err := s.readSites(ctx, d, some); err != nil {
			return nil, err
		}
	}
	for some := range slices.Chunk(slices.Collect(maps.Keys(paths)), namesAtOnce) {
		if err := s.readPaths(ctx, d, some); err != nil {
			return nil, err
		}
	}
	return d.of(groups), nil
}

// of returns what the ids in statistics mean, as far as that is known.
func (d *dictionary) of(groups map[int64][]pathStats) *dictionary {
	part := &dictionary{sites: map[id]core.Site{}, parents: map[id]id{}}
	for _, stats := range groups {
		for i := range stats {
			if site, ok := d.sites[stats[i].site]; ok {
				part.sites[stats[i].site] = site
			}
			if parent, ok := d.parents[stats[i].path]; ok {
				part.parents[stats[i].path] = parent
			}
		}
	}
	return part
}

// literals returns ids as a list of SQL.
func literals(ids []id) string {
	var list strings.Builder
	for i, id := range ids {
		if i > 0 {
			list.WriteByte(',')
		}
		list.WriteString("unhex('" + hex.EncodeToString(id[:]) + "')")
	}
	return list.String()
}

func (s *Store) readSites(ctx context.Context, d *dictionary, ids []id) error {
	rows, err := s.conn.Query(ctx, "SELECT SiteId, Service, Track, Name, Kind, Function, File, Line FROM otelprof_sites WHERE SiteId IN ("+literals(ids)+")")
	if err != nil {
		return explain(err)
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		var site core.Site
		var kind uint8
		var line uint32
		if err := rows.Scan(&text, &site.Service, &site.Track, &site.Name, &kind, &site.Function, &site.File, &line); err != nil {
			return explain(err)
		}
		site.Kind, site.Line = core.Kind(kind), int(line)
		var key id
		copy(key[:], text)
		d.sites[key] = site
	}
	return explain(rows.Err())
}

func (s *Store) readPaths(ctx context.Context, d *dictionary, ids []id) error {
	rows, err := s.conn.Query(ctx, "SELECT PathId, Parent FROM otelprof_paths WHERE PathId IN ("+literals(ids)+")")
	if err != nil {
		return explain(err)
	}
	defer rows.Close()
	for rows.Next() {
		var path, parent string
		if err := rows.Scan(&path, &parent); err != nil {
			return explain(err)
		}
		var p, q id
		copy(p[:], path)
		copy(q[:], parent)
		d.parents[p] = q
	}
	return explain(rows.Err())
}

// build puts statistics into a snapshot, in its order.
func (d *dictionary) build(to *core.Snapshot, stats []pathStats) error {
	blocks := make(map[id]int)
	var nodes []*pathStats
	for i := range stats {
		p := &stats[i]
		if p.path != (id{}) {
			nodes = append(nodes, p)
			continue
		}
		site, ok := d.sites[p.site]
		if !ok {
			return fmt.Errorf("%w: otelprof_sites lacks a site", store.ErrDamaged)
		}
		to.Blocks = append(to.Blocks, core.Block{Site: site, Stats: p.stats, Pending: p.pending})
	}
	slices.SortFunc(to.Blocks, func(a, b core.Block) int { return a.Site.Compare(b.Site) })
	for i := range to.Blocks {
		blocks[siteID(&to.Blocks[i].Site)] = i
	}
	return d.buildTree(to, blocks, nodes)
}

// buildTree puts the nodes in depth-first order.
func (d *dictionary) buildTree(to *core.Snapshot, blocks map[id]int, nodes []*pathStats) error {
	children := make(map[id][]*pathStats, len(nodes))
	for _, n := range nodes {
		parent, ok := d.parents[n.path]
		if _, known := blocks[n.site]; !ok || !known {
			return fmt.Errorf("%w: otelprof_paths or otelprof_profile lacks a path", store.ErrDamaged)
		}
		children[parent] = append(children[parent], n)
	}
	// Blocks are in the order of their sites.
	for _, siblings := range children {
		slices.SortFunc(siblings, func(a, b *pathStats) int { return cmp.Compare(blocks[a.site], blocks[b.site]) })
	}
	to.Nodes = make([]core.Node, 0, len(nodes))
	passed := 0
	// add reports whether spans have left paths below the one. A path that nobody has left leads nowhere if those that it led
	// to are gone.
	var add func(parent int, path id) (left bool)
	add = func(parent int, path id) (left bool) {
		for _, n := range children[path] {
			passed++
			at := len(to.Nodes)
			to.Nodes = append(to.Nodes, core.Node{Parent: parent, Block: blocks[n.site], Stats: n.stats})
			gone := add(at, n.path) || n.left
			if gone && n.stats.Count == 0 && len(to.Nodes) == at+1 {
				to.Nodes, left = to.Nodes[:at], true
			}
		}
		return left
	}
	add(-1, id{})
	if passed != len(nodes) {
		return fmt.Errorf("%w: %d of %d paths have no way to a root", store.ErrDamaged, len(nodes)-passed, len(nodes))
	}
	return nil
}
