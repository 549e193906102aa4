/* The system calls of a caged program, as a BPF program that is compiled once. */
#pragma once
#include <stdbool.h>
#include <linux/filter.h>
#include <sys/types.h>
#include "base/cleanup.h"
#include "base/error.h"

struct sandbox_filter;
struct sandbox_needs;

/* -ENOSYS when the kernel or libseccomp has no user notification. */
MUST_USE int sandbox_filter_new(const struct sandbox_needs *needs, struct sandbox_filter **ret,
                                struct detail *detail);
void sandbox_filter_free(struct sandbox_filter *filter);
DEFINE_CLEANUP(struct sandbox_filter *, sandbox_filter_free)

/* The program for the process `self`, the only one that it may send signals to. Borrowed, and changed by the
 * next call. */
struct sock_fprog sandbox_filter_for(struct sandbox_filter *filter, pid_t self);

/* Seals the supervisor itself: what it needs, what its tools need (they inherit the filter), and nothing
 * else; what is not on the list fails with EPERM. One-way. Nothing happens under sanitizers, whose run-time
 * needs more. */
MUST_USE int sandbox_filter_supervisor(struct detail *detail);
