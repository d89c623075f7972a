package query

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// BlockID names the block of a site in URLs: 16 hexadecimal digits that depend on nothing but the site.
func BlockID(s core.Site) string {
	h := sha256.New()
	for _, text := range []string{s.Service, s.Track, s.Name, s.Kind.String(), s.Function, s.File, strconv.Itoa(s.Line)} {
		h.Write(strconv.AppendInt(nil, int64(len(text)), 10))
		h.Write([]byte{':'})
		h.Write([]byte(text))
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// BlocksQuery asks for blocks.
type BlocksQuery struct {
	Within store.Range
	// Service and Track select sites; empty for all.
	Service, Track string
	Filter         Filter
	// Sort is the figure to sort by, the largest first, or name, service or track, ascending; self when empty. Reverse turns
	// the order round.
	Sort    string
	Reverse bool
	// Limit is how many to return at most, after the first Offset; 0 is no limit.
	Limit, Offset int
	// Points is into how many periods the trend of each block is divided; 0 leaves it out.
	Points int
}

// Blocks are the answer to a BlocksQuery.
type Blocks struct {
	// Profile is what the blocks are from: the service's sites, before the filter.
	Profile *core.Snapshot
	// Blocks are those selected, in order.
	Blocks []*core.Block
	// Matched is how many there are without Limit and Offset, Sum their merged statistics.
	Matched int
	Sum     core.Stats
	// Trend is nil, or has the history of Blocks.
	Trend *Trend
}

// Blocks returns the blocks of a period.
func (e *Engine) Blocks(ctx context.Context, q BlocksQuery) (*Blocks, error) {
	less, err := q.order()
	if err != nil {
		return nil, err
	}
	p, err := e.Profile(ctx, q.Within, Service(q.Service))
	if err != nil {
		return nil, err
	}
	out := &Blocks{Profile: p}
	seconds := p.Window().Seconds()
	for i := range p.Blocks {
		b := &p.Blocks[i]
		if (q.Track == "" || b.Site.Track == q.Track) && q.Filter.Match(b.Site, &b.Stats, seconds) {
			out.Blocks = append(out.Blocks, b)
			out.Sum = out.Sum.Merge(b.Stats)
		}
	}
	out.Matched = len(out.Blocks)
	less(out.Blocks, seconds)
	out.Blocks = out.Blocks[min(q.Offset, len(out.Blocks)):]
	if q.Limit > 0 {
		out.Blocks = out.Blocks[:min(q.Limit, len(out.Blocks))]
	}
	if q.Points > 0 {
		out.Trend, err = e.trend(ctx, q.Within, q.Points, out.Blocks)
	}
	return out, err
}

// siteOrders are the texts to sort by.
var siteOrders = map[string]func(core.Site) string{"name": texts["name"], "service": texts["service"], "track": texts["track"]}

// order returns what puts blocks, given in ascending order of site, in the order asked for.
func (q BlocksQuery) order() (func(blocks []*core.Block, seconds float64), error) {
	by := cmp.Or(q.Sort, "self")
	if text, ok := siteOrders[by]; ok {
		return func(blocks []*core.Block, _ float64) {
			slices.SortStableFunc(blocks, func(a, b *core.Block) int { return cmp.Compare(text(a.Site), text(b.Site)) })
			if q.Reverse {
				slices.Reverse(blocks)
			}
		}, nil
	}
	f, ok := figures[by]
	if !ok {
		return nil, Invalidf("sort by name, service, track, "+figureNames(), "cannot sort by %s", quote(by))
	}
	return func(blocks []*core.Block, seconds float64) {
		values := make(map[*core.Block]float64, len(blocks)) // a quantile is dear
		for _, b := range blocks {
			values[b] = f.value(&b.Stats, seconds)
		}
		slices.SortStableFunc(blocks, func(a, b *core.Block) int {
			if q.Reverse {
				a, b = b, a
			}
			return cmp.Compare(values[b], values[a])
		})
	}, nil
}

// Block is one block with its surroundings.
type Block struct {
	Profile *core.Snapshot
	Block   *core.Block
	// Callers and Callees are the blocks right above and right below it in the call tree, those with the largest total
	// first. A caller's statistics are those of the block's calls from there; a callee's are its own.
	Callers, Callees []Neighbour
}

// Neighbour is a block next to another one in the call tree. Site is nil for calls that have no caller.
type Neighbour struct {
	Site  *core.Site
	Stats core.Stats
}

// Block returns a block of a period by its BlockID.
func (e *Engine) Block(ctx context.Context, within store.Range, id string) (*Block, error) {
	p, err := e.Profile(ctx, within, nil)
	if err != nil {
		return nil, err
	}
	at := find(p, id)
	if at < 0 {
		return nil, blockNotFound(id)
	}
	callers, callees := map[int]core.Stats{}, map[int]core.Stats{}
	for i := range p.Nodes {
		n := &p.Nodes[i]
		above := -1
		if n.Parent >= 0 {
			above = p.Nodes[n.Parent].Block
		}
		if n.Block == at {
			callers[above] = callers[above].Merge(n.Stats)
		}
		if above == at {
			callees[n.Block] = callees[n.Block].Merge(n.Stats)
		}
	}
	return &Block{Profile: p, Block: &p.Blocks[at], Callers: neighbours(p, callers), Callees: neighbours(p, callees)}, nil
}

// site returns the site of a BlockID.
func (e *Engine) site(ctx context.Context, within store.Range, id string) (core.Site, error) {
	p, err := e.Profile(ctx, within, nil)
	if err != nil {
		return core.Site{}, err
	}
	if at := find(p, id); at >= 0 {
		return p.Blocks[at].Site, nil
	}
	return core.Site{}, blockNotFound(id)
}

func find(p *core.Snapshot, id string) int {
	return slices.IndexFunc(p.Blocks, func(b core.Block) bool { return BlockID(b.Site) == id })
}

func blockNotFound(id string) *Error {
	return NotFoundf("take the id from the list of blocks of the same period, or ask about a longer one",
		"there is no block %s in this period", quote(id))
}

func neighbours(p *core.Snapshot, stats map[int]core.Stats) []Neighbour {
	blocks := make([]int, 0, len(stats))
	for b := range stats {
		blocks = append(blocks, b)
	}
	slices.SortFunc(blocks, func(a, b int) int { return cmp.Or(cmp.Compare(stats[b].Total, stats[a].Total), cmp.Compare(a, b)) })
	out := make([]Neighbour, len(blocks))
	for i, b := range blocks {
		out[i].Stats = stats[b]
		if b >= 0 {
			out[i].Site = &p.Blocks[b].Site
		}
	}
	return out
}
