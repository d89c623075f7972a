// Protogen generates the Go code of Jaeger's gRPC services from the .proto files in the module jaeger-idl. Jaeger keeps its
// own generated code internal, and the files carry annotations for documents (OpenAPI, HTTP bindings) that would link their
// own packages into every program: they are left out here. Nothing on the wire depends on them.
//
//	go run ./protogen -out ../server/internal/jaeger/gen          writes the code
//	go run ./protogen -out ../server/internal/jaeger/gen -check   fails if it is not what is there
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/parser"
	"github.com/bufbuild/protocompile/reporter"
	_ "go.opentelemetry.io/proto/otlp/trace/v1" // registers the descriptors that Jaeger's refer to
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

// source is where the .proto files are from.
const source = "github.com/jaegertracing/jaeger-idl@v0.14.0"

// target is the import path of the generated packages, below which each has the name of its folder here.
const target = "github.com/stichotrope/stichotrope-go/server/internal/jaeger/gen/"

// folders are the packages by .proto file.
var folders = map[string]string{
	"expression/v1/expression.proto":      "expression",
	"storage/v2/trace_storage.proto":      "storage",
	"storage/v2/dependency_storage.proto": "storage",
	"storage/v2/capabilities.proto":       "storage",
	"api_v3/query_service.proto":          "apiv3",
	"api_v3/capabilities.proto":           "apiv3",
}

func main() {
	out := flag.String("out", "", "the folder for the generated packages")
	check := flag.Bool("check", false, "only compare with what is there")
	flag.Parse()
	if err := run(*out, *check); err != nil {
		fmt.Fprintln(os.Stderr, "protogen:", err)
		os.Exit(1)
	}
}

func run(out string, check bool) error {
	dir, err := download()
	if err != nil {
		return err
	}
	request, err := compile(filepath.Join(dir, "proto"))
	if err != nil {
		return err
	}
	for _, plugin := range []string{"protoc-gen-go", "protoc-gen-go-grpc"} {
		files, err := generate(plugin, request)
		if err != nil {
			return err
		}
		for _, f := range files {
			if err := put(filepath.Join(out, strings.TrimPrefix(f.GetName(), target)), []byte(f.GetContent()), check); err != nil {
				return err
			}
		}
	}
	return nil
}

func put(path string, content []byte, check bool) error {
	if check {
		if old, err := os.ReadFile(path); err != nil || !bytes.Equal(old, content) {
			return fmt.Errorf("%s is not what %s gives: run make proto", path, source)
		}
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o644)
}

// download returns the folder of the source in the module cache.
func download() (string, error) {
	text, err := exec.Command("go", "mod", "download", "-json", source).Output()
	var module struct{ Dir, Error string }
	if errJSON := json.Unmarshal(text, &module); errJSON != nil {
		return "", fmt.Errorf("download %s: %w", source, errors.Join(err, errJSON))
	}
	if module.Error != "" {
		return "", fmt.Errorf("download %s: %s", source, module.Error)
	}
	return module.Dir, nil
}

// compile returns what a plugin of protoc is asked.
func compile(root string) (*pluginpb.CodeGeneratorRequest, error) {
	names := make([]string, 0, len(folders))
	for name := range folders {
		names = append(names, name)
	}
	slices.Sort(names)
	compiler := protocompile.Compiler{Resolver: protocompile.WithStandardImports(protocompile.ResolverFunc(
		func(path string) (protocompile.SearchResult, error) {
			if d, err := protoregistry.GlobalFiles.FindFileByPath(path); err == nil {
				return protocompile.SearchResult{Desc: d}, nil
			}
			d, err := parse(root, path)
			return protocompile.SearchResult{Proto: d}, err
		}))}
	files, err := compiler.Compile(context.Background(), names...)
	if err != nil {
		return nil, fmt.Errorf("compile: %w", err)
	}
	parameters := []string{}
	request := &pluginpb.CodeGeneratorRequest{FileToGenerate: names}
	for _, name := range names {
		parameters = append(parameters, fmt.Sprintf("M%s=%s%s", name, target, folders[name]))
	}
	request.Parameter = proto.String(strings.Join(parameters, ","))
	seen := map[string]bool{}
	for _, f := range files {
		collect(f, seen, request)
	}
	return request, nil
}

// collect adds a file after those that it imports.
func collect(f protoreflect.FileDescriptor, seen map[string]bool, request *pluginpb.CodeGeneratorRequest) {
	if seen[f.Path()] {
		return
	}
	seen[f.Path()] = true
	for i := range f.Imports().Len() {
		collect(f.Imports().Get(i).FileDescriptor, seen, request)
	}
	request.ProtoFile = append(request.ProtoFile, protodesc.ToFileDescriptorProto(f))
}

// parse reads a .proto file without its annotations, and without the imports that are for these alone.
func parse(root, path string) (*descriptorpb.FileDescriptorProto, error) {
	text, err := os.Open(filepath.Join(root, filepath.FromSlash(path)))
	if err != nil {
		return nil, err
	}
	defer text.Close()
	handler := reporter.NewHandler(nil)
	tree, err := parser.Parse(path, text, handler)
	if err != nil {
		return nil, err
	}
	result, err := parser.ResultFromAST(tree, false, handler)
	if err != nil {
		return nil, err
	}
	d := result.FileDescriptorProto()
	strip(d.ProtoReflect())
	d.Dependency = slices.DeleteFunc(d.Dependency, func(path string) bool {
		return strings.HasPrefix(path, "gnostic/") || strings.HasPrefix(path, "google/api/") || path == "expression/v1/vocabulary.proto"
	})
	return d, nil
}

// strip clears the options that are not interpreted yet, which are all that the file states, in a message and below it.
func strip(m protoreflect.Message) {
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.Name() == "uninterpreted_option":
			m.Clear(f)
		case f.Kind() != protoreflect.MessageKind:
		case f.IsList():
			for i := range v.List().Len() {
				strip(v.List().Get(i).Message())
			}
		default:
			strip(v.Message())
		}
		return true
	})
}

// generate runs a plugin.
func generate(plugin string, request *pluginpb.CodeGeneratorRequest) ([]*pluginpb.CodeGeneratorResponse_File, error) {
	in, err := proto.Marshal(request)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("go", "tool", plugin)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", plugin, err)
	}
	response := &pluginpb.CodeGeneratorResponse{}
	if err := proto.Unmarshal(out, response); err != nil {
		return nil, fmt.Errorf("read the answer of %s: %w", plugin, err)
	}
	if response.Error != nil {
		return nil, fmt.Errorf("%s: %s", plugin, *response.Error)
	}
	return response.File, nil
}
