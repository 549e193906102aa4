/* Writes one recording: requests before they go out, output before it is shown. docs/recording-format.md */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/ipc.h"

enum {
    RECORDER_TEXT_MAX = 64 * 1024, /* bytes of one statement that are kept */
    RECORDER_APPROVAL_MAX =
        48 * 1024, /* bytes of one approval event; older decisions beyond it are left out */
};

struct recorder;

/* fd: opened O_APPEND by the ledger; the recorder's from here on, also on failure. answer is borrowed, its
 * chain key is wiped. output_limit: bytes of output and input that are kept. synced: every event is on the
 * disk, not only in the kernel, before the call returns. -EINVAL for an answer that no ledger sends. */
MUST_USE int recorder_new(int fd, Ipc__AnswerRecording *answer, uint64_t output_limit, bool synced,
                          struct recorder **ret);
void recorder_free(struct recorder *recorder);
DEFINE_CLEANUP(struct recorder *, recorder_free)

const char *recorder_id(const struct recorder *recorder);
/* An append has failed: none will succeed any more. */
bool recorder_failed(const struct recorder *recorder);
uint64_t recorder_entries(const struct recorder *recorder); /* for Finished */
uint64_t recorder_next(const struct recorder *recorder); /* the number that the next request gets, from 1 */

/* Each appends one event. Negative errno: it is not in the recording, nor will anything be from now on, and
 * the session must stop (recording_unavailable). Nothing may be sent or shown that was not appended. */

/* Fills in number and omitted; text: the statement, of which RECORDER_TEXT_MAX bytes are kept. */
MUST_USE int recorder_request(struct recorder *recorder, Ipc__Request *request, const void *text, size_t n);
MUST_USE int recorder_output(struct recorder *recorder, uint32_t stream, const char *form, const void *bytes,
                             size_t n);
MUST_USE int recorder_input(struct recorder *recorder, uint32_t stream, const char *form, const void *bytes,
                            size_t n);
/* Something was typed that did not show (channels/ssh/echo.h). */
MUST_USE int recorder_hidden(struct recorder *recorder);
MUST_USE int recorder_resize(struct recorder *recorder, uint32_t columns, uint32_t rows);
MUST_USE int recorder_transfer(struct recorder *recorder, Ipc__Transfer *transfer);
/* Bytes that went either way and are not kept; the end of the recording has their number. */
void recorder_count(struct recorder *recorder, uint64_t in, uint64_t out);
/* A step of a request of this session for approval. */
MUST_USE int recorder_approval(struct recorder *recorder, Ipc__ApprovalNews *news);
MUST_USE int recorder_note(struct recorder *recorder, const char *text);
/* How much was left out, then the end; the last call before recorder_free. */
MUST_USE int recorder_end(struct recorder *recorder, uint32_t status, const char *reason);
