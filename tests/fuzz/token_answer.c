/* An API server's answer to a TokenRequest: a token that can stand in a header and lives, or a reason that a
 * log can have; and what is whole is read the same however it came. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/text.h"
#include "vault/bearer.h"
#include "vault/token_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void require(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct token_answer answer = { .token = NULL }, again = { .token = NULL };
    struct detail detail = { "" };
    int r = token_answer_read((const char *)bytes, n, true, "s3cret", 6, &answer, &detail);

    require(r == 0 || r == -EPROTO || r == -EACCES || r == -ENOMEM);
    require(!strstr(detail.text, "s3cret"));
    if (r == 0)
        require(answer.lifetime_s > 0 && bearer_is_one(answer.token, strlen(answer.token)));
    else
        require(!answer.token && detail.text[0]);
    for (const char *c = detail.text; *c; c++)
        require((unsigned char)*c >= ' ' && *c != 0x7f);
    if (token_answer_read((const char *)bytes, n, false, "s3cret", 6, &again, NULL) == 0)
        require(r == 0 && strcmp(answer.token, again.token) == 0);
    token_answer_free(&answer);
    token_answer_free(&again);
    return 0;
}
