package main

import (
	"context"
	"log"
	"net"
	"strconv"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

const round = 200 * time.Millisecond

// beNode registers the node, says that its pods run, and finishes those that are being deleted. Never returns.
func beNode(kubeconfig, name, address string) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		log.Fatal(err)
	}
	config.QPS, config.Burst = 500, 500
	client := kubernetes.NewForConfigOrDie(config)
	for ctx := context.Background(); ; time.Sleep(round) {
		if err := register(ctx, client, name, address); err != nil {
			log.Print(err)
			continue
		}
		if err := tend(ctx, client, name); err != nil {
			log.Print(err)
		}
	}
}

func register(ctx context.Context, client kubernetes.Interface, name, address string) error {
	_, text, _ := net.SplitHostPort(address)
	number, _ := strconv.Atoi(text)
	port := int32(number)
	n, err := client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	if errors.IsNotFound(err) {
		n, err = client.CoreV1().Nodes().Create(ctx, &v1.Node{ObjectMeta: metav1.ObjectMeta{
			Name: name, Labels: map[string]string{"kubernetes.io/hostname": name}}}, metav1.CreateOptions{})
	}
	if err != nil || len(n.Status.Addresses) > 0 && n.Status.DaemonEndpoints.KubeletEndpoint.Port == port {
		return err
	}
	now := metav1.Now()
	n.Status.Addresses = []v1.NodeAddress{{Type: v1.NodeInternalIP, Address: "127.0.0.1"}}
	n.Status.DaemonEndpoints.KubeletEndpoint.Port = port
	n.Status.Capacity = v1.ResourceList{v1.ResourceCPU: resource.MustParse("8"), v1.ResourceMemory: resource.MustParse("16Gi"),
		v1.ResourcePods: resource.MustParse("110")}
	n.Status.Allocatable = n.Status.Capacity
	n.Status.Conditions = []v1.NodeCondition{{Type: v1.NodeReady, Status: v1.ConditionTrue, Reason: "mini",
		LastHeartbeatTime: now, LastTransitionTime: now}}
	_, err = client.CoreV1().Nodes().UpdateStatus(ctx, n, metav1.UpdateOptions{})
	return err
}

func tend(ctx context.Context, client kubernetes.Interface, node string) error {
	pods, err := client.CoreV1().Pods("").List(ctx, metav1.ListOptions{FieldSelector: "spec.nodeName=" + node, ResourceVersion: "0"})
	if err != nil {
		return err
	}
	for i := range pods.Items {
		p := &pods.Items[i]
		if p.DeletionTimestamp != nil {
			zero := int64(0)
			err = client.CoreV1().Pods(p.Namespace).Delete(ctx, p.Name, metav1.DeleteOptions{
				GracePeriodSeconds: &zero, Preconditions: &metav1.Preconditions{UID: &p.UID}})
		} else if p.Status.Phase != v1.PodRunning {
			markRunning(p)
			_, err = client.CoreV1().Pods(p.Namespace).UpdateStatus(ctx, p, metav1.UpdateOptions{})
		}
		if err != nil && !errors.IsNotFound(err) && !errors.IsConflict(err) {
			log.Print(err)
		}
	}
	return nil
}

func markRunning(p *v1.Pod) {
	now, yes := metav1.Now(), true
	p.Status.Phase, p.Status.StartTime, p.Status.HostIP, p.Status.PodIP = v1.PodRunning, &now, "127.0.0.1", "10.1.0.1"
	p.Status.PodIPs = []v1.PodIP{{IP: "10.1.0.1"}}
	p.Status.Conditions = nil
	for _, kind := range []v1.PodConditionType{v1.PodScheduled, v1.PodInitialized, v1.ContainersReady, v1.PodReady} {
		p.Status.Conditions = append(p.Status.Conditions, v1.PodCondition{Type: kind, Status: v1.ConditionTrue, LastTransitionTime: now})
	}
	p.Status.ContainerStatuses = nil
	for _, c := range p.Spec.Containers {
		p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, v1.ContainerStatus{
			Name: c.Name, Image: c.Image, Ready: true, Started: &yes, ContainerID: "mini://" + string(p.UID) + c.Name,
			State: v1.ContainerState{Running: &v1.ContainerStateRunning{StartedAt: now}}})
	}
}
