// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

// A kubelet registers nodes and runs each bound pod's first container as a process of this machine, without its image.
// It has what the tests of an executor need: status, exit codes, logs by the API, SIGTERM then SIGKILL on delete, GPU counts, node loss.
type kubelet struct {
	api  kubernetes.Interface
	dir  string
	port int32
	mine map[string]bool
	mu   sync.Mutex
	runs map[types.UID]*exec.Cmd
}

func fakelet(args []string) {
	fs := flag.NewFlagSet("fakelet", flag.ExitOnError)
	config := fs.String("kubeconfig", "", "")
	names := fs.String("nodes", "fake-0,fake-1", "names, comma-separated")
	capacity := fs.String("capacity", "cpu=4,memory=8Gi,pods=50,nvidia.com/gpu=1", "of each node")
	dir := fs.String("dir", "fakelet", "folder of logs")
	beat := fs.Duration("heartbeat", 2*time.Second, "")
	fs.Parse(args)
	cfg, err := clientcmd.BuildConfigFromFlags("", *config)
	check(err)
	cfg.QPS, cfg.Burst = 500, 500 // the defaults, 5 and 10, make 100 pods take minutes
	check(runKubelet(kubernetes.NewForConfigOrDie(cfg), *dir, *names, *capacity, *beat))
	select {}
}

// runKubelet registers the nodes and watches their pods until the process ends.
func runKubelet(api kubernetes.Interface, dir, names, capacity string, beat time.Duration) error {
	k := &kubelet{api: api, dir: dir, mine: map[string]bool{}, runs: map[types.UID]*exec.Cmd{}}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := k.serveLogs(); err != nil {
		return err
	}
	has := corev1.ResourceList{}
	for kv := range strings.SplitSeq(capacity, ",") {
		name, n, _ := strings.Cut(kv, "=")
		has[corev1.ResourceName(name)] = resource.MustParse(n)
	}
	for name := range strings.SplitSeq(names, ",") {
		if err := k.register(name, has); err != nil {
			return err
		}
		k.mine[name] = true
		go func() {
			for range time.Tick(beat) {
				k.ready(name)
			}
		}()
	}
	inf := informers.NewSharedInformerFactory(k.api, 0)
	inf.Core().V1().Pods().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { k.sync(o.(*corev1.Pod)) },
		UpdateFunc: func(_, o any) { k.sync(o.(*corev1.Pod)) },
		DeleteFunc: func(o any) {
			if p, ok := o.(*corev1.Pod); ok {
				k.stop(p)
			}
		},
	})
	inf.Start(nil)
	return nil
}

func (k *kubelet) register(name string, has corev1.ResourceList) error {
	ctx := context.Background()
	k.api.CoreV1().Nodes().Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"kubernetes.io/hostname": name}}}, metav1.CreateOptions{})
	b, err := json.Marshal(map[string]any{"status": corev1.NodeStatus{
		Capacity: has, Allocatable: has,
		Addresses:       []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "127.0.0.1"}},
		DaemonEndpoints: corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: k.port}},
	}})
	if err != nil {
		return err
	}
	if _, err = k.api.CoreV1().Nodes().Patch(ctx, name, types.MergePatchType, b, metav1.PatchOptions{}, "status"); err != nil {
		return err
	}
	return k.ready(name)
}

func (k *kubelet) ready(name string) error {
	now := time.Now().UTC().Format(time.RFC3339)
	b := fmt.Sprintf(`{"status":{"conditions":[{"type":"Ready","status":"True","reason":"Fake","lastHeartbeatTime":%q}]}}`, now)
	_, err := k.api.CoreV1().Nodes().Patch(context.Background(), name, types.StrategicMergePatchType, []byte(b), metav1.PatchOptions{}, "status")
	return err
}

// stop ends a pod's process group and reports whether there was one.
func (k *kubelet) stop(p *corev1.Pod) bool {
	k.mu.Lock()
	c := k.runs[p.UID]
	k.mu.Unlock()
	if c == nil || c.Process == nil || c.ProcessState != nil {
		return false
	}
	grace := 30 * time.Second
	if g := p.DeletionGracePeriodSeconds; g != nil {
		grace = time.Duration(*g) * time.Second
	}
	syscall.Kill(-c.Process.Pid, syscall.SIGTERM)
	time.AfterFunc(grace, func() { syscall.Kill(-c.Process.Pid, syscall.SIGKILL) })
	return true
}

