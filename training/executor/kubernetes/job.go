// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"strconv"
	"time"

	"flyball/fault"
	"flyball/training/executor/cluster"
)

// What marks our objects.
const (
	madeBy = "app.kubernetes.io/managed-by" // a label
	digest = "flyball/digest"               // an annotation: Spec.Digest
	queue  = "kueue.x-k8s.io/queue-name"    // Kueue's label
	uidOf  = "kueue.x-k8s.io/job-uid"       // of a Workload: its job's
)

// object begins every description: a Job of any version of batch/v1 is read by these and
// the fields below, and no other.
type object struct {
	APIVersion string   `json:"apiVersion,omitempty"`
	Kind       string   `json:"kind,omitempty"`
	Metadata   metadata `json:"metadata"`
}

type metadata struct {
	Name        string            `json:"name,omitempty"`
	UID         string            `json:"uid,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Owners      []owner           `json:"ownerReferences,omitempty"`
	Deleted     string            `json:"deletionTimestamp,omitempty"`
}

type owner struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	UID        string `json:"uid"`
}

// job is a Job as it is read.
type job struct {
	object
	Spec struct {
		Suspend bool `json:"suspend"`
	} `json:"spec"`
	Status struct {
		Conditions []condition `json:"conditions"`
	} `json:"status"`
}

type condition struct {
	Type    string `json:"type"`
	Status  string `json:"status"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// wish is a Job as it is asked for.
type wish struct {
	object
	Spec map[string]any `json:"spec"`
}

// job describes the Job of a spec. The cluster's own retries are off: no pod follows one
// that failed, none that was evicted or preempted, and none is started on another node
// before the first has ended.
func (e *Engine) job(s cluster.Spec) (wish, error) {
	pod, err := e.pod(s)
	if err != nil {
		return wish{}, err
	}
	labels := map[string]string{madeBy: "flyball"}
	spec := map[string]any{
		"backoffLimit":            0,
		"podReplacementPolicy":    "Failed",
		"ttlSecondsAfterFinished": seconds(e.opts.Keep.D()),
		"podFailurePolicy": map[string]any{"rules": []any{map[string]any{
			"action":          "FailJob",
			"onPodConditions": []any{map[string]string{"type": "DisruptionTarget", "status": "True"}},
		}}},
		"template": map[string]any{
			"metadata": metadata{Labels: map[string]string{madeBy: "flyball"}},
			"spec":     pod,
		},
	}
	if s.Time > 0 {
		spec["activeDeadlineSeconds"] = seconds(s.Time.D())
	}
	if s.Resources.Queue != "" {
		labels[queue] = s.Resources.Queue
		spec["suspend"] = true // Kueue lets it go when there is room
	}
	if n := s.Resources.Tasks; n > 0 {
		spec["completionMode"], spec["completions"], spec["parallelism"] = "Indexed", n, n
	}
	return wish{
		object: object{APIVersion: "batch/v1", Kind: "Job", Metadata: metadata{Name: s.Name, Labels: labels, Annotations: map[string]string{digest: s.Digest}}},
		Spec:   spec,
	}, nil
}

// seconds are whole ones, at least one.
func seconds(d time.Duration) int64 { return max(1, int64((d+time.Second-1)/time.Second)) }

// pod describes the pod of a spec. It may write to /tmp alone, which is its home too.
func (e *Engine) pod(s cluster.Spec) (map[string]any, error) {
	image := s.Resources.Image
	if image == "" {
		image = e.opts.Image
	}
	if image == "" {
		return nil, fault.New(fault.Invalid, "the job has no image").Do("name one in train.limits.image, or for all jobs in the settings of the executor")
	}
	env := []any{map[string]any{"name": "HOME", "value": "/tmp"}}
	if s.Resources.Tasks > 0 {
		env = append(env, map[string]any{"name": "FLYBALL_TASK", "valueFrom": map[string]any{
			"fieldRef": map[string]string{"fieldPath": "metadata.annotations['batch.kubernetes.io/job-completion-index']"},
		}})
	}
	container := map[string]any{
		"name":         "attempt",
		"image":        image,
		"command":      s.Command,
		"env":          env,
		"volumeMounts": []any{map[string]string{"name": "tmp", "mountPath": "/tmp"}},
		"securityContext": map[string]any{
			"allowPrivilegeEscalation": false,
			"readOnlyRootFilesystem":   true,
			"capabilities":             map[string]any{"drop": []string{"ALL"}},
		},
	}
	if len(s.Env) > 0 {
		container["envFrom"] = []any{map[string]any{"secretRef": map[string]string{"name": s.Name}}}
	}
	if has := resources(s.Resources); len(has) > 0 {
		container["resources"] = map[string]any{"requests": has, "limits": has}
	}
	pod := map[string]any{
		"restartPolicy":                "Never",
		"automountServiceAccountToken": false,
		"enableServiceLinks":           false, // they would fill the program's environment
		"securityContext": map[string]any{
			"runAsNonRoot": true, "runAsUser": e.opts.User, "runAsGroup": e.opts.User, "fsGroup": e.opts.User,
			"seccompProfile": map[string]string{"type": "RuntimeDefault"},
		},
		"containers": []any{container},
		"volumes":    []any{map[string]any{"name": "tmp", "emptyDir": map[string]any{}}},
	}
	if e.opts.ServiceAccount != "" {
		pod["serviceAccountName"] = e.opts.ServiceAccount
	}
	if len(e.opts.Nodes) > 0 {
		pod["nodeSelector"] = e.opts.Nodes
	}
	if len(e.opts.Tolerations) > 0 {
		pod["tolerations"] = e.opts.Tolerations
	}
	var pull []any
	for _, name := range e.opts.PullSecrets {
		pull = append(pull, map[string]string{"name": name})
	}
	if len(pull) > 0 {
		pod["imagePullSecrets"] = pull
	}
	return pod, nil
}

// resources are asked for and bounded alike, so that a pod gets what it was promised.
func resources(r cluster.Resources) map[string]string {
	has := map[string]string{}
	if r.CPUs > 0 {
		has["cpu"] = strconv.Itoa(r.CPUs)
	}
	if r.Memory > 0 {
		has["memory"] = strconv.FormatInt(int64(r.Memory), 10)
	}
	if r.GPUs > 0 {
		has["nvidia.com/gpu"] = strconv.Itoa(r.GPUs)
	}
	return has
}

// secret holds the variables of a job, and goes with it.
func (e *Engine) secret(s cluster.Spec, uid string) any {
	return struct {
		object
		Immutable bool              `json:"immutable"`
		Data      map[string]string `json:"stringData"`
	}{object{APIVersion: "v1", Kind: "Secret", Metadata: metadata{
		Name: s.Name, Labels: map[string]string{madeBy: "flyball"},
		Owners: []owner{{APIVersion: "batch/v1", Kind: "Job", Name: s.Name, UID: uid}},
	}}, true, s.Env}
}
