package otelproftest

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/stichotrope/stichotrope-go/core"
)

// maxRows is how many rows of the call tree a message shows.
const maxRows = 60

// treeRow is a node to be shown and what leads to it.
type treeRow struct {
	node           int
	guides, indent string
}

// callTree returns the call trees that contain a marked site, or all if none does. Each row has its calls and the average
// number of calls per call of its parent.
func callTree(s *core.Snapshot, marked func(core.Site) bool) string {
	children := make([][]int, len(s.Nodes))
	relevant := make([]bool, len(s.Nodes))
	var roots, all []int
	for i := len(s.Nodes) - 1; i >= 0; i-- { // children before their parents
		n := s.Nodes[i]
		relevant[i] = relevant[i] || marked(s.Site(n))
		if n.Parent >= 0 {
			children[n.Parent] = append(children[n.Parent], i)
			relevant[n.Parent] = relevant[n.Parent] || relevant[i]
			continue
		}
		all = append(all, i)
		if relevant[i] {
			roots = append(roots, i)
		}
	}
	if len(roots) == 0 {
		roots = all
	}
	if len(roots) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("\n      calls  per parent  call tree")
	stack := []treeRow{}
	for _, root := range roots { // the last one first, as are children
		stack = append(stack, treeRow{node: root})
	}
	for rows := 0; len(stack) > 0; rows++ {
		if rows == maxRows {
			b.WriteString("\n                         … and more")
			break
		}
		row := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		writeRow(&b, s, row, marked)
		for k, child := range children[row.node] {
			next := treeRow{child, row.indent + "├─ ", row.indent + "│  "}
			if k == 0 {
				next.guides, next.indent = row.indent+"└─ ", row.indent+"   "
			}
			stack = append(stack, next)
		}
	}
	return b.String()
}

func writeRow(b *strings.Builder, s *core.Snapshot, row treeRow, marked func(core.Site) bool) {
	n := s.Nodes[row.node]
	site := s.Site(n)
	perParent := ""
	if n.Parent >= 0 {
		if parents := s.Nodes[n.Parent].Stats.Count; parents > 0 {
			perParent = strconv.FormatFloat(float64(n.Stats.Count)/float64(parents), 'g', 4, 64)
		}
	}
	mark := "  "
	if marked(site) {
		mark = "> "
	}
	name := visible(site.Name)
	if name == "" {
		name = `""`
	}
	fmt.Fprintf(b, "\n    %s%5d  %10s  %s%s", mark, n.Stats.Count, perParent, row.guides, name)
	if site.Track != "" {
		fmt.Fprintf(b, "  [%s]", visible(site.Track))
	}
	if at := location(site); at != "" {
		b.WriteString("  " + at)
	}
}
