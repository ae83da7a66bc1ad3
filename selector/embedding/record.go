package embedding

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
	"math"
)

// A file is a run of records, each of them
//
//	"mfv1", key [32], dimensions uint32, CRC-32C of these 40 bytes, that many float32, CRC-32C of key and floats
//
// with all numbers little-endian. A header has a checksum of its own, so that a record whose floats are damaged can be
// stepped over.
const (
	recordMagic  = "mfv1"
	headerSize   = len(recordMagic) + len(key{}) + 4 + 4
	checksumSize = 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func recordSize(dims int) int64 { return int64(headerSize + 4*dims + checksumSize) }

func appendRecord(b []byte, k key, v []float32) []byte {
	start := len(b)
	b = append(b, recordMagic...)
	b = append(b, k[:]...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(v)))
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
	floats := len(b)
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return binary.LittleEndian.AppendUint32(b, checksum(k, b[floats:]))
}

func checksum(k key, floats []byte) uint32 {
	return crc32.Update(crc32.Checksum(k[:], castagnoli), castagnoli, floats)
}

// scanRecords calls found for each record of the first size bytes of r from offset on, and returns where it stopped: at size, or
// before a record that is damaged or not written to its end. It does not look at the floats.
func scanRecords(r io.ReaderAt, offset, size int64, found func(k key, offset int64, dims int)) (next int64) {
	var header [headerSize]byte
	for offset+recordSize(1) <= size {
		if _, err := r.ReadAt(header[:], offset); err != nil {
			break
		}
		k, dims, ok := parseHeader(header[:])
		if !ok || offset+recordSize(dims) > size {
			break
		}
		found(k, offset, dims)
		offset += recordSize(dims)
	}
	return offset
}

func parseHeader(b []byte) (k key, dims int, ok bool) {
	end := headerSize - checksumSize
	n := binary.LittleEndian.Uint32(b[end-4:])
	if !bytes.HasPrefix(b, []byte(recordMagic)) || n == 0 || n > maxDimensions ||
		binary.LittleEndian.Uint32(b[end:]) != crc32.Checksum(b[:end], castagnoli) {
		return key{}, 0, false
	}
	return key(b[len(recordMagic):]), int(n), true
}

// readVector returns the vector of the record at offset, if it is that of k and undamaged.
func readVector(r io.ReaderAt, offset int64, k key, dims int) ([]float32, bool) {
	b := make([]byte, recordSize(dims))
	if _, err := r.ReadAt(b, offset); err != nil && err != io.EOF {
		return nil, false
	}
	if got, n, ok := parseHeader(b); !ok || got != k || n != dims {
		return nil, false
	}
	floats := b[headerSize : len(b)-checksumSize]
	if binary.LittleEndian.Uint32(b[len(b)-checksumSize:]) != checksum(k, floats) {
		return nil, false
	}
	v := make([]float32, dims)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(floats[4*i:]))
	}
	return v, true
}
