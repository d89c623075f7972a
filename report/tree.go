package report

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"

	"github.com/stichotrope/stichotrope-go/core"
)

// TreeOptions are the options of [Tree].
type TreeOptions struct {
	// Sort is the order of the children of one parent, SortTotal by default.
	Sort SortKey
	// MinShare folds every node whose self time, with that of everything below it, is less than this share of all
	// self time; 0 shows all, 1 is the most.
	MinShare float64
	// MaxDepth is how many levels to show, of which the roots are the first. 0 and less show all.
	MaxDepth int
	// Width is the largest number of terminal columns for a name, track or location, as in [TableOptions].
	Width int
	// LineWidth is the width of the terminal, at which the names are cut; 0 and less mean no limit.
	LineWidth int
	// Color marks titles, errors and warnings by ANSI colours. See [IsColorTerminal].
	Color bool
}

// Tree writes the call tree for a terminal: a row per node, with the statistics of its site when reached by this
// path. A node whose site is among its own ancestors is marked as a recursion with its level.
//
// What the options fold away stays visible as one row "(N more)" under the parent. Its calls, errors and total are
// those of the N nodes folded there; its self time is that of everything below them too, so that the column of
// self times still adds up. Names are escaped as in [Table].
func Tree(w io.Writer, s *core.Snapshot, o TreeOptions) error {
	key, err := o.Sort.or(SortTotal)
	if err != nil {
		return fmt.Errorf("tree: %w", err)
	}
	if !(o.MinShare >= 0 && o.MinShare <= 1) {
		return fmt.Errorf("tree: minimum share %v is not between 0 and 1", o.MinShare)
	}
	bw := bufio.NewWriter(w)
	writeHeader(bw, s, o.Color)
	if v := newTreeView(s, key, o); len(v.calls) == 0 {
		bw.WriteString("nothing recorded\n")
	} else {
		v.grid().clipLast(o.LineWidth).write(bw, o.Color)
	}
	if err := bw.Flush(); err != nil {
		return fmt.Errorf("write tree: %w", err)
	}
	return nil
}

// treeView is a call tree with what it takes to decide what to show of it.
type treeView struct {
	snapshot *core.Snapshot
	options  TreeOptions
	key      SortKey
	calls    []call
	// children are the indexes of the children of each call; the last element are the roots.
	children [][]int
	// below are the self time and the number of calls of each call's subtree, itself included.
	below []subtree
	self  float64
}

type subtree struct {
	self  uint64
	calls int
}

func (t *subtree) add(o subtree) {
	t.calls += o.calls
	t.self += o.self
	if t.self < o.self {
		t.self = math.MaxUint64
	}
}

func newTreeView(s *core.Snapshot, key SortKey, o TreeOptions) *treeView {
	v := &treeView{snapshot: s, options: o, key: key, calls: callTree(s), self: totalSelf(s)}
	v.children = make([][]int, len(v.calls)+1)
	v.below = make([]subtree, len(v.calls))
	for i, c := range v.calls {
		siblings := &v.children[v.list(c.parent)]
		*siblings = append(*siblings, i)
	}
	for i := len(v.calls) - 1; i >= 0; i-- {
		v.below[i].add(subtree{self: v.calls[i].stats.Self, calls: 1})
		if p := v.calls[i].parent; p >= 0 {
			v.below[p].add(v.below[i])
		}
	}
	return v
}

// list returns the index in v.children of the children of call i, or of the roots if i is -1.
func (v *treeView) list(i int) int {
	if i < 0 {
		return len(v.calls)
	}
	return i
}

// treeRow is a row to be written: a call, or the calls that are folded into one.
type treeRow struct {
	call   int
	folded []int
	// guides lead to the row, indent to the rows below it.
	guides, indent string
}

