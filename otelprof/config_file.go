package otelprof

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"
)

// largestFile is the largest configuration file in bytes. One with every setting has some 4 KiB.
const largestFile = 1 << 20

// applyFile sets everything that the configuration file says.
func applyFile(c *config, path string) error {
	text, err := readConfigFile(path)
	if err != nil {
		return fmt.Errorf("reading the configuration file: %w", err)
	}
	return applyYAML(c, path, text)
}

func readConfigFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, largestFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > largestFile {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, largestFile)
	}
	return text, nil
}

// applyYAML sets everything that the text of the file says. It reads the nodes of the document rather than having
// them decoded into a struct: so all values go through the parsers of the settings, which are stricter than YAML (no
// "yes", no 0x10), every error has its line, and nothing is silently converted.
func applyYAML(c *config, path string, text []byte) error {
	root, err := parseYAML(text)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if root == nil {
		return nil
	}
	if root.Kind != yaml.MappingNode {
		return fmt.Errorf("%s:%d: want lines of the form key: value", path, root.Line)
	}
	var errs []error
	lines := make(map[string]int) // where each key was seen
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		if err := applyEntry(c, lines, key, value); err != nil {
			errs = append(errs, fmt.Errorf("%s:%d: %w", path, key.Line, err))
		}
	}
	return errors.Join(errs...)
}

// parseYAML returns the node of the only document in the text, nil if there is nothing in it.
func parseYAML(text []byte) (*yaml.Node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document, second yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, err
	}
	switch err := decoder.Decode(&second); {
	case err == nil:
		return nil, fmt.Errorf("line %d: want a single YAML document", second.Line)
	case !errors.Is(err, io.EOF):
		return nil, err
	}
	root := document.Content[0]
	if isNull(root) {
		return nil, nil
	}
	return root, nil
}

// applyEntry sets what one line says.
func applyEntry(c *config, lines map[string]int, key, value *yaml.Node) error {
	s, ok := findSetting(key.Value)
	if !ok || key.Kind != yaml.ScalarNode {
		known := make([]string, len(settings))
		for i, s := range settings {
			known[i] = s.key
		}
		return unknown("key", key.Value, known)
	}
	if line, ok := lines[s.key]; ok {
		return fmt.Errorf("%s was already set in line %d", s.key, line)
	}
	lines[s.key] = key.Line

	if value.Kind == yaml.AliasNode {
		value = value.Alias
	}
	switch {
	case isNull(value):
		return nil // as a variable that is set to nothing
	case s.set != nil && value.Kind == yaml.ScalarNode:
		if !s.set(c, value.Value) {
			return s.badValue(s.key, value.Value)
		}
		return nil
	case s.setList != nil && value.Kind == yaml.SequenceNode:
		return applyItems(c, s, value.Content)
	case value.Kind == yaml.ScalarNode:
		return s.badValue(s.key, value.Value)
	case value.Kind == yaml.SequenceNode:
		return fmt.Errorf("%s is a list, want %s", s.key, s.allowed)
	}
	return fmt.Errorf("%s is a mapping, want %s", s.key, s.allowed)
}

// applyItems sets a list. An item that is not a plain value counts as empty, which no list allows.
func applyItems(c *config, s setting, nodes []*yaml.Node) error {
	items := make([]string, len(nodes))
	for i, n := range nodes {
		if n.Kind == yaml.AliasNode {
			n = n.Alias
		}
		if !isNull(n) {
			items[i] = n.Value
		}
	}
	if !s.setList(c, items) {
		return s.badValue(s.key, strings.Join(items, ","))
	}
	return nil
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }
