/* What a request to a Kubernetes API server runs in a container, as effects: `kubectl exec` is judged as `ssh
 * HOST COMMAND` is. docs/kubernetes.md, "Streams" */
#pragma once
#include "policy/effect.h"
#include "policy/kube_request.h"

/* Whether it runs a command: pods/exec. */
bool kube_exec_runs(const struct kube_request *request);
/* The command's words as a line of a shell, quoted where they have to be: for people, and for recordings.
 * NULL: out of memory. The caller frees it. */
char *kube_exec_line(const struct kube_request *request);
/* Adds them. A shell that reads what to do from its input (`sh`, `bash -i`) is the channel "shell", as a free
 * shell on a host is; any other command is a line of just these words. Nothing for what runs nothing. */
MUST_USE int kube_exec_effects(const struct kube_request *request, struct effects *effects);
