/* `gatehouse policy test`: a table of statements and the verdicts that they must get. docs/policy.md has the
 * format. */
#pragma once
#include "base/buffer.h"
#include "policy/config.h"

enum {
    POLICY_TEST_FILE_MAX = 4 * 1024 * 1024, /* bytes */
    POLICY_TEST_STATEMENT_MAX = 256 * 1024, /* bytes of one statement */
};

struct policy_score {
    size_t passed, failed;
};

/* Runs all cases of the file; appends a paragraph for each difference, and the score, to out. 0 when there
 * was no fault in the file, whatever the score; 1 and the faults; or negative errno. Call sql_start() before.
 */
MUST_USE int policy_test(const Ipc__Config *config, const char *path, struct buffer *out,
                         struct policy_score *ret, struct config_faults *faults);
