/* Patterns of paths into an object of a Kubernetes API: "data.*", "spec.containers[*].env[*].value",
 * "**.env[*].value", "metadata.annotations[example.com/x]". No I/O. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/cleanup.h"
#include "base/error.h"

enum { KUBE_PATH_PARTS_MAX = 62 };

enum kube_part_kind {
    KUBE_PART_KEY,     /* this key of an object */
    KUBE_PART_ANY,     /* "*": any key, any element */
    KUBE_PART_MANY,    /* "**": any number of them, none too */
    KUBE_PART_ELEMENT, /* "[*]": any element of a list */
};
struct kube_part {
    enum kube_part_kind kind;
    const char *key; /* of KUBE_PART_KEY, n bytes; into text */
    size_t n;
};

/* Embedded; empty when zeroed. */
struct kube_path {
    char *text;
    struct kube_part parts[KUBE_PATH_PARTS_MAX];
    size_t n;
};

enum { KUBE_PATH_BAD = 1 };
/* KUBE_PATH_BAD with a detail; -ENOMEM. */
MUST_USE int kube_path_parse(const char *text, struct kube_path *ret, struct detail *detail);
void kube_path_clear(struct kube_path *path);

/* How far a path has been met on the way into an object: a bit for each number of parts. 0: no more. */
uint64_t kube_path_start(const struct kube_path *path);
/* One step further: into the value of a key, or into an element of a list (key is NULL). */
uint64_t kube_path_step(const struct kube_path *path, uint64_t states, const char *key, size_t n);
/* Whether what has been reached is meant by the whole pattern. */
bool kube_path_is_met(const struct kube_path *path, uint64_t states);
