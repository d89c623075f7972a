package web

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// The tests here hold what the page's client says of the API against the description of it. The shapes of both are compared
// as text: object members ascending, integers as number, enumerations and formats as string.

// typescript reads the declarations of api.ts: what of the language these need.
type typescript struct {
	tokens []string
	// named are the bodies of declarations, bases what they extend.
	named map[string]string
	bases map[string][]string
}

var token = regexp.MustCompile(`(?s)/\*.*?\*/|//[^\n]*|"[^"]*"|[A-Za-z_][A-Za-z_0-9]*|[{}\[\]():;|<>,?&]`)

func readTypeScript(t *testing.T, file string) *typescript {
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	ts := &typescript{named: map[string]string{}, bases: map[string][]string{}}
	declaration := regexp.MustCompile(`(?ms)^export (?:interface (\w+)(?: extends ([\w, ]+))? (\{.*?^\})|type (\w+) =([^;]*);)`)
	for _, m := range declaration.FindAllStringSubmatch(string(text), -1) {
		if m[1] != "" {
			ts.named[m[1]] = m[3]
			if m[2] != "" {
				ts.bases[m[1]] = strings.Split(m[2], ", ")
			}
		} else {
			ts.named[m[4]] = m[5]
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^type (\w+) =([^;]*);`).FindAllStringSubmatch(string(text), -1) {
		ts.named[m[1]] = m[2]
	}
	return ts
}

// parse returns the shape of a type.
func (ts *typescript) parse(text string) shape {
	inner := &typescript{named: ts.named, bases: ts.bases}
	for _, found := range token.FindAllString(text, -1) {
		if !strings.HasPrefix(found, "/") {
			inner.tokens = append(inner.tokens, found)
		}
	}
	return inner.union()
}

func (ts *typescript) peek() string {
	if len(ts.tokens) == 0 {
		return ""
	}
	return ts.tokens[0]
}

func (ts *typescript) next() string {
	found := ts.peek()
	ts.tokens = ts.tokens[1:]
	return found
}

func (ts *typescript) union() shape {
	s := ts.single()
	for ts.peek() == "|" {
		ts.next()
		s = s.or(ts.single())
	}
	return s
}

func (ts *typescript) single() shape {
	var s shape
	switch found := ts.next(); {
	case found == "null":
		s = shape{nullable: true}
	case found == "string", found == "number", found == "boolean":
		s = shape{kind: found}
	case strings.HasPrefix(found, `"`):
		s = shape{kind: "string", values: []string{strings.Trim(found, `"`)}}
	case found == "never":
		s = shape{}
	case found == "Record":
		for ts.next() != "," {
		}
		value := ts.union()
		ts.next()
		s = shape{kind: "map of " + value.String()}
	case found == "{":
		s = shape{kind: "object", members: ts.members()}
	default:
		s = ts.parse(ts.named[found])
		for _, base := range ts.bases[found] {
			maps.Copy(s.members, ts.parse(base).members)
		}
	}
	for ts.peek() == "[" {
		ts.next()
		ts.next()
		s = shape{kind: "list of " + s.String()}
	}
	return s
}

func (ts *typescript) members() map[string]shape {
	members := map[string]shape{}
	for ts.peek() != "}" {
		name := strings.Trim(ts.next(), `"`)
		optional := ts.peek() == "?"
		if optional {
			ts.next()
		}
		ts.next() // the colon
		member := ts.union()
		member.optional = optional
		members[name] = member
		if ts.peek() == ";" {
			ts.next()
		}
	}
	ts.next()
	return members
}

// shape is what a value looks like.
type shape struct {
	kind               string
	values             []string // of a text that has but these
	members            map[string]shape
	nullable, optional bool
}

func (s shape) or(other shape) shape {
	if s.kind == "" {
		s, other = other, s
	}
	s.nullable = s.nullable || other.nullable
	s.values = append(s.values, other.values...)
	return s
}

func (s shape) String() string {
	text := s.kind
	if s.kind == "object" {
		var members []string
		for _, name := range slices.Sorted(maps.Keys(s.members)) {
			members = append(members, name+": "+s.members[name].String())
		}
		text = "{" + strings.Join(members, ", ") + "}"
	}
	if s.nullable {
		text += " or null"
	}
	if s.optional {
		text += ", optional"
	}
	return text
}

// document is the description of the API.
type document struct{ root map[string]any }

func (d document) resolve(schema map[string]any) map[string]any {
	for {
		reference, ok := schema["$ref"].(string)
		if !ok {
			return schema
		}
		at := d.root
		for part := range strings.SplitSeq(strings.TrimPrefix(reference, "#/"), "/") {
			at = at[part].(map[string]any)
		}
		schema = at
	}
}

func (d document) shape(schema map[string]any) shape {
	schema = d.resolve(schema)
	s := shape{nullable: schema["nullable"] == true}
	switch kind := schema["type"]; {
	case schema["allOf"] != nil:
		s.kind, s.members = "object", map[string]shape{}
		for _, part := range schema["allOf"].([]any) {
			maps.Copy(s.members, d.shape(part.(map[string]any)).members)
		}
	case kind == "integer":
		s.kind = "number"
	case kind == "array":
		s.kind = "list of " + d.shape(schema["items"].(map[string]any)).String()
	case kind == "object" && schema["properties"] == nil:
		s.kind = "map of " + d.shape(schema["additionalProperties"].(map[string]any)).String()
	case kind == "object":
		s.kind, s.members = "object", map[string]shape{}
		required, _ := schema["required"].([]any)
		for name, property := range schema["properties"].(map[string]any) {
			member := d.shape(property.(map[string]any))
			member.optional = !slices.Contains(required, any(name))
			s.members[name] = member
		}
	default:
		s.kind = fmt.Sprint(kind)
	}
	return s
}

// operation returns what can be asked at a path.
func (d document) operation(path, method string) map[string]any {
	item, _ := d.root["paths"].(map[string]any)["/api/v1/"+path].(map[string]any)
	operation, _ := item[method].(map[string]any)
	return operation
}

func (d document) parameters(operation map[string]any) (names []string) {
	all, _ := operation["parameters"].([]any)
	for _, p := range all {
		names = append(names, d.resolve(p.(map[string]any))["name"].(string))
	}
	return names
}

func (d document) answer(operation map[string]any, status string) shape {
	at := operation["responses"].(map[string]any)[status].(map[string]any)["content"].(map[string]any)["application/json"].(map[string]any)
	return d.shape(at["schema"].(map[string]any))
}

// TestTheClientAsksWhatThereIs compares the paths, the parameters and the answers of the page's client with the API's.
func TestTheClientAsksWhatThereIs(t *testing.T) {
	text, err := os.ReadFile("../api/openapi.yaml")
	require.NoError(t, err)
	var api document
	require.NoError(t, yaml.Unmarshal(text, &api.root))
	ts := readTypeScript(t, "../../web/src/api.ts")
	questions, downloads := ts.parse("Questions").members, ts.parse("Downloads").members
	require.Greater(t, len(questions), 10)
	require.NotEmpty(t, downloads)
	for path, question := range questions {
		operation := api.operation(path, "get")
		require.NotNil(t, operation, "GET /api/v1/%s is not in openapi.yaml", path)
		require.Subset(t, api.parameters(operation), question.members["params"].values, path)
		want, have := api.answer(operation, "200"), question.members["answer"]
		require.ElementsMatch(t, slices.Collect(maps.Keys(want.members)), slices.Collect(maps.Keys(have.members)), path)
		for name, member := range want.members {
			require.Equal(t, member.String(), have.members[name].String(), "%s of the answer of %s", name, path)
		}
	}
	for path, question := range downloads {
		operation := api.operation(path, "get")
		require.NotNil(t, operation, "GET /api/v1/%s is not in openapi.yaml", path)
		require.Subset(t, api.parameters(operation), question.members["params"].values, path)
	}
	require.Equal(t, api.answer(api.operation("snapshots", "post"), "201").String(), ts.parse("SavedSnapshot").String())
	require.NotNil(t, api.operation("snapshots/{name}", "delete"))
}
