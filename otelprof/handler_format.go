package otelprof

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/stichotrope/stichotrope-go/core"
	"github.com/stichotrope/stichotrope-go/report"
)

// binaryType is the content type of what is to be saved, not shown.
const binaryType = "application/octet-stream"

// indexFormat is the format of the index.
const indexFormat = "html"

// servedFormats returns what the handler serves: all reports and the snapshot they are made from.
func servedFormats() []report.Format {
	return append(report.Formats(), report.Format{
		Name:        "snapshot",
		Description: "everything in binary form, to merge and compare",
		ContentType: binaryType,
		Extension:   ".otelprof",
		Write:       writeSnapshot,
	})
}

func writeSnapshot(w io.Writer, s *core.Snapshot) error {
	b, err := s.MarshalBinary()
	if err != nil {
		return fmt.Errorf("encode snapshot: %w", err)
	}
	if _, err := w.Write(b); err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	return nil
}

// findFormat returns the format of a page; the index is "".
func findFormat(page string) (report.Format, error) {
	if page == "" {
		page = indexFormat
	}
	formats := servedFormats()
	names := make([]string, len(formats))
	for i, f := range formats {
		if f.Name == page {
			return f, nil
		}
		names[i] = f.Name
	}
	text := "there is no page " + quote(page) + ", only the index and " + strings.Join(names, ", ")
	return report.Format{}, &httpError{http.StatusNotFound, text}
}

// links returns what the HTML report links to. They keep the choice of tracks.
func (h *handler) links(tracks []string) []report.Link {
	query := url.Values{}
	if len(tracks) > 0 {
		query["track"] = tracks
	}
	link := func(name, page, key, value string) report.Link {
		address := url.URL{Path: page}
		if key != "" {
			query.Set(key, value)
			defer query.Del(key)
		}
		address.RawQuery = query.Encode()
		return report.Link{Name: name, URL: address.String()}
	}
	links := []report.Link{
		link("live", indexFormat, "refresh", "5"),
		link("next 10 s", indexFormat, "seconds", "10"),
	}
	for _, f := range servedFormats() {
		links = append(links, link(f.Name, f.Name, "", ""))
	}
	if h.controls {
		links = append(links, report.Link{Name: controlsPage, URL: controlsPage})
	}
	return links
}
