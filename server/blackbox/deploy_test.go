package blackbox

import (
	"context"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// TestTheUnitIsValid asks systemd what it thinks of the unit, with a program that is there.
func TestTheUnitIsValid(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd is not installed: ", err)
	}
	text, err := os.ReadFile("../deploy/otelprof.service")
	require.NoError(t, err)
	const program = "/usr/local/bin/otelprof"
	require.Contains(t, string(text), "ExecStart="+program+" serve")
	path, err := binary()
	require.NoError(t, err)
	verify := func(unit string) (string, error) {
		file := filepath.Join(t.TempDir(), "otelprof.service")
		require.NoError(t, os.WriteFile(file, []byte(unit), 0o600))
		out, err := exec.CommandContext(t.Context(), analyze, "verify", file).CombinedOutput()
		return string(out), err
	}
	unit := strings.ReplaceAll(string(text), program, path)
	out, err := verify(unit)
	require.NoError(t, err, "%s", out)
	require.Empty(t, out)
	out, _ = verify(strings.Replace(unit, "DynamicUser=yes", "DynamicUser=perhaps", 1))
	require.Contains(t, out, "Failed to parse boolean value", "systemd-analyze does not look at the unit")
}

// instruction returns what follows an instruction in the Dockerfile.
func instruction(t *testing.T, name string) string {
	text, err := os.ReadFile("../deploy/Dockerfile")
	require.NoError(t, err)
	for line := range strings.Lines(strings.ReplaceAll(string(text), "\\\n", " ")) {
		if rest, found := strings.CutPrefix(line, name+" "); found {
			return strings.TrimSpace(rest)
		}
	}
	t.Fatalf("the Dockerfile has no %s", name)
	return ""
}

// words returns the list that an instruction ends with.
func words(t *testing.T, name string) (list []string) {
	text := instruction(t, name)
	require.NoError(t, yaml.Unmarshal([]byte(text[strings.Index(text, "["):]), &list))
	return list
}

// TestTheImageRuns does by hand what the Dockerfile says: it builds as there, and runs what comes out as there, with nothing else in
// sight where this process may do so.
func TestTheImageRuns(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the image is one of Linux")
	}
	root := t.TempDir()
	require.NoError(t, os.Chmod(root, 0o755))
	build := strings.NewReplacer(" /otelprof ", " "+root+"/otelprof ", " /data", " "+root+"/data").Replace(instruction(t, "RUN"))
	cmd := exec.CommandContext(t.Context(), "sh", "-c", build)
	cmd.Dir = ".." // as after the last WORKDIR
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)

	file, err := elf.Open(filepath.Join(root, "otelprof"))
	require.NoError(t, err)
	needed, err := file.ImportedLibraries()
	require.NoError(t, err)
	require.Empty(t, needed, "the binary is not static")
	require.Nil(t, file.Section(".interp"), "the binary needs a loader")
	require.NoError(t, file.Close())

	require.Equal(t, "65532:65532", instruction(t, "USER"))
	inImage := &syscall.SysProcAttr{}
	program, data := filepath.Join(root, "otelprof"), filepath.Join(root, "data")
	if os.Geteuid() == 0 {
		require.NoError(t, os.Chown(data, 65532, 65532))
		inImage = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
		program, data = "/otelprof", "/data"
	}
	run := func(args []string) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), program, args...)
		cmd.Path, cmd.Env, cmd.SysProcAttr = program, []string{}, inImage
		if inImage.Chroot != "" {
			cmd.Dir = "/"
		}
		return cmd
	}
	s := start(t, data)
	ports := strings.NewReplacer("=0.0.0.0:4317", "="+s.grpc, "=0.0.0.0:4318", "="+s.http, "=0.0.0.0:4319", "="+s.page,
		"=0.0.0.0:16685", "="+s.jaeger, "=0.0.0.0:17271", "="+s.storage, "=/data", "="+data)
	var args []string
	for _, arg := range words(t, "CMD") {
		args = append(args, ports.Replace(arg))
	}
	s.cmd = run(args)
	s.cmd.Stdout, s.cmd.Stderr = s.output, s.output

	check := words(t, "HEALTHCHECK")
	require.Equal(t, []string{"/otelprof", "ready"}, check)
	healthy := func() error { return run(append(check[1:], "http://"+s.page)).Run() }
	require.Error(t, healthy(), "nothing runs yet")
	s.run()
	require.NoError(t, healthy())
	require.Contains(t, s.output.String(), "--insecure-public")
	s.sendDemo("--spans", "500")
	require.NoError(t, s.end(syscall.SIGTERM), "%s", s.output)
	require.Error(t, healthy())
	written, err := filepath.Glob(filepath.Join(root, "*"))
	require.NoError(t, err)
	require.ElementsMatch(t, []string{filepath.Join(root, "otelprof"), filepath.Join(root, "data")}, written)
}

// TestADataFolderThatCannotBe starts servers where they cannot keep anything: they say so and end.
func TestADataFolderThatCannotBe(t *testing.T) {
	path, err := binary()
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	folders := map[string]string{"below a file": filepath.Join(file, "data"), "a file": file, "no device": "/proc/otelprof"}
	for name, data := range folders {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		cmd := exec.CommandContext(ctx, path, "serve", "--data", data, "--otlp-grpc", "", "--otlp-http", "", "--http", "", "--jaeger-grpc", "", "--jaeger-storage", "")
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit, "%s: %s", name, out)
		require.Equal(t, 1, exit.ExitCode(), "%s: %s", name, out)
		require.Contains(t, string(out), data, name)
		require.NotContains(t, string(out), "goroutine ", name)
		cancel()
	}
}
