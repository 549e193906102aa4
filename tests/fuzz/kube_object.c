/* Objects of an API server as texts, what differs between two of them, and its answers to reviews: whatever
 * the bytes are, nothing breaks, and no text has a control byte. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "channels/kube/access.h"
#include "channels/kube/diff.h"
#include "channels/kube/object_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static char *text_of(const uint8_t *bytes, size_t n)
{
    struct buffer out;
    buffer_init(&out, 1 << 20);
    (void)!object_text(&out, bytes, n);
    char *text = strndup(buffer_size(&out) ? (const char *)buffer_head(&out) : "", buffer_size(&out));
    for (const char *c = text; c && *c; c++)
        if ((unsigned char)*c < 0x20 && *c != '\n')
            abort();
    buffer_free(&out);
    return text;
}

/* A NUL byte parts the two objects. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const struct access_verdict verdict = { ACTION_DENY, "no" };
    const uint8_t *nul = memchr(bytes, 0, n);
    size_t first = nul ? (size_t)(nul - bytes) : n, rest = nul ? n - first - 1 : 0;
    struct buffer out;
    uint64_t count;
    char words[64];
    char *before = text_of(bytes, first), *after = text_of(nul ? nul + 1 : bytes, rest);
    buffer_init(&out, 1 << 20);
    if (before && after)
        (void)!diff_put(&out, before, after);
    (void)!object_names(&out, bytes, first, 10, &count);
    (void)object_failure(bytes, first, words, sizeof words);
    (void)!access_answer_review(bytes, first, &verdict, &out);
    (void)access_space(bytes, first, words, sizeof words);
    buffer_free(&out);
    free(before);
    free(after);
    return 0;
}
