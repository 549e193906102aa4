/* Ownership: CLEANUP on every local that owns, STEAL to hand over. */
#pragma once
#include <stdlib.h>

/* `CLEANUP(x_free) struct x *x = NULL;` frees x when it leaves its scope. */
#define CLEANUP(function) __attribute__((cleanup(function##_ptr)))

/* Defines what CLEANUP(function) needs; once, below the destructor. */
#define DEFINE_CLEANUP(type, function)                                                                       \
    static inline void function##_ptr(type *slot)                                                            \
    {                                                                                                        \
        function(*slot);                                                                                     \
    }

/* Takes the value out of an owning pointer and leaves NULL there. */
#define STEAL(pointer)                                                                                       \
    __extension__({                                                                                          \
        __typeof__(pointer) stolen_value_ = (pointer);                                                       \
        (pointer) = NULL;                                                                                    \
        stolen_value_;                                                                                       \
    })

/* Takes an fd out of an owning variable and leaves -1 there. */
#define STEAL_FD(fd)                                                                                         \
    __extension__({                                                                                          \
        int stolen_fd_ = (fd);                                                                               \
        (fd) = -1;                                                                                           \
        stolen_fd_;                                                                                          \
    })

static inline void free_ptr(void *slot)
{
    free(*(void **)slot);
}
