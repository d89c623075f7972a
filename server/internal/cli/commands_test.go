package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

const repository = "../../.."

// commandLine is a command of ours in a text, up to what ends a command in a shell or its mention in a sentence.
var commandLine = regexp.MustCompile("\\b(?:bin/)?otelprof((?: (?:serve|report|diff|demo|clickhouse|version|ready)\\b)(?:[^`\n#|&;]|\\\\\n)*)")

// requireKnown demands that a command line is one of the program's: its command and its flags. Arguments are not looked at.
func requireKnown(t *testing.T, where string, args []string) {
	t.Helper()
	command, _, err := newRoot(Process{}).Find(args[:1])
	require.NoError(t, err, where)
	for _, arg := range args[1:] {
		if sub, _, err := command.Find([]string{arg}); err == nil && sub != command {
			command = sub
		}
		name, isFlag := strings.CutPrefix(arg, "--")
		if name, _, _ = strings.Cut(strings.TrimRight(name, ".,:)\""), "="); isFlag && name != "" && name != "help" {
			require.NotNil(t, command.Flags().Lookup(name), "%s: otelprof %s has no --%s", where, command.Name(), name)
		}
	}
}

// documents are the texts that tell users what to type.
func documents(t *testing.T) []string {
	var all []string
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/adr/*.md", "server/*.md", "deploy/*Dockerfile", "server/deploy/*", "examples/*.md", "Makefile"} {
		found, err := filepath.Glob(filepath.Join(repository, pattern))
		require.NoError(t, err)
		all = append(all, found...)
	}
	return all
}

// TestCommandsInDocumentsAreKnown looks for every command line of ours in what users read or run.
func TestCommandsInDocumentsAreKnown(t *testing.T) {
	n := 0
	for _, path := range documents(t) {
		if filepath.Base(path) == "CHANGELOG.md" {
			continue // it tells of former versions too
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, found := range commandLine.FindAllStringSubmatch(string(text), -1) {
			requireKnown(t, path, strings.Fields(strings.ReplaceAll(found[1], "\\\n", " ")))
			n++
		}
	}
	require.Greater(t, n, 10, "the documents were not found")
}

// TestContainersStartWithKnownFlags reads what docker-compose.yml and the Dockerfiles start.
func TestContainersStartWithKnownFlags(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(repository, "docker-compose.yml"))
	require.NoError(t, err)
	var compose struct {
		Services map[string]struct {
			Image   string
			Command []string
		}
	}
	require.NoError(t, yaml.Unmarshal(text, &compose))
	n := 0
	for name, service := range compose.Services {
		if service.Image == "otelprof-server" {
			requireKnown(t, "docker-compose.yml: "+name, service.Command)
			n++
		}
	}
	require.Greater(t, n, 1)
	for _, path := range []string{"server/deploy/Dockerfile", "deploy/otelprof.Dockerfile"} {
		for _, args := range instructions(t, path, "CMD") {
			if len(args) > 0 {
				requireKnown(t, path, args)
			}
		}
		for _, args := range instructions(t, path, "HEALTHCHECK") {
			requireKnown(t, path, args[1:])
		}
	}
}

// instructions returns the words of the lists of an instruction in a Dockerfile.
func instructions(t *testing.T, path, instruction string) (lists [][]string) {
	text, err := os.ReadFile(filepath.Join(repository, path))
	require.NoError(t, err)
	for line := range strings.Lines(strings.ReplaceAll(string(text), "\\\n", " ")) {
		if _, list, found := strings.Cut(line, "["); found && strings.HasPrefix(line, instruction+" ") {
			var words []string
			require.NoError(t, yaml.Unmarshal([]byte("["+list), &words), line)
			lists = append(lists, words)
		}
	}
	return lists
}