// grid walks the tree depth-first, by a stack of its own: a call tree may be deeper than is good for recursion.
func (v *treeView) grid() *grid {
	figures := []figure{totalFigure(), selfFigure(), shareFigure(v.self)}
	if extrasOf(v.snapshot).critical {
		figures = append(figures, criticalFigure())
	}
	figures = append(figures, callsFigure(), errorsFigure(), quantileFigure("p99", 0.99))
	g := &grid{}
	for _, f := range figures {
		g.columns = append(g.columns, column{title: f.title})
	}
	g.columns = append(g.columns, column{"call tree", true})
	stack := v.rowsBelow(treeRow{call: -1})
	for len(stack) > 0 {
		row := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if row.folded != nil {
			stats, label := v.fold(row.folded)
			label.text = row.guides + label.text
			g.rows = append(g.rows, append(figureCells(figures, stats), label))
			continue
		}
		label := v.label(row.call)
		label.text = row.guides + label.text
		g.rows = append(g.rows, append(figureCells(figures, v.calls[row.call].stats), label))
		stack = append(stack, v.rowsBelow(row)...)
	}
	return g
}

// rowsBelow returns the rows for the children of a row, the last one first.
func (v *treeView) rowsBelow(parent treeRow) []treeRow {
	children := v.children[v.list(parent.call)]
	var rows []treeRow
	var folded []int
	for _, k := range v.key.order(len(children), func(k int) *core.Stats { return v.calls[children[k]].stats }) {
		if i := children[k]; v.hidden(i) {
			folded = append(folded, i)
		} else {
			rows = append(rows, treeRow{call: i})
		}
	}
	if folded != nil {
		rows = append(rows, treeRow{folded: folded})
	}
	for i := range rows {
		switch {
		case parent.call < 0:
		case i == len(rows)-1:
			rows[i].guides, rows[i].indent = parent.indent+"└─ ", parent.indent+"   "
		default:
			rows[i].guides, rows[i].indent = parent.indent+"├─ ", parent.indent+"│  "
		}
	}
	slices.Reverse(rows)
	return rows
}

func (v *treeView) hidden(i int) bool {
	if v.options.MaxDepth > 0 && v.calls[i].depth >= v.options.MaxDepth {
		return true
	}
	return float64(v.below[i].self) < v.options.MinShare*v.self
}

// fold returns what the row "(N more)" shows; see Tree.
func (v *treeView) fold(calls []int) (*core.Stats, cell) {
	var sum core.Stats
	var all subtree
	for _, i := range calls {
		sum = sum.Merge(*v.calls[i].stats)
		all.add(v.below[i])
	}
	sum.Self = all.self
	label := moreCell(len(calls))
	if all.calls > len(calls) {
		label.note = " and " + strconv.Itoa(all.calls-len(calls)) + " below"
	}
	return &sum, label
}

// label returns the name of a call, with its kind as in the table: siblings may differ in nothing else. Service and track
// are noted where they differ from those of the parent.
func (v *treeView) label(i int) cell {
	c := v.calls[i]
	if c.block < 0 {
		return cell{text: pendingName, note: "  " + v.reasonForPending()}
	}
	site := v.snapshot.Blocks[c.block].Site
	width := v.options.Width
	label := nameCell(site, width)
	if level := v.recursion(i); level > 1 {
		label.text += " (recursion, level " + strconv.Itoa(level) + ")"
	}
	if above := v.site(c.parent); site.Service != above.Service || site.Track != above.Track {
		if track := trackName(site.Service, site.Track); track != "" {
			label.note += "  [" + clipFront(visible(track), cmp.Or(width, defaultTrackWidth)) + "]"
		}
	}
	if location := locationCell(site, width).text; location != "" {
		label.note += "  " + location
	}
	return label
}

// reasonForPending tells why there is a root for what is pending. Nodes are proof that a call tree is kept.
func (v *treeView) reasonForPending() string {
	if len(v.snapshot.Nodes) == 0 {
		return "no call tree is kept, or a span around all of these is still open"
	}
	return "a span around these is still open"
}

// site returns the site of call i, the zero Site if it has none or i is -1.
func (v *treeView) site(i int) core.Site {
	if i < 0 || v.calls[i].block < 0 {
		return core.Site{}
	}
	return v.snapshot.Blocks[v.calls[i].block].Site
}

// recursion returns how often the site of call i is on the path from the root to it.
func (v *treeView) recursion(i int) int {
	level := 0
	for p := i; p >= 0; p = v.calls[p].parent {
		if v.calls[p].block == v.calls[i].block {
			level++
		}
	}
	return level
}
