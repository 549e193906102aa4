/* One line of a bot's: an object, or none. */
#include "base/json_object.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    CLEANUP(json_object_free) struct json_object object = { 0 };
    struct detail detail = { "" };
    int r = json_object_read(bytes, n, &object, &detail);
    if (r == -EBADMSG) {
        if (!detail.text[0] || object.n)
            abort();
        return 0;
    }
    for (size_t i = 0; i < object.n; i++) {
        const struct json_member *member = &object.members[i];
        if (!text_is_utf8(member->name, strlen(member->name)) ||
            !text_is_utf8(member->value, strlen(member->value)) ||
            json_object_find(&object, member->name) != member)
            abort();
    }
    return 0;
}
