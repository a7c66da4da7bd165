package kubernetes_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/json"
	"sigs.k8s.io/yaml"

	"cloakroom/bff/config"
)

// longestDrain is what a stop may take after drain_delay.
const longestDrain = 25 * time.Second

// manifests is a file, decoded.
type manifests struct {
	config   core.ConfigMap
	account  core.ServiceAccount
	pods     core.PodTemplateSpec
	selector *meta.LabelSelector
	services []core.Service
	budget   policy.PodDisruptionBudget
	network  networking.NetworkPolicy
	scaler   autoscaling.HorizontalPodAutoscaler
	set      apps.StatefulSet
	deploy   apps.Deployment
}

// decode reads text, of which every field must be known to its kind.
func decode(text []byte) (*manifests, error) {
	m := &manifests{}
	var errs []error
	for reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text))); ; {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		var kind meta.TypeMeta
		if err := yaml.Unmarshal(document, &kind); err != nil {
			return nil, err
		}
		var service core.Service
		into, ok := map[string]any{
			"v1/ConfigMap": &m.config, "v1/ServiceAccount": &m.account, "v1/Service": &service,
			"apps/v1/Deployment": &m.deploy, "apps/v1/StatefulSet": &m.set,
			"policy/v1/PodDisruptionBudget": &m.budget, "networking.k8s.io/v1/NetworkPolicy": &m.network,
			"autoscaling/v2/HorizontalPodAutoscaler": &m.scaler,
		}[kind.APIVersion+"/"+kind.Kind]
		if !ok {
			errs = append(errs, errors.New("unknown kind "+kind.APIVersion+"/"+kind.Kind))
			continue
		}
		// As the API server does: names are case-sensitive, and none is twice.
		text, err := yaml.YAMLToJSONStrict(document)
		if err != nil {
			return nil, err
		}
		unknown, err := json.UnmarshalStrict(text, into)
		errs = append(append(errs, unknown...), err)
		if into == any(&service) {
			m.services = append(m.services, service)
		}
	}
	m.pods, m.selector = m.deploy.Spec.Template, m.deploy.Spec.Selector
	if m.set.Name != "" {
		m.pods, m.selector = m.set.Spec.Template, m.set.Spec.Selector
	}
	return m, errors.Join(errs...)
}

var files = []string{"cloakroom.yaml", "replicated.yaml"}

func read(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func each(t *testing.T, f func(t *testing.T, m *manifests)) {
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			m, err := decode(read(t, file))
			if err != nil {
				t.Fatal(err)
			}
			f(t, m)
		})
	}
}

// TestAFieldNobodyKnowsIsRefused shows that decoding is a check.
func TestAFieldNobodyKnowsIsRefused(t *testing.T) {
	for _, change := range [][2]string{
		{"readinessProbe:", "readynessProbe:"},
		{"maxUnavailable: 1\n", "maxUnavailabel: 1\n"},
		{"podSelector:", "podselector:"},
		{"containerPort: 8080", "containerPort: eighty"},
		{"defaultMode: 0440", "defaultMode: 0440\n            defaultMode: 0400"},
		{"targetPort: http", "targetPorts: http"},
	} {
		text := read(t, files[0])
		broken := bytes.ReplaceAll(text, []byte(change[0]), []byte(change[1]))
		if bytes.Equal(text, broken) {
			t.Fatalf("%q is not there", change[0])
		}
		if _, err := decode(broken); err == nil {
			t.Errorf("with %q it is decoded", change[1])
		}
	}
}

