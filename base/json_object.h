/* JSON reader (RFC 8259) for what a peer sends as one flat object: texts, numbers, true, false, null. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "base/cleanup.h"
#include "base/error.h"

enum { JSON_MEMBERS_MAX = 16 };

enum json_kind { JSON_TEXT, JSON_NUMBER, JSON_WORD }; /* word: true, false, null */

struct json_member {
    const char *name, *value; /* a text's without quotes and escapes; others as they stand */
    enum json_kind kind;
};

/* Embedded; empty when zeroed. */
struct json_object {
    struct json_member members[JSON_MEMBERS_MAX];
    size_t n;
    char *storage;
};

/* -EBADMSG with a detail: not an object, a list or an object in it, a name twice, too many members, bytes
 * that are not UTF-8, a NUL, anything behind it. */
MUST_USE int json_object_read(const void *text, size_t n, struct json_object *ret, struct detail *detail);
void json_object_free(struct json_object *object);
static inline void json_object_free_ptr(struct json_object *object)
{
    json_object_free(object);
}

const struct json_member *json_object_find(const struct json_object *object, const char *name);
