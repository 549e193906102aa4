/* The parser takes up to 120 times a statement's size, 2 GB for 16 MB, and ends the process when there is no
 * more: its error handling allocates again. So its memory context gets methods that fail one time at our
 * bound; it reports that like a syntax error, and what its error handling then needs is there. */
#include "policy/sql_memory.h"

static bool may_take(struct memory_bound *bound, MemoryContext context, Size size)
{
    if (bound->hit || context->mem_allocated + size <= SQL_MEMORY_MAX)
        return true;
    bound->hit = true;
    return false;
}

#if PG_VERSION_NUM >= 170000
static void *bounded_alloc(MemoryContext context, Size size, int flags)
{
    struct memory_bound *bound = (struct memory_bound *)context->methods;
    if (!may_take(bound, context, size))
        elog(ERROR, "out of memory"); /* NULL is not looked for any more */
    return bound->own->alloc(context, size, flags);
}
#else
static void *bounded_alloc(MemoryContext context, Size size)
{
    struct memory_bound *bound = (struct memory_bound *)context->methods;
    return may_take(bound, context, size) ? bound->own->alloc(context, size) : NULL;
}
#endif

#if PG_VERSION_NUM <                                                                                         \
    160000 /* later ones do not go through the context's methods, and only lists grow that way */
static void *bounded_realloc(MemoryContext context, void *pointer, Size size)
{
    struct memory_bound *bound = (struct memory_bound *)context->methods;
    return may_take(bound, context, size) ? bound->own->realloc(context, pointer, size) : NULL;
}
#endif

void memory_bound_set(struct memory_bound *bound, MemoryContext context)
{
    *bound = (struct memory_bound){ .methods = *context->methods, .own = context->methods };
    bound->methods.alloc = bounded_alloc;
#if PG_VERSION_NUM < 160000
    bound->methods.realloc = bounded_realloc;
#endif
    context->methods = &bound->methods;
}

void memory_bound_lift(struct memory_bound *bound, MemoryContext context)
{
    context->methods = bound->own;
}