func (k *kubelet) sync(p *corev1.Pod) {
	if !k.mine[p.Spec.NodeName] {
		return
	}
	if p.DeletionTimestamp != nil {
		if !k.stop(p) {
			k.remove(p)
		}
		return
	}
	k.mu.Lock()
	_, seen := k.runs[p.UID]
	if seen || p.Status.Phase != corev1.PodPending {
		k.mu.Unlock()
		return
	}
	c := p.Spec.Containers[0]
	argv := append(append([]string{}, c.Command...), c.Args...)
	if len(argv) == 0 {
		argv = []string{"true"}
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	k.runs[p.UID] = cmd
	k.mu.Unlock()
	go k.run(p, cmd)
}

// run starts a pod's process, once the secrets that it names are there, and reports how it goes.
func (k *kubelet) run(p *corev1.Pod, cmd *exec.Cmd) {
	c := p.Spec.Containers[0]
	secrets, ok := k.secrets(p)
	if !ok {
		k.mu.Lock()
		delete(k.runs, p.UID)
		k.mu.Unlock()
		return
	}
	out, err := os.Create(k.log(p.Namespace, p.Name))
	check(err)
	cmd.Stdout, cmd.Stderr, cmd.Dir = out, out, c.WorkingDir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Env = append(os.Environ(), "NODE_NAME="+p.Spec.NodeName)
	cmd.Env = append(cmd.Env, secrets...)
	for _, e := range c.Env {
		v := value(p, e)
		cmd.Env = append(cmd.Env, e.Name+"="+v)
		for i := range cmd.Args {
			cmd.Args[i] = strings.ReplaceAll(cmd.Args[i], "$("+e.Name+")", v)
		}
	}
	start := metav1.Now()
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(out, err)
		k.report(p, start, corev1.PodFailed, 128, "StartError", err.Error())
		return
	}
	k.report(p, start, corev1.PodRunning, 0, "", "")
	cmd.Wait()
	out.Close()
	phase, reason, code := corev1.PodSucceeded, "Completed", cmd.ProcessState.ExitCode()
	if ws := cmd.ProcessState.Sys().(syscall.WaitStatus); ws.Signaled() {
		code = 128 + int(ws.Signal())
	}
	if code != 0 {
		phase, reason = corev1.PodFailed, "Error"
	}
	k.report(p, start, phase, int32(code), reason, "")
	if cur, err := k.api.CoreV1().Pods(p.Namespace).Get(context.Background(), p.Name, metav1.GetOptions{}); err == nil && cur.UID == p.UID && cur.DeletionTimestamp != nil {
		k.remove(cur)
	}
}

// secrets are the variables that a pod takes whole from Secrets. Like a kubelet, it waits for those that are
// not there yet, as long as the pod is.
func (k *kubelet) secrets(p *corev1.Pod) (env []string, ok bool) {
	for _, from := range p.Spec.Containers[0].EnvFrom {
		for from.SecretRef != nil {
			s, err := k.api.CoreV1().Secrets(p.Namespace).Get(context.Background(), from.SecretRef.Name, metav1.GetOptions{})
			if err == nil {
				for name, v := range s.Data {
					env = append(env, from.Prefix+name+"="+string(v))
				}
				break
			}
			if cur, err := k.api.CoreV1().Pods(p.Namespace).Get(context.Background(), p.Name, metav1.GetOptions{}); err != nil || cur.DeletionTimestamp != nil {
				return nil, false
			}
			time.Sleep(200 * time.Millisecond)
		}
	}
	return env, true
}

func value(p *corev1.Pod, e corev1.EnvVar) string {
	if e.ValueFrom == nil || e.ValueFrom.FieldRef == nil {
		return e.Value
	}
	switch path := e.ValueFrom.FieldRef.FieldPath; {
	case path == "metadata.name":
		return p.Name
	case path == "metadata.uid":
		return string(p.UID)
	case strings.HasPrefix(path, "metadata.annotations['"):
		return p.Annotations[path[len("metadata.annotations['"):len(path)-2]]
	case strings.HasPrefix(path, "metadata.labels['"):
		return p.Labels[path[len("metadata.labels['"):len(path)-2]]
	}
	return ""
}

func (k *kubelet) remove(p *corev1.Pod) {
	now := int64(0)
	k.api.CoreV1().Pods(p.Namespace).Delete(context.Background(), p.Name, metav1.DeleteOptions{GracePeriodSeconds: &now, Preconditions: &metav1.Preconditions{UID: &p.UID}})
}

func (k *kubelet) report(p *corev1.Pod, start metav1.Time, phase corev1.PodPhase, code int32, reason, msg string) {
	st := corev1.ContainerStatus{Name: p.Spec.Containers[0].Name, Image: p.Spec.Containers[0].Image, ContainerID: "fake://" + string(p.UID)}
	ready := corev1.ConditionFalse
	if phase == corev1.PodRunning {
		ready, st.Ready = corev1.ConditionTrue, true
		st.State.Running = &corev1.ContainerStateRunning{StartedAt: start}
	} else {
		st.State.Terminated = &corev1.ContainerStateTerminated{ExitCode: code, StartedAt: start, FinishedAt: metav1.Now(), Reason: reason, Message: msg}
	}
	now := metav1.Now()
	b, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": p.UID}, "status": corev1.PodStatus{
		Phase: phase, StartTime: &start, HostIP: "127.0.0.1", PodIP: "127.0.0.1", ContainerStatuses: []corev1.ContainerStatus{st},
		Conditions: []corev1.PodCondition{
			{Type: corev1.PodInitialized, Status: corev1.ConditionTrue, LastTransitionTime: now},
			{Type: corev1.PodReady, Status: ready, LastTransitionTime: now},
			{Type: corev1.ContainersReady, Status: ready, LastTransitionTime: now},
		},
	}})
	check(err)
	for range 10 {
		if _, err := k.api.CoreV1().Pods(p.Namespace).Patch(context.Background(), p.Name, types.StrategicMergePatchType, b, metav1.PatchOptions{}, "status"); err == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (k *kubelet) log(namespace, pod string) string {
	return filepath.Join(k.dir, namespace+"_"+pod+".log")
}

// serveLogs answers what the API server asks a kubelet for GET …/pods/NAME/log.
func (k *kubelet) serveLogs() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		return err
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	if err != nil {
		return err
	}
	k.port = int32(l.Addr().(*net.TCPAddr).Port)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, k.log(filepath.Base(r.PathValue("namespace")), filepath.Base(r.PathValue("pod"))))
	})
	go func() {
		if err := http.Serve(l, mux); !errors.Is(err, http.ErrServerClosed) {
			check(err)
		}
	}()
	return nil
}
