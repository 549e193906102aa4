/* What `policy explain` prints, piece by piece. Private to policy/explain*. */
#pragma once
#include "policy/explain.h"
#include "policy/holders.h"

enum {
    SHOWN_STATEMENT = 300, /* bytes of a statement that its heading repeats */
    SHOWN_MAX = 4096,      /* bytes of any text, escaped */
};

/* Sticky, like a reader: the first failure stays. */
struct page {
    struct buffer *out;
    int error;
};

void page_put(struct page *page, const char *text);
/* What came from the user or the configuration. */
void page_put_escaped(struct page *page, const char *text);
void page_put_bytes(struct page *page, const char *bytes, size_t n);
/* A statement behind its heading, cut to SHOWN_STATEMENT, and the end of the line. */
void page_put_request(struct page *page, const char *heading, const char *text, size_t n);
void page_put_verdict(struct page *page, const struct verdict *verdict);
/* Each effect with what is decided about it. */
void page_put_effects(struct page *page, const struct rulebook *rulebook, const struct circumstances *who,
                      const struct effects *effects);
/* The verdict, who is asked, and what to do next. */
void page_put_end(struct page *page, const struct verdict *verdict, const struct holders *holders);

/* ---- its parts ---- */

MUST_USE int explain_kube(struct page *page, const struct rulebook *rulebook, const struct circumstances *who,
                          const struct explain_request *request, enum action *ret_action);
