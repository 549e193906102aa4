/* See about_list.h. */
#include "channels/commands/about_list.h"

void about_list_text(struct buffer *out, char *const *items, size_t n)
{
    for (size_t i = 0; i < n; i++)
        (void)!buffer_printf(out, "%s%s", i ? ", " : "", items[i]);
}

void about_list_json(struct json *j, const char *key, char *const *items, size_t n)
{
    json_open_array(j, key);
    for (size_t i = 0; i < n; i++)
        json_text(j, NULL, items[i]);
    json_close_array(j);
}
