package pebblestore

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// logNumbers returns the numbers of Pebble's write-ahead logs, ascending.
func logNumbers(fs vfs.FS, dir string) (numbers []uint64, err error) {
	names, err := fs.List(dir)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		base, ok := strings.CutSuffix(name, ".log")
		if number, err := strconv.ParseUint(base, 10, 64); ok && err == nil {
			numbers = append(numbers, number)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

func logPath(fs vfs.FS, dir string, number uint64) string {
	return fs.PathJoin(dir, fmt.Sprintf("%06d.log", number))
}

// removeLogs removes all write-ahead logs. Pebble keeps them to write over them; when it is closed, everything was flushed
// and nothing was written since, they only take room.
func removeLogs(fs vfs.FS, dir string) error {
	numbers, err := logNumbers(fs, dir)
	for _, number := range numbers {
		err = errors.Join(err, fs.Remove(logPath(fs, dir, number)))
	}
	return err
}

// cutLogs cuts off what cannot be read at the end of Pebble's write-ahead logs, and returns how many bytes that was. The
// damaged file is kept beside it, with the ending ".damaged".
func cutLogs(fs vfs.FS, dir string) (cut int64, err error) {
	numbers, err := logNumbers(fs, dir)
	for _, number := range numbers {
		n, err := cutLog(fs, logPath(fs, dir, number), number)
		cut += n
		if err != nil {
			return cut, err
		}
	}
	return cut, err
}

func cutLog(fs vfs.FS, path string, number uint64) (cut int64, err error) {
	good, size, err := readable(fs, path, number)
	if err != nil || good == size {
		return 0, err
	}
	if err := fs.Rename(path, path+".damaged"); err != nil {
		return 0, err
	}
	from, err := fs.Open(path + ".damaged")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	to, err := fs.Create(path, "pebble-wal")
	if err != nil {
		return 0, err
	}
	_, err = io.CopyN(to, from, good)
	return size - good, errors.Join(err, to.Sync(), to.Close())
}

// readable returns up to where the records of a log can be read, and its size.
func readable(fs vfs.FS, path string, number uint64) (good, size int64, err error) {
	f, err := fs.Open(path)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return 0, 0, err
	}
	r := newReader(record.NewReader, f, number)
	for {
		one, err := r.Next()
		if err == nil {
			_, err = io.Copy(io.Discard, one)
		}
		if errors.Is(err, io.EOF) {
			return info.Size(), info.Size(), nil
		}
		if err != nil {
			return good, info.Size(), nil
		}
		good = r.Offset()
	}
}

// newReader calls record.NewReader, whose second type has no public name.
func newReader[N ~uint64](call func(io.Reader, N) *record.Reader, r io.Reader, number uint64) *record.Reader {
	return call(r, N(number))
}
