/* Prepared statements, portals and cursors by name: only what the server has confirmed counts, since a Bind
 * or DECLARE that failed leaves an earlier one of that name where it is. */
#include "channels/pg/veil_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void named_free(struct table *names, struct named *named)
{
    table_remove(names, &named->link);
    veil_plan_free(named->plan);
    veil_formats_clear(&named->formats);
    free((char *)(uintptr_t)named->link.key);
    free(named);
}

int veil_names_put(struct table *names, const char *name, struct veil_plan *plan,
                   struct veil_formats *formats, bool declared)
{
    struct named *named = calloc(1, sizeof *named);
    char *key = strdup(name);
    veil_names_remove(names, name);
    if (named && key) {
        named->link.key = key;
        named->link.key_n = table_name_size(key);
        if (table_add(names, &named->link) == 0) {
            named->plan = veil_plan_share(plan);
            named->declared = declared;
            if (formats)
                named->formats = *formats;
            if (formats)
                *formats = (struct veil_formats){ .how = FORMATS_DESCRIBED };
            return 0;
        }
    }
    free(key);
    free(named);
    return -ENOMEM;
}

struct named *veil_names_find(const struct table *names, const char *name)
{
    return (struct named *)table_find(names, name, table_name_size(name));
}

void veil_names_remove(struct table *names, const char *name)
{
    struct named *named = veil_names_find(names, name);
    if (named)
        named_free(names, named);
}

static void end_portal(void *owner, struct link *link)
{
    struct named *named = (struct named *)link;
    if (!named->declared)
        named_free(owner, named);
}

void veil_names_end_transaction(struct table *names)
{
    if (names->count)
        table_each(names, end_portal, names);
}

static void end_any(void *owner, struct link *link)
{
    named_free(owner, (struct named *)link);
}

void veil_names_free(struct table *names)
{
    table_each(names, end_any, names);
    table_free(names);
}
