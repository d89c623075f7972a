package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/report"
)

// writeFiles writes the profile to a folder in all formats that there are, and lists the files.
func writeFiles(dir string, s *core.Snapshot, list io.Writer) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("writing the profile: %w", err)
	}
	fmt.Fprintf(list, "\nwrote to %s/\n", dir)
	for _, format := range report.Formats() {
		name := "profile" + format.Extension
		if err := writeFile(filepath.Join(dir, name), s, format); err != nil {
			return fmt.Errorf("writing the profile: %w", err)
		}
		fmt.Fprintf(list, "  %-26s %s\n", name, format.Description)
	}
	snapshot, err := s.MarshalBinary()
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, snapshotFile), snapshot, 0o644)
	}
	if err != nil {
		return fmt.Errorf("writing the profile: %w", err)
	}
	fmt.Fprintf(list, "  %-26s %s\n", snapshotFile, "the snapshot itself, to merge, subtract and compare")
	return nil
}

// snapshotFile holds the snapshot as core.Decode reads it.
const snapshotFile = "profile.otelprof"

func writeFile(name string, s *core.Snapshot, format report.Format) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	return errors.Join(format.Write(w, s), w.Flush(), f.Close())
}
