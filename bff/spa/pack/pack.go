package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/andybalholm/brotli"

	"cloakroom/static"
)

// Levels of brotli: the best, and one that takes a second.
const (
	levelBest = brotli.BestCompression
	levelFast = 5
)

func levelOf(fast bool) int {
	if fast {
		return levelFast
	}
	return levelBest
}

// pack writes file.br, file.gz and file.json, unless file.json says they were
// made from this very file at this level or a better one.
func pack(progress io.Writer, file string, level int) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("pack: read: %w", err)
	}
	sum := sha256.Sum256(content)
	build := static.Build{SHA256: hex.EncodeToString(sum[:]), Bytes: int64(len(content)), Level: level}
	if upToDate(file, build) {
		fmt.Fprintf(progress, "%s: up to date\n", file)
		return nil
	}
	fmt.Fprintf(progress, "%s: %.2f MB\n", file, megabytes(build.Bytes))

	start := time.Now()
	if build.Gzip, err = write(file+".gz", func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriterLevel(w, gzip.BestCompression) }, content); err != nil {
		return err
	}
	fmt.Fprintf(progress, "  gzip %d: %.2f MB in %v\n", gzip.BestCompression, megabytes(build.Gzip), time.Since(start).Round(10*time.Millisecond))

	fmt.Fprintf(progress, "  brotli %d: ...", level)
	start = time.Now()
	if build.Brotli, err = write(file+".br", func(w io.Writer) (io.WriteCloser, error) { return brotliWriter(w, level), nil }, content); err != nil {
		return err
	}
	fmt.Fprintf(progress, " %.2f MB in %v\n", megabytes(build.Brotli), time.Since(start).Round(10*time.Millisecond))

	note, err := json.MarshalIndent(build, "", "  ")
	if err != nil {
		return fmt.Errorf("pack: encode: %w", err)
	}
	return replace(file+".json", append(note, '\n')) // last: it vouches for the others
}

// brotliWriter uses the largest window every browser takes (RFC 7932 §9.1).
func brotliWriter(w io.Writer, level int) io.WriteCloser {
	return brotli.NewWriterOptions(w, brotli.WriterOptions{Quality: level, LGWin: 24})
}

// upToDate reports whether the files next to file are what pack would write.
func upToDate(file string, want static.Build) bool {
	note, err := os.ReadFile(file + ".json")
	if err != nil {
		return false
	}
	var have static.Build
	if json.Unmarshal(note, &have) != nil || have.SHA256 != want.SHA256 || have.Level < want.Level {
		return false
	}
	return size(file+".br") == have.Brotli && size(file+".gz") == have.Gzip
}

func size(file string) int64 {
	info, err := os.Stat(file)
	if err != nil {
		return -1
	}
	return info.Size()
}

// write compresses content into file and returns how long it became.
func write(file string, compress func(io.Writer) (io.WriteCloser, error), content []byte) (int64, error) {
	var packed bytes.Buffer
	w, err := compress(&packed)
	if err != nil {
		return 0, fmt.Errorf("pack: compress: %w", err)
	}
	if _, err := w.Write(content); err != nil {
		return 0, fmt.Errorf("pack: compress: %w", err)
	}
	if err := w.Close(); err != nil {
		return 0, fmt.Errorf("pack: compress: %w", err)
	}
	return int64(packed.Len()), replace(file, packed.Bytes())
}

// replace writes file in one step, so that a build interrupted half-way leaves
// the old one.
func replace(file string, content []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(file), ".pack-*")
	if err != nil {
		return fmt.Errorf("pack: write: %w", err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(content)
	if closed := tmp.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Chmod(tmp.Name(), 0o644)
	}
	if err == nil {
		err = os.Rename(tmp.Name(), file)
	}
	if err != nil {
		return fmt.Errorf("pack: write: %w", err)
	}
	return nil
}

func megabytes(n int64) float64 { return float64(n) / 1e6 }
