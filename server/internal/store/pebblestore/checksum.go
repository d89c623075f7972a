package pebblestore

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/stichotrope/stichotrope-go/server/internal/store"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// withChecksum appends the CRC-32C of b to it.
func withChecksum(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// checked returns b without its checksum, if that is right.
func checked(b []byte) ([]byte, error) {
	n := len(b) - 4
	if n < 0 || crc32.Checksum(b[:n], castagnoli) != binary.LittleEndian.Uint32(b[n:]) {
		return nil, fmt.Errorf("%w: wrong checksum", store.ErrDamaged)
	}
	return b[:n], nil
}
