package memory

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/stichotrope/stichotrope-go/server/internal/store"
	"github.com/stichotrope/stichotrope-go/server/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSuite(t *testing.T) {
	storetest.Run(t, storetest.Engine{New: func(testing.TB) store.Store { return New(Options{}) }})
}

func TestFull(t *testing.T) {
	s := New(Options{MaxBytes: 10})
	seq, err := s.Append(context.Background(), []byte("12345678"))
	require.NoError(t, err)
	_, err = s.Append(context.Background(), []byte("123"))
	require.ErrorIs(t, err, store.ErrFull)
	require.NoError(t, s.Commit(context.Background(), &store.Segment{Consumed: []store.Consumed{{Seq: seq, All: true}}}))
	_, err = s.Append(context.Background(), []byte("123"))
	require.NoError(t, err)
}
