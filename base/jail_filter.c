/* Classic BPF, one comparison after the other: the kernel keeps a bitmap of the numbers that a filter always
 * allows, so the length of the list costs nothing in the steady state. */
#include "base/jail_filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "add this architecture's AUDIT_ARCH number"
#endif

enum { PROGRAM_MAX = 1024 };

struct program {
    struct sock_filter code[PROGRAM_MAX];
    unsigned short n;
};

static void emit(struct program *p, uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
    if (p->n < PROGRAM_MAX)
        p->code[p->n++] = (struct sock_filter){ code, jt, jf, k };
}

static void emit_load(struct program *p, size_t offset)
{
    emit(p, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)offset);
}

static void emit_return(struct program *p, uint32_t action)
{
    emit(p, BPF_RET | BPF_K, 0, 0, action);
}

/* The number is in the accumulator. A call whose tests fail goes on to the next entry, so that a kind can
 * widen what common_calls narrows. */
static void emit_call(struct program *p, const struct call *call)
{
    uint8_t per_test = 3, body = (uint8_t)(call->n_tests * per_test + 1);
    emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, (uint8_t)(body + (call->n_tests ? 1 : 0)), (uint32_t)call->number);
    for (uint8_t i = 0; i < call->n_tests; i++) {
        uint8_t rest = (uint8_t)((call->n_tests - 1 - i) * per_test + 1);
        emit_load(p, offsetof(struct seccomp_data, args) + call->tests[i].argument * sizeof(uint64_t));
        emit(p, BPF_ALU | BPF_AND | BPF_K, 0, 0, call->tests[i].mask);
        emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, rest, call->tests[i].value);
    }
    emit_return(p, SECCOMP_RET_ALLOW);
    if (call->n_tests)
        emit_load(p, offsetof(struct seccomp_data, nr));
}

/* Kills a process for everything that is on none of the lists. */
static void build_allowing(struct program *p, const struct call_list lists[FILTER_LISTS])
{
    for (size_t i = 0; i < FILTER_LISTS; i++)
        for (size_t k = 0; k < lists[i].n; k++)
            emit_call(p, &lists[i].calls[k]);
    /* What it makes, a thread or a process, lies in memory, where no filter looks. glibc then takes clone. */
    emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_clone3);
    emit_return(p, SECCOMP_RET_ERRNO | ENOSYS);
    emit_return(p, SECCOMP_RET_KILL_PROCESS);
}

/* Kills a process for what is on the list. */
static void build_forbidding(struct program *p, const struct call_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, (uint32_t)list->calls[i].number);
        emit_return(p, SECCOMP_RET_KILL_PROCESS);
    }
    emit_return(p, SECCOMP_RET_ALLOW);
}

/* The number is in the accumulator afterwards. */
static void build_head(struct program *p)
{
    p->n = 0;
    emit_load(p, offsetof(struct seccomp_data, arch));
    emit(p, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, ARCHITECTURE);
    emit_return(p, SECCOMP_RET_KILL_PROCESS);
    emit_load(p, offsetof(struct seccomp_data, nr));
}

/* Sanitizers need more than any list: the programs are built there, but not installed. */
static int install(struct program *program, const char *name, struct detail *detail)
{
    if (program->n == PROGRAM_MAX)
        return detail_fail(detail, -E2BIG, "the system call list of %s is too long", name);
#ifndef GATEHOUSE_SANITIZE
    struct sock_fprog filter = { .len = program->n, .filter = program->code };
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0)
        return detail_fail(detail, -errno, "seccomp of %s: %s", name, strerror(errno));
#endif
    return 0;
}

static struct program program; /* too large for small stacks; filled anew by each of these two */

int filter_allow_only(const struct call_list lists[FILTER_LISTS], const char *name, struct detail *detail)
{
    build_head(&program);
    build_allowing(&program, lists);
    return install(&program, name, detail);
}

int filter_forbid(const struct call_list *list, const char *name, struct detail *detail)
{
    build_head(&program);
    build_forbidding(&program, list);
    return install(&program, name, detail);
}
