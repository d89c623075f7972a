package exporter

import (
	"cmp"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/stichotrope/stichotrope-go/core"
)

// seriesKey identifies a series of a family from one collection to the next.
type seriesKey struct {
	// site is zero in the fields that the family leaves out.
	site core.Site
	// node is 0 for a block, else the id of the node's path.
	node uint64
}

// series is the statistics behind one point of every metric of a family.
type series struct {
	key seriesKey
	// parent is the id of a node's parent, 0 for a root. depth is 0 for blocks and roots.
	parent uint64
	depth  int
	stats  core.Stats
	// overflow: the point of everything that has none of its own.
	overflow bool
	attrs    attribute.Set
}

// blockSeries returns the blocks of a collection as series in ascending order of site, merged by what key leaves of
// the site.
func blockSeries(c *collection, key func(core.Site) core.Site) []series {
	all := make([]series, 0, len(c.window.Blocks))
	index := make(map[core.Site]int, len(c.window.Blocks))
	add := func(site core.Site, stats core.Stats) {
		overflow := site == core.OverflowSite
		if !overflow {
			site = key(validSite(site))
		}
		i, ok := index[site]
		if !ok {
			i = len(all)
			index[site] = i
			all = append(all, series{key: seriesKey{site: site}, overflow: overflow})
		}
		all[i].stats = all[i].stats.Merge(stats)
	}
	for i := range c.window.Blocks {
		add(c.window.Blocks[i].Site, c.window.Blocks[i].Stats)
	}
	for _, site := range c.fallenIdle {
		add(site, core.Stats{})
	}
	slices.SortFunc(all, func(a, b series) int { return a.key.site.Compare(b.key.site) })
	return all
}

// wholeSite is the key of families that show every site on its own.
func wholeSite(s core.Site) core.Site { return s }

// spanSite returns the key of families that know spans by service, name and kind. A site that names no service is of the
// one given; a block without a span counts as internal.
func spanSite(service string) func(core.Site) core.Site {
	return func(s core.Site) core.Site {
		if s.Kind > core.KindConsumer {
			s.Kind = core.KindInternal
		}
		return core.Site{Service: cmp.Or(s.Service, service), Name: s.Name, Kind: s.Kind}
	}
}

// validSite makes the texts of a site valid UTF-8, without which a whole request cannot be encoded.
func validSite(s core.Site) core.Site {
	for _, text := range []*string{&s.Service, &s.Track, &s.Name, &s.Function, &s.File} {
		*text = strings.ToValidUTF8(*text, "\uFFFD")
	}
	return s
}

// nodeSeries returns the nodes of a profile as series, in the order of the nodes.
func nodeSeries(s *core.Snapshot) []series {
	all := make([]series, len(s.Nodes))
	taken := make(map[uint64]bool, len(s.Nodes))
	for i, n := range s.Nodes {
		x := &all[i]
		*x = series{key: seriesKey{site: validSite(s.Site(n))}, stats: n.Stats}
		if n.Parent >= 0 {
			x.parent, x.depth = all[n.Parent].key.node, all[n.Parent].depth+1
		}
		id := pathID(x.parent, x.key.site)
		for id == 0 || taken[id] {
			id++
		}
		taken[id] = true
		x.key.node = id
	}
	return all
}

// pathID returns a number for a site below a path that is the same in every collection and process.
func pathID(parent uint64, s core.Site) uint64 {
	h := fnv.New64a()
	text := strconv.FormatUint(parent, 16)
	for _, part := range []string{s.Service, s.Track, s.Name, s.Kind.String(), s.Function, s.File, strconv.Itoa(s.Line)} {
		text += "\x00" + strconv.Itoa(len(part)) + "\x00" + part
	}
	h.Write([]byte(text))
	return h.Sum64()
}

// cardinality decides which series have a point of their own: those that come first, because a series that moved into
// the overflow would go down. It is not safe for concurrent use.
type cardinality struct {
	room  int
	known map[seriesKey]bool
}

func newCardinality(room int) *cardinality {
	return &cardinality{room: room, known: map[seriesKey]bool{}}
}

// limit returns all with the series that have no room merged into one at the end, if there are any. It keeps the
// order and may change all.
func (c *cardinality) limit(all []series) []series {
	var fresh []*series
	for i := range all {
		if x := &all[i]; !x.overflow && !c.known[x.key] {
			fresh = append(fresh, x)
		}
	}
	if len(fresh) > c.room {
		// A node without its parent would be in no tree.
		slices.SortStableFunc(fresh, func(a, b *series) int {
			return cmp.Or(cmp.Compare(a.depth, b.depth), cmp.Compare(b.stats.Total, a.stats.Total))
		})
		fresh = fresh[:c.room]
	}
	c.room -= len(fresh)
	for _, x := range fresh {
		c.known[x.key] = true
	}
	over := series{key: seriesKey{site: core.OverflowSite}, overflow: true}
	found := false
	kept := all[:0]
	for _, x := range all {
		if !x.overflow && c.known[x.key] {
			kept = append(kept, x)
			continue
		}
		found = true
		over.stats = over.stats.Merge(x.stats)
	}
	if found {
		kept = append(kept, over)
	}
	return kept
}
