package pebblestore

import (
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// cutLogs cuts off what cannot be read at the end of Pebble's write-ahead logs, and returns how many bytes that was. The
// damaged file is kept beside it, with the ending ".damaged".
func cutLogs(fs vfs.FS, dir string) (cut int64, err error) {
	names, err := fs.List(dir)
	if err != nil {
		return 0, err
	}
	slices.Sort(names)
	for _, name := range names {
		base, ok := strings.CutSuffix(name, ".log")
		number, err := strconv.ParseUint(base, 10, 64)
		if !ok || err != nil {
			continue
		}
		n, err := cutLog(fs, fs.PathJoin(dir, name), number)
		cut += n
		if err != nil {
			return cut, err
		}
	}
	return cut, nil
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
