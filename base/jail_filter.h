/* seccomp filters from lists of system calls. Private to base/jail*. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include "base/error.h"

/* One system call that is allowed; `tests` narrow it by arguments (low 32 bits), all of which must hold. */
struct call {
    int number;
    struct {
        uint32_t mask, value;
        uint8_t argument;
    } tests[2];
    uint8_t n_tests;
};

#define CALL(name)                                                                                           \
    {                                                                                                        \
        .number = SYS_##name                                                                                 \
    }
#define CALL_IF(name, arg, bits, is)                                                                         \
    {                                                                                                        \
        .number = SYS_##name, .n_tests = 1, .tests = { { bits, is, arg } }                                   \
    }
#define CALL_IF2(name, arg, bits, is, arg2, bits2, is2)                                                      \
    {                                                                                                        \
        .number = SYS_##name, .n_tests = 2, .tests = { { bits, is, arg }, { bits2, is2, arg2 } }             \
    }
#define EVERY_BIT 0xffffffffu

struct call_list {
    const struct call *calls;
    size_t n;
};

enum { FILTER_LISTS = 3 };

/* Both are for good, and come on top of what is installed already. `name` is for messages. Under sanitizers,
 * whose run-time needs more than any list, nothing is installed. Kills the process for everything that is on
 * none of the lists. */
MUST_USE int filter_allow_only(const struct call_list lists[FILTER_LISTS], const char *name,
                               struct detail *detail);
/* Kills the process for what is on the list. */
MUST_USE int filter_forbid(const struct call_list *list, const char *name, struct detail *detail);
