package pebblestore

import (
	"context"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

// Commit implements store.Store. Spans whose bytes are no Span message are refused, with the whole segment.
func (s *Store) Commit(ctx context.Context, g *store.Segment) error {
	if err := g.Validate(); err != nil {
		return err
	}
	if err := s.use(ctx); err != nil {
		return err
	}
	defer s.release()
	s.committing.Lock()
	defer s.committing.Unlock()
	// What is in the log already may use half of the reserve: it will take less room in a block.
	if err := s.room(-s.log.sizeOf(g.Consumed), s.options.ReserveBytes/2); err != nil {
		return err
	}
	batch := s.batch
	defer batch.Reset()
	blocks, err := s.writer.write(batch, s.blocks.next(), g)
	if err != nil {
		return err
	}
	parts, err := s.profiles.write(batch, g.Profiles)
	if err != nil {
		return err
	}
	if err := s.consume(batch, g.Consumed); err != nil {
		return fmt.Errorf("segment: %w", err)
	}
	if batch.Empty() {
		return nil
	}
	if err := s.write(func() error { return batch.Commit(pebble.Sync) }); err != nil {
		return fmt.Errorf("commit a segment: %w", err)
	}
	s.blocks.add(blocks)
	s.profiles.add(parts)
	for _, c := range g.Consumed {
		if c.All {
			s.log.remove(c.Seq)
		}
	}
	return nil
}
