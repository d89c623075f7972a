package receiver

import (
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/stichotrope/stichotrope-go/server/internal/otlp"
)

const (
	typeProto = "application/x-protobuf"
	typeJSON  = "application/json"
)

func (r *Receiver) serveHTTP(w http.ResponseWriter, req *http.Request) {
	content, err := contentType(req)
	s := r.byPath(req.URL.Path)
	switch {
	case s == nil:
		r.refuse(w, content, r.failure(fmt.Errorf("%w: nothing is received at %q; traces are at /v1/traces", errUnsupported, req.URL.Path)), http.StatusNotFound)
		return
	case req.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		r.refuse(w, content, r.failure(fmt.Errorf("%w: the method %s; OTLP is sent with POST", errUnsupported, req.Method)), http.StatusMethodNotAllowed)
		return
	case err != nil:
		r.refuse(w, content, r.failure(err), 0)
		return
	}
	l := r.lease()
	defer l.free()
	request, err := r.body(l, req, s, content)
	if err != nil {
		r.refuse(w, content, r.failure(err), 0)
		return
	}
	result, failed := r.ingest(req.Context(), s, request)
	if failed != nil {
		r.refuse(w, content, failed, 0)
		return
	}
	body := otlp.AppendResponse(nil, result)
	if content == typeJSON {
		body = otlp.AppendResponseJSON(nil, result, s.rejected)
	}
	answer(w, http.StatusOK, content, body)
}

func (r *Receiver) byPath(path string) *signal {
	for _, s := range r.signals {
		if s.path == path {
			return s
		}
	}
	return nil
}

// contentType returns the type in which the request is, and the response shall be.
func contentType(req *http.Request) (string, error) {
	content, params, err := mime.ParseMediaType(req.Header.Get("Content-Type"))
	charset := params["charset"]
	switch {
	case err == nil && content == typeProto:
		return typeProto, nil
	case err == nil && content == typeJSON && (charset == "" || strings.EqualFold(charset, "utf-8")):
		return typeJSON, nil
	}
	return typeJSON, fmt.Errorf("%w: the content type %q; %s and %s are supported", errUnsupported, req.Header.Get("Content-Type"), typeProto, typeJSON)
}

// body returns the request in protobuf.
func (r *Receiver) body(l *lease, req *http.Request, s *signal, content string) ([]byte, error) {
	encoding := strings.ToLower(strings.TrimSpace(strings.Join(req.Header.Values("Content-Encoding"), ",")))
	packed := encoding != "" && encoding != "identity"
	if packed && encoding != "gzip" && encoding != "zstd" {
		return nil, fmt.Errorf("%w: the encoding %q; gzip and zstd are supported", errUnsupported, encoding)
	}
	data, err := l.receive(req.Body, req.ContentLength, r.limits.RequestBytes)
	if err == nil && packed {
		data, err = r.unpack(req.Context(), l, data, encoding)
	}
	if err == nil && content == typeJSON {
		data, err = r.fromJSON(req.Context(), l, data, s)
	}
	return data, err
}

// refuse tells the client that its request was not taken; with the status, if it is not 0, instead of the failure's own.
func (r *Receiver) refuse(w http.ResponseWriter, content string, f *failure, status int) {
	if status == 0 {
		status = f.http
	}
	switch {
	case f.retry:
		w.Header().Set("Retry-After", strconv.FormatInt(seconds(r.limits.RetryAfter), 10))
	case status == http.StatusUnsupportedMediaType:
		w.Header().Set("Accept-Encoding", "gzip, zstd")
	}
	body, err := proto.Marshal(r.status(f))
	if content == typeJSON {
		body, err = protojson.Marshal(r.status(f))
	}
	if err != nil {
		r.log.Error("cannot write a status", "error", err)
	}
	answer(w, status, content, body)
}

func answer(w http.ResponseWriter, status int, content string, body []byte) {
	w.Header().Set("Content-Type", content)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	// What goes wrong now is the client's connection, and net/http closes it.
	_, _ = w.Write(body)
}
