/* Whatever a gate says is to run: what is kept of it is within the limits, and counts what it leaves out. */
#include <stdlib.h>
#include <string.h>
#include "replay/approval.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void check(const Ipc__ApprovalContent *whole, const Ipc__ApprovalContent *kept)
{
    if (kept->statement.len > APPROVAL_STATEMENT_MAX || kept->n_values > APPROVAL_VALUES_MAX ||
        kept->n_effects > APPROVAL_EFFECTS_MAX || strlen(kept->preview) > APPROVAL_PREVIEW_MAX)
        abort();
    if (kept->statement.len + kept->omitted != whole->statement.len ||
        kept->n_effects + kept->effects_omitted != whole->n_effects)
        abort();
    for (size_t i = 0; i < kept->n_values; i++)
        if (kept->values[i]->value.len > APPROVAL_VALUE_MAX)
            abort();
    for (size_t i = 0; i < kept->n_effects; i++)
        if (strlen(kept->effects[i]) > APPROVAL_EFFECT_MAX)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const struct approval_subject subject = { "sql", "corp/bot", "", "orders", "app", "p" };
    uint8_t first[APPROVAL_DIGEST], again[APPROVAL_DIGEST];
    Ipc__ApprovalContent *whole = ipc__approval_content__unpack(NULL, n, bytes), *kept = NULL;

    if (!whole)
        return 0;
    approval_digest(&subject, whole, first);
    if (approval_cut(whole, &kept) == 0) {
        check(whole, kept);
        /* What fits is kept whole: the digest of it is the same. */
        approval_digest(&subject, kept, again);
        if (!kept->omitted && !kept->values_omitted && !kept->effects_omitted &&
            whole->n_context <= APPROVAL_CONTEXT_MAX && n < APPROVAL_EFFECT_MAX &&
            memcmp(first, again, sizeof first) != 0)
            abort();
        ipc__approval_content__free_unpacked(kept, NULL);
    }
    ipc__approval_content__free_unpacked(whole, NULL);
    return 0;
}
