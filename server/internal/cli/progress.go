package cli

import (
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress shows how far a long command is, on a terminal only.
type progress struct{ bar *progressbar.ProgressBar }

// newProgress shows the part of total, or for 0 just the number.
func newProgress(w io.Writer, total int, what string) *progress {
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return &progress{}
	}
	if total == 0 {
		total = -1
	}
	return &progress{progressbar.NewOptions64(int64(total),
		progressbar.OptionSetWriter(w), progressbar.OptionSetItsString(what), progressbar.OptionShowIts(), progressbar.OptionShowCount(),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish(), progressbar.OptionFullWidth(),
	)}
}

func (p *progress) set(n int) {
	if p.bar != nil {
		_ = p.bar.Set(n) // it fails where the terminal does
	}
}

func (p *progress) done() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}
