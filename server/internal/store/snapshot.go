package store

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/stichotrope/stichotrope-go/core"
)

// Snapshots are profiles that somebody saved under a name.
type Snapshots interface {
	SaveSnapshot(ctx context.Context, name string, s *core.Snapshot) error
	// LoadSnapshot returns ErrNotFound if there is none.
	LoadSnapshot(ctx context.Context, name string) (*core.Snapshot, error)
	// ListSnapshots returns them in ascending order of name.
	ListSnapshots(ctx context.Context) ([]SavedSnapshot, error)
	DeleteSnapshot(ctx context.Context, name string) error
}

// SavedSnapshot describes a saved profile.
type SavedSnapshot struct {
	Name       string
	Saved      time.Time
	Start, End time.Time
	Spans      uint64
}

// Describe returns the description of a saved profile.
func Describe(name string, saved time.Time, s *core.Snapshot) SavedSnapshot {
	return SavedSnapshot{Name: name, Saved: saved, Start: s.Start, End: s.End, Spans: s.Counters.Spans}
}

// MaxSnapshotName is how long the name of a saved profile may be, in bytes.
const MaxSnapshotName = 256

// CheckSnapshotName returns an error if a profile cannot be saved under the name: it must be UTF-8, and neither empty nor
// longer than MaxSnapshotName.
func CheckSnapshotName(name string) error {
	switch {
	case name == "":
		return errors.New("a snapshot needs a name")
	case len(name) > MaxSnapshotName:
		return fmt.Errorf("the name of a snapshot has %d bytes, %d are allowed", len(name), MaxSnapshotName)
	case !utf8.ValidString(name):
		return errors.New("the name of a snapshot is not valid UTF-8")
	}
	return nil
}
