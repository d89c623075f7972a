package callsite_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// The tests of this package also run as programs for other platforms: for arm64 under the user-mode emulation of
// QEMU, which is the Debian package qemu-user-static; for 386, which has neither frame pointers nor 64 bits; and with
// runtime.Callers instead of frame pointers. Where an emulator is needed and missing, its part is skipped, unless
// OTELPROF_TEST_REQUIRE_QEMU=1 says that it has to be there.
func TestOtherPlatforms(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles for other platforms, which -short leaves out")
	}
	if runtime.GOOS != "linux" {
		t.Skip("the emulators run programs for Linux, on Linux")
	}
	for _, p := range []struct{ name, arch, tags, qemu string }{
		{name: "arm64", arch: "arm64", qemu: "qemu-aarch64"},
		{name: "386", arch: "386"}, // natively, or not at all
		{name: "by Callers", arch: runtime.GOARCH, tags: "otelprof_nofp"},
	} {
		t.Run(p.name, func(t *testing.T) {
			program := filepath.Join(t.TempDir(), "callsite.test")
			command := []string{program, "-test.v", "-test.short"}
			mayBeNative := p.arch == runtime.GOARCH || p.arch == "386" && runtime.GOARCH == "amd64"
			if !mayBeNative {
				command = append([]string{emulator(t, p.qemu)}, command...)
			}
			build := exec.Command("go", "test", "-c", "-vet=off", "-tags="+p.tags, "-o", program, ".")
			build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH="+p.arch)
			out, err := build.CombinedOutput()
			require.NoError(t, err, "%s", out)
			out, err = exec.Command(command[0], command[1:]...).CombinedOutput()
			if mayBeNative && errors.Is(err, syscall.ENOEXEC) {
				// qemu does not help: Go programs for 386 crash in its emulation of threads.
				t.Skip("this kernel runs no programs of 32 bits")
			}
			require.NoError(t, err, "%s", out)
			require.Contains(t, string(out), "--- PASS: TestSpan/wrapped/generic_function")
		})
	}
}

// emulator returns the path of an emulator, linked statically or not.
func emulator(t *testing.T, name string) string {
	for _, program := range []string{name + "-static", name} {
		if path, err := exec.LookPath(program); err == nil {
			return path
		}
	}
	if os.Getenv("OTELPROF_TEST_REQUIRE_QEMU") == "1" {
		t.Fatalf("%s is missing, but OTELPROF_TEST_REQUIRE_QEMU=1 requires it", name)
	}
	t.Skipf("%s is missing: install the package qemu-user-static", name)
	return ""
}
