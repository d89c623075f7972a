package main

import (
	"bufio"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// environment is what the figures depend on.
type environment struct {
	date, goVersion, machine, system, load, command string
}

func thisEnvironment(args []string) environment {
	system := runtime.GOOS + "/" + runtime.GOARCH
	if name := fileValue("/etc/os-release", "PRETTY_NAME", "="); name != "" {
		system += ", " + strings.Trim(name, `"`)
	}
	if kernel, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		system += ", kernel " + strings.TrimSpace(string(kernel))
	}
	return environment{
		date:      time.Now().UTC().Format(time.DateOnly),
		goVersion: runtime.Version(),
		machine:   machine(),
		system:    system,
		load:      load(),
		command:   strings.Join(append([]string{"go run ./bench"}, args...), " "),
	}
}

func machine() string {
	m := strconv.Itoa(runtime.NumCPU()) + " CPUs"
	if model := fileValue("/proc/cpuinfo", "model name", ":"); model != "" {
		m += ", " + model
	}
	if kb, err := strconv.ParseFloat(strings.TrimSuffix(fileValue("/proc/meminfo", "MemTotal", ":"), " kB"), 64); err == nil {
		m += ", " + whole(kb/(1<<20)) + " GiB"
	}
	return m
}

// load returns how many programs wanted to run in the last minute, "" if the system does not say.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}

// fileValue returns what follows the key and the separator in the first line of a file that has the key, "" if there is none.
func fileValue(path, key, separator string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if k, v, ok := strings.Cut(lines.Text(), separator); ok && strings.TrimSpace(k) == key {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

func (e environment) markdown() string {
	var b strings.Builder
	for _, line := range [][2]string{
		{"date", e.date}, {"machine", e.machine}, {"system", e.system}, {"Go", e.goVersion},
		{"load before", e.load}, {"command", "`" + e.command + "`"},
	} {
		if line[1] != "" {
			b.WriteString("- " + line[0] + ": " + line[1] + "\n")
		}
	}
	return b.String()
}
