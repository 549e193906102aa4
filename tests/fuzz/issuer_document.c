/* Whatever a provider writes into its documents: what is taken is fit to be fetched from, or to be shown. */
#include <stdlib.h>
#include <string.h>
#include "policy/token.h"
#include "server/issuer_document.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void must_be_plain(const char *text, size_t max)
{
    must(text && text[0] && strlen(text) <= max);
    for (; *text; text++)
        must(*text > ' ' && *text <= '~');
}

static void must_be_https(const char *url)
{
    must_be_plain(url, DOCUMENT_URL_MAX);
    must(strncmp(url, "https://", 8) == 0);
}

static void try_discovery(const char *bytes, size_t n)
{
    struct discovery found = { 0 };
    struct detail detail = { "" };
    if (discovery_parse(bytes, n, "https://idp.example.com", &found, &detail)) {
        must(detail.text[0] && !found.jwks_uri && !found.token && !found.device_authorization);
        return;
    }
    must_be_https(found.jwks_uri);
    if (found.token)
        must_be_https(found.token);
    if (found.device_authorization)
        must_be_https(found.device_authorization);
    discovery_free(&found);
}

static void try_device_answer(const char *bytes, size_t n)
{
    struct device_answer found = { 0 };
    struct detail detail = { "" };
    if (device_answer_parse(bytes, n, &found, &detail)) {
        must(detail.text[0] && !found.device_code && !found.user_code);
        return;
    }
    must_be_plain(found.device_code, DOCUMENT_CODE_MAX);
    must_be_plain(found.user_code, DOCUMENT_USER_CODE_MAX);
    must_be_plain(found.uri, DOCUMENT_URL_MAX);
    if (found.complete_uri)
        must_be_plain(found.complete_uri, DOCUMENT_URL_MAX);
    must(found.expires_s > 0);
    device_answer_free(&found);
}

static void try_token_answer(const char *bytes, size_t n)
{
    struct token_answer found = { 0 };
    struct detail detail = { "" };
    char error[64];
    must(document_error(bytes, n, error, sizeof error) == (error[0] != 0));
    for (const char *c = error; *c; c++)
        must((unsigned char)*c >= ' ' && *c != 0x7f);
    if (token_answer_parse(bytes, n, &found, &detail)) {
        must(detail.text[0] && !found.id_token);
        return;
    }
    must((found.kind == TOKEN_ANSWER_TOKEN) == (found.id_token != NULL));
    must((found.kind == TOKEN_ANSWER_REFUSED) == (detail.text[0] != 0));
    if (found.id_token)
        must_be_plain(found.id_token, TOKEN_MAX);
    token_answer_free(&found);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    try_discovery((const char *)bytes, n);
    try_device_answer((const char *)bytes, n);
    try_token_answer((const char *)bytes, n);
    return 0;
}