// TestTheConfigInItIsGood: Cloakroom takes it, with the secrets where the pod
// has them.
func TestTheConfigInItIsGood(t *testing.T) {
	each(t, func(t *testing.T, m *manifests) {
		spec := m.pods.Spec
		dir := t.TempDir()
		secret := spec.Volumes[slices.IndexFunc(spec.Volumes, func(v core.Volume) bool { return v.Secret != nil })].Secret
		for _, item := range secret.Items {
			content := map[string]string{
				"client-secret": "not-a-secret-of-anybody", "session-key": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
				"redis-url": "redis://redis:6379", "cluster-secret": "not-a-secret-of-anybody",
			}[item.Key]
			if err := os.WriteFile(filepath.Join(dir, item.Path), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		container := spec.Containers[0]
		mount := container.VolumeMounts[slices.IndexFunc(container.VolumeMounts, func(v core.VolumeMount) bool { return v.Name == "secrets" })]
		text := m.config.Data["cloakroom.yaml"]
		if !strings.Contains(text, mount.MountPath+"/") {
			t.Fatalf("the config names no file of %s", mount.MountPath)
		}
		c, err := config.Parse("cloakroom.yaml", []byte(strings.ReplaceAll(text, mount.MountPath, dir)), nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Warnings()) > 0 {
			t.Errorf("it is weak: %v", c.Warnings())
		}
		if !c.Session.SharedStore() {
			t.Error("the instances do not share their sessions")
		}
		if grace := time.Duration(*spec.TerminationGracePeriodSeconds) * time.Second; grace <= c.DrainDelay+longestDrain {
			t.Errorf("a pod is killed after %v, before a drain has ended", grace)
		}
		// How long until Kubernetes takes a pod for not ready, if it does not know yet.
		ready := container.ReadinessProbe
		if noticed := time.Duration(ready.PeriodSeconds*ready.FailureThreshold) * time.Second; c.DrainDelay <= noticed {
			t.Errorf("drain_delay is %v, and %v pass until that is noticed", c.DrainDelay, noticed)
		}
		for name, listen := range map[string]string{"http": c.Listen, "admin": c.AdminListen, "peers": c.Session.Cluster.Listen} {
			i := slices.IndexFunc(container.Ports, func(p core.ContainerPort) bool { return p.Name == name })
			if i < 0 && listen == "" {
				continue
			}
			if i < 0 || listen != fmt.Sprintf("0.0.0.0:%d", container.Ports[i].ContainerPort) {
				t.Errorf("port %s is not where the config listens: %q", name, listen)
			}
		}
		for i, peer := range c.Session.Cluster.Peers {
			if want := fmt.Sprintf("%s-%d.%s:6222", m.set.Name, i, m.set.Spec.ServiceName); peer != want {
				t.Errorf("peer %d is %s, want %s", i, peer, want)
			}
		}
		if n := len(c.Session.Cluster.Peers); n > 0 && int(*m.set.Spec.Replicas) != n {
			t.Errorf("%d replicas, %d peers", *m.set.Spec.Replicas, n)
		}
	})
}

// TestVariablesOfAServiceStopCloakroom is why enableServiceLinks is false.
func TestVariablesOfAServiceStopCloakroom(t *testing.T) {
	good := "public_url: https://app.example.com\nprovider: {issuer: https://idp.example.com, client_id: app, client_secret: s}\n"
	if _, err := config.Parse("f", []byte(good), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := config.Parse("f", []byte(good), []string{"CLOAKROOM_SERVICE_HOST=10.0.0.1"}); err == nil {
		t.Error("it does not matter any more")
	}
	each(t, func(t *testing.T, m *manifests) {
		if links := m.pods.Spec.EnableServiceLinks; links == nil || *links {
			t.Error("pods are given the variables of Services")
		}
	})
}

// TestAPodHasNoPowers keeps the level "restricted" of the Pod Security Standards.
func TestAPodHasNoPowers(t *testing.T) {
	each(t, func(t *testing.T, m *manifests) {
		spec := m.pods.Spec
		pod, container := spec.SecurityContext, spec.Containers[0].SecurityContext
		for what, is := range map[string]bool{
			"runs as root":         pod.RunAsNonRoot == nil || !*pod.RunAsNonRoot || *pod.RunAsUser == 0,
			"has every call":       pod.SeccompProfile == nil || pod.SeccompProfile.Type != core.SeccompProfileTypeRuntimeDefault,
			"may gain privileges":  container.AllowPrivilegeEscalation == nil || *container.AllowPrivilegeEscalation,
			"has capabilities":     container.Capabilities == nil || !slices.Equal(container.Capabilities.Drop, []core.Capability{"ALL"}) || len(container.Capabilities.Add) > 0,
			"may change its files": container.ReadOnlyRootFilesystem == nil || !*container.ReadOnlyRootFilesystem,
			"has an API token":     *spec.AutomountServiceAccountToken || *m.account.AutomountServiceAccountToken,
			"shares the host's":    spec.HostNetwork || spec.HostPID || spec.HostIPC,
			"has no bounds":        spec.Containers[0].Resources.Limits.Memory().IsZero(),
		} {
			if is {
				t.Error("a pod " + what)
			}
		}
		for _, volume := range spec.Volumes {
			if volume.HostPath != nil {
				t.Error("a pod sees the host's files")
			}
		}
	})
}

// TestThePartsFindEachOther: selectors match the pods, and ports exist.
func TestThePartsFindEachOther(t *testing.T) {
	each(t, func(t *testing.T, m *manifests) {
		container := m.pods.Spec.Containers[0]
		names := map[string]bool{}
		for _, port := range container.Ports {
			names[port.Name] = true
		}
		selectors := map[string]*meta.LabelSelector{"the controller": m.selector, "the budget": m.budget.Spec.Selector, "the network policy": &m.network.Spec.PodSelector}
		for _, service := range m.services {
			selectors["service "+service.Name] = &meta.LabelSelector{MatchLabels: service.Spec.Selector}
			for _, port := range service.Spec.Ports {
				if !names[port.TargetPort.StrVal] {
					t.Errorf("service %s leads to port %s, which no pod has", service.Name, port.TargetPort.String())
				}
			}
		}
		for who, selector := range selectors {
			s, err := meta.LabelSelectorAsSelector(selector)
			if err != nil || s.Empty() || !s.Matches(labels.Set(m.pods.Labels)) {
				t.Errorf("%s does not find the pods: %v", who, err)
			}
		}
		for _, rule := range m.network.Spec.Ingress {
			if len(rule.From) == 0 {
				t.Error("a port is open to everybody")
			}
			for _, port := range rule.Ports {
				if !names[port.Port.StrVal] {
					t.Errorf("port %s is let in, which no pod has", port.Port.String())
				}
			}
		}
		for path, probe := range map[string]*core.Probe{"/readyz": container.ReadinessProbe, "/healthz": container.LivenessProbe} {
			if probe.HTTPGet.Path != path || probe.HTTPGet.Port.StrVal != "admin" {
				t.Errorf("the probe of %s asks %s at %s", path, probe.HTTPGet.Path, probe.HTTPGet.Port.String())
			}
		}
		volumes := map[string]bool{}
		for _, volume := range m.pods.Spec.Volumes {
			volumes[volume.Name] = true
		}
		for _, mount := range container.VolumeMounts {
			if !volumes[mount.Name] {
				t.Errorf("there is no volume %s", mount.Name)
			}
		}
		if m.set.Name != "" {
			headless := m.services[slices.IndexFunc(m.services, func(s core.Service) bool { return s.Name == m.set.Spec.ServiceName })]
			if headless.Spec.ClusterIP != core.ClusterIPNone || !headless.Spec.PublishNotReadyAddresses || m.set.Spec.PodManagementPolicy != apps.ParallelPodManagement {
				t.Error("the peers do not find each other before they are ready")
			}
		} else if m.scaler.Spec.ScaleTargetRef.Name != m.deploy.Name || m.deploy.Spec.Replicas != nil {
			t.Error("the autoscaler scales something else, or is overruled")
		}
	})
}
