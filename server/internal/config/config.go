package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/stichotrope/stichotrope-go/otelprof"
)

// Prefix begins the names of the variables.
const Prefix = "OTELPROF_"

// FileFlag is the flag that names the file.
const FileFlag = "config"

// maxFile is how large a file may be.
const maxFile = 1 << 20

// AddFileFlag adds --config.
func AddFileFlag(flags *pflag.FlagSet) {
	flags.String(FileFlag, "", "read settings from this YAML `file`; its keys are the names of the flags")
}

// Variable returns the name of the environment variable of a flag.
func Variable(flag string) string {
	return Prefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// Resolve sets the flags that were not given on the command line from the environment, in the form of os.Environ, and from
// the file. The error names every key that is unknown and every value that is bad. Variables of flags of others, which are for
// other commands in the same shell or container, are none of them.
func Resolve(flags *pflag.FlagSet, environment []string, others ...*pflag.FlagSet) error {
	given := map[string]bool{}
	flags.Visit(func(f *pflag.Flag) { given[f.Name] = true })
	set := func(source, flag, text string) error {
		if given[flag] {
			return nil
		}
		given[flag] = true
		if err := flags.Set(flag, text); err != nil {
			return fmt.Errorf("%s: %w", source, err)
		}
		return nil
	}
	if err := fromEnvironment(flags, others, environment, set); err != nil {
		return err
	}
	if file := flags.Lookup(FileFlag); file != nil && file.Value.String() != "" {
		if err := fromFile(flags, file.Value.String(), set); err != nil {
			return fmt.Errorf("configuration file %s: %w", file.Value, err)
		}
	}
	return nil
}

type setter func(source, flag, text string) error

func fromEnvironment(flags *pflag.FlagSet, others []*pflag.FlagSet, environment []string, set setter) error {
	byName, foreign := map[string]string{}, map[string]bool{}
	for _, other := range others {
		other.VisitAll(func(f *pflag.Flag) { foreign[Variable(f.Name)] = true })
	}
	flags.VisitAll(func(f *pflag.Flag) { byName[Variable(f.Name)] = f.Name })
	var errs []error
	for _, entry := range environment {
		name, value, _ := strings.Cut(entry, "=")
		if value = strings.TrimSpace(value); value == "" || !strings.HasPrefix(name, Prefix) {
			continue
		}
		switch flag, ok := byName[name]; {
		case ok:
			errs = append(errs, set(name, flag, value))
		case !foreign[name] && !otelprof.IsVariable(name):
			errs = append(errs, fmt.Errorf("unknown environment variable %s: see --help, each flag has one", name))
		}
	}
	return errors.Join(errs...)
}

func fromFile(flags *pflag.FlagSet, path string, set setter) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return err
	}
	if len(text) > maxFile {
		return fmt.Errorf("it is larger than %d bytes", maxFile)
	}
	var values map[string]yaml.Node
	if err := yaml.NewDecoder(bytes.NewReader(text)).Decode(&values); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	keys := make([]string, 0, len(values))
	for key := range values {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	var errs []error
	for _, key := range keys {
		flag, node := strings.ReplaceAll(key, "_", "-"), values[key]
		if flag == FileFlag || flags.Lookup(flag) == nil {
			errs = append(errs, fmt.Errorf("line %d: unknown key %q: the keys are the names of the flags, see --help", node.Line, key))
			continue
		}
		text, err := flagText(&node)
		if err == nil {
			err = set(fmt.Sprintf("line %d: %s", node.Line, key), flag, text)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// flagText returns a value as it would stand on the command line.
func flagText(node *yaml.Node) (string, error) {
	switch node.Kind {
	case yaml.ScalarNode:
		if node.Tag == "!!null" {
			return "", nil
		}
		return node.Value, nil
	case yaml.SequenceNode:
		var items []string
		for _, item := range node.Content {
			if item.Kind != yaml.ScalarNode || strings.ContainsAny(item.Value, ",\"\n") {
				return "", fmt.Errorf("line %d: want plain values in the list", item.Line)
			}
			items = append(items, item.Value)
		}
		return strings.Join(items, ","), nil
	}
	return "", fmt.Errorf("line %d: want a value or a list of values", node.Line)
}
