package report_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/stichotrope/stichotrope-go/report"
)

func TestIsColorTerminal(t *testing.T) {
	device, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	require.NoError(t, err)
	defer device.Close()
	info, err := device.Stat()
	require.NoError(t, err)
	if info.Mode()&os.ModeCharDevice == 0 {
		t.Skip("the null device is no character device here")
	}
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	require.NoError(t, err)
	defer file.Close()
	for _, c := range []struct {
		file          *os.File
		noColor, term string
		want          bool
	}{
		{device, "", "xterm", true},
		{device, "", "", true},
		{device, "1", "xterm", false},
		{device, "", "dumb", false},
		{file, "", "xterm", false},
		{nil, "", "xterm", false},
	} {
		t.Setenv("NO_COLOR", c.noColor)
		t.Setenv("TERM", c.term)
		require.Equal(t, c.want, report.IsColorTerminal(c.file), "%+v", c)
	}
}
