/* Why a transfer failed, for the log and for the person who waits. */
#pragma once
#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FAULT_MAX = CURL_ERROR_SIZE + 160 }; /* bytes of a text */

struct fault {
    CURLcode code;
    bool body_too_large, header_too_large; /* then that is why we ended it */
    uint32_t timeout_ms;
    long os_error;     /* of connect(); 0: not known */
    const char *words; /* curl's own, which may hold bytes of the server: they follow in brackets, escaped */
};

void fault_say(const struct fault *fault, char *out, size_t size);
