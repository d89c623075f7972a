package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

const composeFile = "../docker-compose.yml"

// composed returns what docker-compose.yml says, read and checked by the library that the client itself uses.
func composed(t *testing.T) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{composeFile}, cli.WithResolvedPaths(true))
	require.NoError(t, err)
	project, err := options.LoadProject(t.Context())
	require.NoError(t, err)
	return project
}

// exactTag is a version with all its numbers, which nobody moves on.
var exactTag = regexp.MustCompile(`:v?\d+\.\d+\.\d+(-alpine)?$`)

func TestComposeFile(t *testing.T) {
	project := composed(t)
	require.ElementsMatch(t, []string{"webshop", "jaeger", "prometheus", "grafana"}, project.ServiceNames())
	for name, s := range project.Services {
		if s.Build == nil {
			require.Regexp(t, exactTag, s.Image, name)
		} else {
			requirePinnedBase(t, filepath.Join(s.Build.Context, s.Build.Dockerfile))
		}
		require.NotNil(t, s.HealthCheck, name)
		require.NotEmpty(t, s.HealthCheck.Test, name)
		require.NotEmpty(t, s.Ports, name)
		for _, p := range s.Ports {
			require.Equal(t, "127.0.0.1", p.HostIP, "%s publishes port %s", name, p.Published)
		}
		for _, v := range s.Volumes {
			require.FileExists(t, volumeFile(v), name)
			require.True(t, v.ReadOnly, "%s: %s", name, v.Source)
		}
	}
}

// volumeFile returns the file of a volume, or one of its files if it is a folder.
func volumeFile(v types.ServiceVolumeConfig) string {
	if files, _ := filepath.Glob(filepath.Join(v.Source, "*")); len(files) > 0 {
		return files[0]
	}
	return v.Source
}

var from = regexp.MustCompile(`(?m)^FROM (\S+)`)

func requirePinnedBase(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	images := from.FindAllStringSubmatch(string(text), -1)
	require.NotEmpty(t, images)
	for _, image := range images {
		require.Regexp(t, exactTag, image[1], file)
	}
}

// TestComposeFlagsAreThoseOfTheWebshop parses the command of the service with the program itself.
func TestComposeFlagsAreThoseOfTheWebshop(t *testing.T) {
	args := append([]string(composed(t).Services["webshop"].Command), "surplus")
	out, err := exec.CommandContext(t.Context(), build(t, "webshop"), args...).CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), `unexpected argument "surplus"`, "all flags before it are right")
}

// TestComposeClientTakesTheFile lets Docker's own client judge it.
func TestComposeClientTakesTheFile(t *testing.T) {
	if out, err := exec.CommandContext(t.Context(), "docker", "compose", "version").CombinedOutput(); err != nil {
		t.Skipf("there is no docker compose: %v: %.100s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), "docker", "compose", "--file", composeFile, "config", "--quiet").CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// TestProvisioningFitsTogether follows the references between the files that Grafana is given.
func TestProvisioningFitsTogether(t *testing.T) {
	data, err := os.ReadFile("../deploy/grafana/datasources.yml")
	require.NoError(t, err)
	var provisioned struct {
		Datasources []struct {
			UID, Type, URL string
			JSONData       struct {
				ExemplarTraceIDDestinations []struct {
					DatasourceUID string `yaml:"datasourceUid"`
				} `yaml:"exemplarTraceIdDestinations"`
			} `yaml:"jsonData"`
		}
	}
	require.NoError(t, yaml.Unmarshal(data, &provisioned))
	known := map[datasource]bool{}
	for _, d := range provisioned.Datasources {
		known[datasource{d.Type, d.UID}] = true
	}
	require.True(t, known[datasource{"jaeger", provisioned.Datasources[0].JSONData.ExemplarTraceIDDestinations[0].DatasourceUID}])
	for file, d := range dashboards(t) {
		for _, v := range d.Templating.List {
			require.True(t, known[v.Datasource], "%s: %v", file, v)
		}
		for _, p := range d.Panels {
			require.True(t, known[p.Datasource], "%s: %s", file, p.Title)
			require.LessOrEqual(t, p.GridPos.X+p.GridPos.W, 24, p.Title)
			for _, target := range p.Targets {
				require.True(t, known[target.Datasource], "%s: %s", file, p.Title)
			}
		}
	}
}
