/* Paths: what a rule may say for certain is only about an absolute one without "..", since links make of
 * /a/link/../b something else than /a/b. */
#include "policy/ssh_effects.h"

#include <errno.h>
#include <string.h>

_Static_assert((int)FILE_LIST - (int)FILE_READ == (int)EFFECT_LIST - (int)EFFECT_READ,
               "operations are in the order of their effects");

static enum effect_kind kind_of(enum file_operation operation)
{
    return (enum effect_kind)((int)EFFECT_READ + (int)operation);
}

const char *file_operation_name(enum file_operation operation)
{
    return effect_kind_name(kind_of(operation));
}

int ssh_effect_channel(struct effects *effects, const char *channel)
{
    return effects_add_exact(effects, EFFECT_OPEN, OBJECT_CHANNEL, channel, NULL);
}

static bool is_dots(const char *part, size_t n)
{
    return n == 2 && part[0] == '.' && part[1] == '.';
}

/* Into out, which has room for strlen(path) + 3: without "." and empty parts; a hole and "/" in the place of
 * everything up to the last "..", and before a relative one. */
static void normalise(const char *path, char *out)
{
    size_t n = 0;
    if (*path != '/')
        out[n++] = EFFECT_HOLE;
    for (const char *part = path; *part;) {
        size_t length = strcspn(part, "/");
        if (is_dots(part, length)) {
            n = 0;
            out[n++] = EFFECT_HOLE;
        } else if (length > 0 && !(length == 1 && *part == '.')) {
            out[n++] = '/';
            memcpy(out + n, part, length);
            n += length;
        }
        part += length + (part[length] == '/');
    }
    if (n == 0)
        out[n++] = '/';
    out[n] = '\0';
}

int ssh_effect_file(struct effects *effects, enum file_operation operation, const char *path)
{
    size_t n = strlen(path);
    if (n + 3 > EFFECT_TEXT_MAX)
        return effects_add_opaque(effects, EFFECT_UNKNOWN, "a path that is too long");
    if (n == 0 || strchr(path, EFFECT_HOLE))
        return effects_add_opaque(effects, EFFECT_UNKNOWN, "a path that cannot be named");
    CLEANUP(free) char *exact = malloc(n + 3);
    if (!exact)
        return -ENOMEM;
    normalise(path, exact);
    return effects_add_exact(effects, kind_of(operation), OBJECT_FILE, path, exact);
}
