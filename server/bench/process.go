package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

func build(ctx context.Context, folder string) (string, error) {
	binary := filepath.Join(folder, "otelprof")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", binary, "./server/cmd/otelprof")
	cmd.Stderr = os.Stderr
	return binary, cmd.Run()
}

// process is a running server, ours or another.
type process struct {
	cmd              *exec.Cmd
	grpc, http, page string   // addresses
	env              []string // beside that of this process
	log              bytes.Buffer
	started          time.Duration // from its start until it was ready
	ended            chan struct{}
	err              error // of the program, once ended is closed
}

// newProcess returns one that is to run on free ports.
func newProcess() (*process, error) {
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	return &process{grpc: ports[0], http: ports[1], page: ports[2], ended: make(chan struct{})}, nil
}

// start runs the server on free ports and waits until it is ready.
func (b *bench) start(ctx context.Context, store, data string, args ...string) (*process, error) {
	p, err := newProcess()
	if err != nil {
		return nil, err
	}
	return p, p.run(ctx, p.answers, b.binary, append([]string{
		"serve", "--store", store, "--data", data, "--otlp-grpc", p.grpc, "--otlp-http", p.http, "--http", p.page,
		"--jaeger-grpc", "", "--jaeger-storage", "",
	}, args...)...)
}

// run runs a program and waits until it is ready.
func (p *process) run(ctx context.Context, ready func() bool, binary string, args ...string) error {
	p.cmd = exec.CommandContext(ctx, binary, args...)
	p.cmd.Env = append(os.Environ(), p.env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	began := time.Now()
	if err := p.cmd.Start(); err != nil {
		return err
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	for time.Since(began) < 2*time.Minute {
		if ready() {
			p.started = time.Since(began)
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("%s ended instead of being ready: %v: %s", binary, p.err, p.log.Bytes())
		case <-time.After(5 * time.Millisecond):
		}
	}
	err := p.stop()
	return errors.Join(fmt.Errorf("%s is not ready: %s", binary, p.log.Bytes()), err)
}

// answers reports whether our own server is ready.
func (p *process) answers() bool {
	response, err := http.Get("http://" + p.page + "/readyz")
	return err == nil && response.Body.Close() == nil && response.StatusCode == http.StatusOK
}

func freePorts(n int) ([]string, error) {
	var list []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		list = append(list, l.Addr().String())
	}
	return list, nil
}

// stop ends the process as a service manager does.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.ended
	if p.err != nil {
		return fmt.Errorf("%w: %s", p.err, p.log.Bytes())
	}
	return nil
}

// cpu returns the CPU time that the process has used, and what of it the kernel has, after stop.
func (p *process) cpu() (all, kernel time.Duration) {
	s := p.cmd.ProcessState
	return s.UserTime() + s.SystemTime(), s.SystemTime()
}

// peak returns the most memory that the process had, in bytes.
func (p *process) peak() (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(status) {
		if rest, ok := bytes.CutPrefix(line, []byte("VmHWM:")); ok {
			kib, err := strconv.ParseFloat(string(bytes.Fields(rest)[0]), 64)
			return kib * 1024, err
		}
	}
	return 0, errors.New("no VmHWM")
}

// metric returns a value of /metrics that has no labels.
func (p *process) metric(ctx context.Context, name string) (float64, error) {
	page, err := get(ctx, "http://"+p.page+"/metrics")
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(page) {
		if rest, ok := bytes.CutPrefix(line, []byte(name+" ")); ok {
			return strconv.ParseFloat(string(bytes.TrimSpace(rest)), 64)
		}
	}
	return 0, fmt.Errorf("/metrics has no %s", name)
}

// writeProfile asks the server for a profile of its CPU from now on, if the duration is not 0. The function that it
// returns waits until the file is written.
func (p *process) writeProfile(during time.Duration, file string) (written func() error) {
	if during <= 0 {
		return func() error { return nil }
	}
	done := make(chan error, 1)
	go func() {
		done <- func() error {
			response, err := http.Get(fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%.0f", p.page, math.Ceil(during.Seconds())))
			if err != nil {
				return err
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err == nil && response.StatusCode != http.StatusOK {
				err = fmt.Errorf("the profile: %s: %s", response.Status, body)
			}
			return errors.Join(err, os.WriteFile(file, body, 0o644))
		}()
	}()
	return func() error { return <-done }
}

// diskUsage returns the sizes of all files in a folder.
func diskUsage(folder string) (sum int64, err error) {
	err = filepath.WalkDir(folder, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			sum += info.Size()
		}
		return err
	})
	return sum, err
}
