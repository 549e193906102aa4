/* See courier_post.h. */
#include "server/courier_post.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void list_free(struct curl_slist *list)
{
    curl_slist_free_all(list);
}
DEFINE_CLEANUP(struct curl_slist *, list_free)

static bool is_name(const char *name)
{
    static const char ours[] = "Gatehouse-";
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";
    size_t n = strlen(name);
    return strncmp(name, ours, sizeof ours - 1) == 0 && n > sizeof ours - 1 && n <= POST_NAME_MAX &&
           strspn(name, letters) == n;
}

/* Not empty: curl takes "Name:" for a wish to leave it out. */
static bool is_value(const char *value)
{
    size_t n = strlen(value);
    if (n == 0 || n > POST_VALUE_MAX || value[0] == ' ')
        return false;
    for (; *value; value++)
        if (*value < ' ' || *value > '~')
            return false;
    return true;
}

int post_headers(Ipc__Variable *const *headers, size_t n, struct curl_slist **ret, struct detail *detail)
{
    CLEANUP(list_free) struct curl_slist *list = NULL;
    if (n > POST_HEADERS_MAX)
        return detail_fail(detail, -EINVAL, "too many headers");
    for (size_t i = 0; i < n; i++) {
        char line[POST_NAME_MAX + POST_VALUE_MAX + sizeof ": "];
        if (!is_name(headers[i]->name) || !is_value(headers[i]->value))
            return detail_fail(detail, -EINVAL, "a header that can't be sent");
        (void)snprintf(line, sizeof line, "%s: %s", headers[i]->name, headers[i]->value);
        struct curl_slist *longer = curl_slist_append(list, line);
        if (!longer)
            return -ENOMEM;
        list = longer;
    }
    *ret = STEAL(list);
    return 0;
}
