/* See courier_fault.h. */
#include "server/courier_fault.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "policy/token.h"
#include "server/courier_web.h"

static const char *why_tls(CURLcode code)
{
    switch ((int)code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
        return "the server's certificate is not trusted";
    case CURLE_SSL_CACERT_BADFILE:
        return "the trusted CA certificates can't be read (tls_ca, or the package ca-certificates)";
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CIPHER:
        return "the TLS connection failed";
    default:
        return NULL;
    }
}

static const char *why(CURLcode code)
{
    switch ((int)code) {
    case CURLE_COULDNT_RESOLVE_HOST:
        return "its host name can't be resolved";
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_PARTIAL_FILE:
        return "the connection was lost";
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_HTTP2:
        return "the answer is not HTTP";
    default:
        return why_tls(code);
    }
}

static void say_connect(long number, char *out, size_t size)
{
    if (number == 0)
        number = ECONNREFUSED;
    (void)snprintf(out, size, "%s", number == ECONNREFUSED ? "connection refused" : strerror((int)number));
}

void fault_say(const struct fault *fault, char *out, size_t size)
{
    char words[CURL_ERROR_SIZE];
    const char *text = why(fault->code);
    (void)text_escape(words, sizeof words, fault->words, strlen(fault->words), false);
    if (fault->body_too_large || fault->code == CURLE_FILESIZE_EXCEEDED)
        (void)snprintf(out, size, "the answer is larger than %d KiB", TOKEN_JWKS_MAX / 1024);
    else if (fault->header_too_large)
        (void)snprintf(out, size, "the answer's header is larger than %d KiB", WEB_HEADER_MAX / 1024);
    else if (fault->code == CURLE_OPERATION_TIMEDOUT)
        (void)snprintf(out, size, "timed out after %.3g s", fault->timeout_ms / 1000.0);
    else if (fault->code == CURLE_COULDNT_CONNECT)
        say_connect(fault->os_error, out, size);
    else if (text && words[0])
        (void)snprintf(out, size, "%s (%s)", text, words);
    else
        (void)snprintf(out, size, "%s", text ? text : words[0] ? words : curl_easy_strerror(fault->code));
}
