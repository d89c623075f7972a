package query

import (
	"context"
	"fmt"
	"regexp"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// snapshotName is what a saved snapshot may be called: it stands in paths and file names.
var snapshotName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

// Snapshots lists the saved snapshots in ascending order of name.
func (e *Engine) Snapshots(ctx context.Context) ([]store.SavedSnapshot, error) {
	list, err := e.store.ListSnapshots(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the snapshots: %w", err)
	}
	return list, nil
}

// Snapshot returns a saved snapshot.
func (e *Engine) Snapshot(ctx context.Context, name string) (*core.Snapshot, error) {
	s, err := e.store.LoadSnapshot(ctx, name)
	if err != nil {
		return nil, notFound(fmt.Errorf("load the snapshot %s: %w", quote(name), err), snapshotHint)
	}
	return s, nil
}

const snapshotHint = "list the snapshots to see which there are"

// SaveSnapshot saves a profile under a name, in place of what has the name.
func (e *Engine) SaveSnapshot(ctx context.Context, name string, s *core.Snapshot) error {
	if !snapshotName.MatchString(name) {
		return Invalidf("use 1 to 128 letters, digits, dots, dashes and underscores, a letter or a digit first",
			"%s cannot be the name of a snapshot", quote(name))
	}
	if err := e.store.SaveSnapshot(ctx, name, s); err != nil {
		return fmt.Errorf("save the snapshot %s: %w", quote(name), err)
	}
	return nil
}

// DeleteSnapshot deletes a saved snapshot.
func (e *Engine) DeleteSnapshot(ctx context.Context, name string) error {
	if err := e.store.DeleteSnapshot(ctx, name); err != nil {
		return notFound(fmt.Errorf("delete the snapshot %s: %w", quote(name), err), snapshotHint)
	}
	return nil
}

// Operand is one of two profiles to compare: the saved Snapshot, or if that is "", the period Within.
type Operand struct {
	Snapshot string
	Within   store.Range
}

func (e *Engine) operand(ctx context.Context, o Operand, keep func(core.Site) bool) (*core.Snapshot, error) {
	if o.Snapshot == "" {
		return e.Profile(ctx, o.Within, keep)
	}
	s, err := e.Snapshot(ctx, o.Snapshot)
	if err == nil && keep != nil {
		s = Select(s, keep)
	}
	return s, err
}

// Diff is how two profiles differ.
type Diff struct {
	Before, After *core.Snapshot
	*core.Comparison
	// Union has the nodes of both profiles, in the order of Snapshot.Nodes; Paths are the comparison's Nodes in this order,
	// nil for a node without observations.
	Union *core.Snapshot
	Paths []*core.Change
}

// Diff compares two profiles, of a service or of all for "".
func (e *Engine) Diff(ctx context.Context, before, after Operand, service string, o core.DiffOptions) (*Diff, error) {
	b, err := e.operand(ctx, before, Service(service))
	if err != nil {
		return nil, err
	}
	a, err := e.operand(ctx, after, Service(service))
	if err != nil {
		return nil, err
	}
	d := &Diff{Before: b, After: a, Comparison: core.Diff(b, a, o), Union: core.Merge(b, a)}
	d.place()
	return d, nil
}

// place finds the node of Union for every change of a path.
func (d *Diff) place() {
	block := make(map[core.Site]int, len(d.Union.Blocks))
	for i := range d.Union.Blocks {
		block[d.Union.Blocks[i].Site] = i
	}
	at := make(map[place]int, len(d.Union.Nodes))
	for i, n := range d.Union.Nodes {
		at[place{n.Parent, n.Block}] = i
	}
	d.Paths = make([]*core.Change, len(d.Union.Nodes))
	for i := range d.Nodes {
		c, node := &d.Nodes[i], -1
		for _, site := range c.Path {
			node = at[place{node, block[site]}]
		}
		d.Paths[node] = c
	}
}
