package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"
)

// static holds committed files; the bundler adds static/dist, which is not committed and may be missing.
//
//go:embed all:static
var embeddedFiles embed.FS

// scriptFile is the bundler's output. Without it the pages are complete but do not move by themselves.
const scriptFile = "dist/app.js"

// staticFile is a file with its hash, which is part of its address: what an address names never changes.
type staticFile struct {
	content     []byte
	contentType string
	hash        string
}

// staticFiles serves the embedded files below /static/. It is never changed once made.
type staticFiles struct {
	files map[string]staticFile
}

func newStaticFiles() (*staticFiles, error) {
	s := &staticFiles{files: map[string]staticFile{}}
	err := fs.WalkDir(embeddedFiles, "static", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasPrefix(entry.Name(), ".") {
			return err
		}
		content, err := embeddedFiles.ReadFile(name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(content)
		s.files[strings.TrimPrefix(name, "static/")] = staticFile{
			content:     content,
			contentType: contentType(name),
			hash:        hex.EncodeToString(sum[:8]),
		}
		return nil
	})
	return s, err
}

// contentType does not trust the machine's own list for what browsers are strict about.
func contentType(name string) string {
	switch ext := path.Ext(name); ext {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	default:
		return mime.TypeByExtension(ext)
	}
}

// has says whether there is such a file.
func (s *staticFiles) has(name string) bool {
	_, ok := s.files[name]
	return ok
}

// url returns the address of a file, or of nothing when there is no such file.
func (s *staticFiles) url(name string) string {
	return "/static/" + name + "?v=" + s.files[name].hash
}

// ServeHTTP serves a file. Under the address that [staticFiles.url] returns it may be kept for ever; under any other,
// such as that of an older version, it must be asked for again.
func (s *staticFiles) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return
	}
	file, ok := s.files[strings.TrimPrefix(r.URL.Path, "/static/")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("ETag", `"`+file.hash+`"`)
	h.Set("Cache-Control", "no-cache")
	if r.URL.Query().Get("v") == file.hash {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	if file.contentType != "" {
		h.Set("Content-Type", file.contentType)
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(file.content))
}

// HasScript says whether the program was built with the pages' script. Without it pages are whole, and show changes when
// they are loaded anew.
func (s *Server) HasScript() bool { return s.static.has(scriptFile) }
