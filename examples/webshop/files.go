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

// snapshotFormat is the profile as core.Decode reads it, which report cannot know.
var snapshotFormat = report.Format{
	Extension: ".otelprof", Description: "the snapshot itself, to merge, subtract and compare",
	Write: func(w io.Writer, s *core.Snapshot) error {
		b, err := s.MarshalBinary()
		if err == nil {
			_, err = w.Write(b)
		}
		return err
	},
}

// makeFolder makes the folder for the files and proves that they can be written: better before a long run than after it.
func makeFolder(dir string) error {
	err := os.MkdirAll(dir, 0o755)
	if err == nil {
		err = writeFile(filepath.Join(dir, ".webshop"), func(io.Writer) error { return nil })
	}
	if err != nil {
		return fmt.Errorf("%w (--out chooses another folder)", err)
	}
	return os.Remove(filepath.Join(dir, ".webshop"))
}

// writeFiles writes the profile to a folder in all formats that there are, and lists the files.
func writeFiles(dir string, s *core.Snapshot, list io.Writer) error {
	fmt.Fprintf(list, "\nwrote to %s/\n", dir)
	for _, format := range append(report.Formats(), snapshotFormat) {
		name := "profile" + format.Extension
		err := writeFile(filepath.Join(dir, name), func(w io.Writer) error { return format.Write(w, s) })
		if err != nil {
			return fmt.Errorf("writing the profile: %w", err)
		}
		fmt.Fprintf(list, "  %-26s %s\n", name, format.Description)
	}
	return nil
}

// writeFile writes beside the file and then renames, so that an interruption leaves no half of a profile, nor takes away
// the one of the last run.
func writeFile(name string, write func(io.Writer) error) error {
	f, err := os.Create(name + ".part")
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	err = errors.Join(write(w), w.Flush(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
