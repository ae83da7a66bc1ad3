package mcphttp

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
)

func TestAnswersToNotificationsMayBeAnything(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"202":        func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(202) },
		"204":        func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(204) },
		"200, empty": func(w http.ResponseWriter, r *http.Request) {},
		"200, text":  func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("ok")) },
		"200, empty JSON": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
		},
		"200, null": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Write([]byte("null"))
		},
	} {
		c, url := serve(t, h, nil)
		for _, text := range []string{`{"jsonrpc":"2.0","method":"notifications/initialized"}`, `{"jsonrpc":"2.0","id":3,"result":{}}`} {
			if body, err, x := do(t.Context(), t, c, url, text); err != nil || body != "" || x.Err() != nil {
				t.Errorf("%s: %q, %v, recorded %v", name, body, err, x.Err())
			}
		}
	}
}

func TestFaultyNotificationsAreReported(t *testing.T) {
	c, url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(403) }), nil)
	_, err, _ := do(t.Context(), t, c, url, `{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	var status *HTTPError
	if !errors.As(err, &status) {
		t.Errorf("error %v, want an HTTPError", err)
	}
}

func TestAnswersArriveUnchanged(t *testing.T) {
	long := `{"jsonrpc":"2.0","id":7,"result":"` + strings.Repeat("x", 300_000) + `"}`
	for _, size := range []bool{true, false} {
		for _, zipped := range []bool{true, false} {
			c, url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "Application/JSON; charset=utf-8")
				var b bytes.Buffer
				if zipped {
					if r.Header.Get("Accept-Encoding") != "gzip" {
						t.Error("compression is not asked for")
					}
					w.Header().Set("Content-Encoding", "gzip")
					z := gzip.NewWriter(&b)
					io.WriteString(z, long)
					z.Close()
				} else {
					b.WriteString(long)
				}
				if size {
					w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
				}
				w.Write(b.Bytes())
			}), nil)
			if body, err, _ := do(t.Context(), t, c, url, call); err != nil || body != long {
				t.Errorf("size %v, zipped %v: %d bytes, %v", size, zipped, len(body), err)
			}
		}
	}
}

func TestLimitsHoldToTheByte(t *testing.T) {
	text := strings.Repeat("x", 5000)
	for _, size := range []int64{-1, 5000} {
		for name, wrap := range map[string]func(io.Reader) io.Reader{"whole": whole, "by bytes": iotest.OneByteReader, "with its end": iotest.DataErrReader} {
			b, err := readAll(wrap(strings.NewReader(text)), size, 5000)
			if err != nil || string(b) != text {
				t.Errorf("%s, size %d: at the limit: %d bytes, %v", name, size, len(b), err)
			}
			var tooLarge *TooLargeError
			if _, err := readAll(wrap(strings.NewReader(text)), size, 4999); !errors.As(err, &tooLarge) || tooLarge.Limit != 4999 {
				t.Errorf("%s, size %d: above the limit: %v", name, size, err)
			}
		}
	}
	if _, err := readAll(iotest.TimeoutReader(iotest.HalfReader(strings.NewReader(text))), -1, 5000); !errors.Is(err, iotest.ErrTimeout) {
		t.Errorf("a broken body: %v", err)
	}
}

func TestNewBodyMatchesItsHeader(t *testing.T) {
	resp, _ := respond(200, "application/json", "long body", "Content-Length", "9")
	resp.TransferEncoding = []string{"chunked"}
	setBody(resp, []byte("abc"))
	b, err := io.ReadAll(resp.Body)
	if err != nil || string(b) != "abc" || resp.ContentLength != 3 || resp.Header.Get("Content-Length") != "3" || resp.TransferEncoding != nil {
		t.Errorf("%q, %v, %+v", b, err, resp)
	}
}
