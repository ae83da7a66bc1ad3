package mcptest

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"sync"
)

const mebibyte = 1 << 20

// filler is a mebibyte of text, so that a server can send any amount without holding it.
var filler = sync.OnceValue(func() []byte { return bytes.Repeat([]byte("x"), mebibyte) })

// zippedFiller is filler as one gzip member. RFC 1952 section 2.2 lets a stream be a series of members.
var zippedFiller = sync.OnceValue(func() []byte { return zip(filler()) })

func zip(data []byte) []byte {
	var buf bytes.Buffer
	z, _ := gzip.NewWriterLevel(&buf, gzip.BestCompression) // the level is valid
	_, _ = z.Write(data)                                    // a bytes.Buffer takes everything
	_ = z.Close()
	return buf.Bytes()
}

// fill writes n bytes of filler, or fewer if the client leaves.
func fill(w io.Writer, n int) error {
	for n > 0 {
		k := min(n, mebibyte)
		if _, err := w.Write(filler()[:k]); err != nil {
			return err
		}
		n -= k
	}
	return nil
}

// aroundText returns what stands before and after the text of a tools/call result.
func (s *Raw) aroundText(hit Hit) (head, tail string) {
	head, tail, _ = strings.Cut(string(s.result(hit.ID, Text("\x00")).Body), `\u0000`)
	return head, tail
}

// BigResult answers with a correct result whose text has n bytes.
func BigResult(n int) Fault {
	return func(s *Raw, w http.ResponseWriter, _ *http.Request, hit Hit) bool {
		head, tail := s.aroundText(hit)
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, head)
		if fill(w, n) == nil {
			io.WriteString(w, tail)
		}
		return true
	}
}

// GzipBomb answers like [BigResult], gzipped to about a thousandth, whatever the request's Accept-Encoding says.
func GzipBomb(n int) Fault {
	return func(s *Raw, w http.ResponseWriter, _ *http.Request, hit Hit) bool {
		head, tail := s.aroundText(hit)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		w.Write(zip([]byte(head)))
		for range n / mebibyte {
			if _, err := w.Write(zippedFiller()); err != nil {
				return true
			}
		}
		w.Write(zip(filler()[:n%mebibyte]))
		w.Write(zip([]byte(tail)))
		return true
	}
}

// BigEvent answers with a correct result, whose text has n bytes, as one server-sent event.
func BigEvent(n int) Fault {
	return func(s *Raw, w http.ResponseWriter, _ *http.Request, hit Hit) bool {
		head, tail := s.aroundText(hit)
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, "event: message\ndata: "+head)
		if fill(w, n) == nil {
			io.WriteString(w, tail+"\n\n")
		}
		return true
	}
}

// BigError answers with an error status and a plain text of n bytes.
func BigError(status, n int) Fault {
	return func(_ *Raw, w http.ResponseWriter, _ *http.Request, _ Hit) bool {
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(status)
		_ = fill(w, n) // the client may well leave
		return true
	}
}

// DeepJSON answers with a result that nests arrays depth levels deep.
func DeepJSON(depth int) Fault {
	return func(s *Raw, w http.ResponseWriter, _ *http.Request, hit Hit) bool {
		result := Text("deep")
		result["structuredContent"] = "\x00"
		head, tail, _ := strings.Cut(string(s.result(hit.ID, result).Body), `"\u0000"`)
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, head+`{"deep":`+strings.Repeat("[", depth)+strings.Repeat("]", depth)+"}"+tail)
		return true
	}
}
