/* gatehouse token: an ID token of a local issuer, for sites without an identity provider and for tests. The
 * key is read by whoever may read the state directory; a running bastion never has it. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/io.h"
#include "base/text.h"
#include "policy/mint.h"
#include "policy/token.h"
#include "server/gatehouse.h"
#include "server/options.h"

enum {
    TTL_MIN_MS = 1000,
    TTL_MAX_MS = 24 * 60 * 60 * 1000, /* a token can't be taken back */
    KEY_FILE_MAX = 64 * 1024,         /* bytes */
    JTI_BYTES = 16,
    NAME_SHOWN = 80, /* bytes of a claim's name in a message */
};
static const char TTL_DEFAULT[] = "5m";
static const char USAGE[] =
    "token --issuer NAME --sub SUB [--claim K=V]... [--claim-json K=JSON]... [--ttl 5m] [-c FILE]";

/* What the command line has options for, or what nobody but the mint may say (RFC 7519 §4.1). */
static const char *const RESERVED[] = { "iss", "sub", "aud", "exp", "nbf", "iat", "jti" };

struct request {
    const char *path, *issuer, *sub, *ttl;
    struct option_values claims, json_claims;
};

static void json_free(json_t *json)
{
    json_decref(json);
}
DEFINE_CLEANUP(json_t *, json_free)

static void config_free(Ipc__Config *config)
{
    if (config)
        ipc__config__free_unpacked(config, NULL);
}
DEFINE_CLEANUP(Ipc__Config *, config_free)

/* ---- the claims ---- */

/* "NAME=VALUE" of the command line: *ret_name is malloc'ed, the value borrowed. 0 or an exit status. */
static int split(const char *option, const char *word, char **ret_name, const char **ret_value)
{
    const char *equals = strchr(word, '=');

    if (!equals || equals == word)
        return gatehouse_fail(EXIT_USAGE, "%s %.*s: write NAME=VALUE", option, NAME_SHOWN, word);
    char *name = strndup(word, (size_t)(equals - word));
    if (!name)
        return gatehouse_fail(EXIT_SOFTWARE, "out of memory");
    for (size_t i = 0; i < sizeof RESERVED / sizeof *RESERVED; i++) {
        if (strcmp(RESERVED[i], name) != 0)
            continue;
        free(name);
        return gatehouse_fail(EXIT_USAGE, "%s can't set \"%s\": that is for %s", option, RESERVED[i],
                              strcmp(RESERVED[i], "sub") == 0   ? "--sub"
                              : strcmp(RESERVED[i], "exp") == 0 ? "--ttl"
                              : strcmp(RESERVED[i], "iss") == 0 ? "--issuer"
                                                                : "gatehouse itself");
    }
    *ret_name = name;
    *ret_value = equals + 1;
    return 0;
}

/* A second value makes a list of both; groups are one from the beginning. Takes over the value. */
static int add_value(json_t *claims, const char *name, json_t *value, bool is_list)
{
    json_t *there = json_object_get(claims, name);

    if (!there && !is_list)
        return json_object_set_new(claims, name, value);
    if (json_is_array(there))
        return json_array_append_new(there, value);
    json_t *list = json_array();
    if (there)
        (void)json_array_append(list, there);
    (void)json_array_append_new(list, value);
    return json_object_set_new(claims, name, list);
}

static int add_claim(json_t *claims, const char *word, const Ipc__Issuer *issuer)
{
    CLEANUP(free) char *name = NULL;
    const char *text = NULL;

    int r = split("--claim", word, &name, &text);
    if (r)
        return r;
    json_t *value = json_string(text);
    if (!value || add_value(claims, name, value, strcmp(name, issuer->groups_claim) == 0))
        return gatehouse_fail(EXIT_USAGE, "--claim %.*s: not UTF-8 text", NAME_SHOWN, name);
    return 0;
}

static int add_json_claim(json_t *claims, const char *word)
{
    CLEANUP(free) char *name = NULL;
    const char *text = NULL;
    json_error_t error;

    int r = split("--claim-json", word, &name, &text);
    if (r)
        return r;
    if (json_object_get(claims, name))
        return gatehouse_fail(EXIT_USAGE, "--claim-json %.*s: it has a value already", NAME_SHOWN, name);
    json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
    if (!value)
        return gatehouse_fail(EXIT_DATA, "--claim-json %.*s: this is no JSON: %s", NAME_SHOWN, name,
                              error.text);
    if (json_object_set_new(claims, name, value))
        return gatehouse_fail(EXIT_USAGE, "--claim-json %.*s: not UTF-8 text", NAME_SHOWN, name);
    return 0;
}

/* What every token has. Of several audiences one is enough: the first. */
static json_t *registered_claims(const struct request *request, const Ipc__Issuer *issuer, uint64_t ttl_ms)
{
    char jti[sodium_base64_ENCODED_LEN(JTI_BYTES, sodium_base64_VARIANT_URLSAFE_NO_PADDING)];
    unsigned char random[JTI_BYTES];
    json_int_t now = (json_int_t)time(NULL);

    randombytes_buf(random, sizeof random);
    sodium_bin2base64(jti, sizeof jti, random, sizeof random, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:s}", "iss", issuer->issuer, "sub", request->sub, "aud",
                     issuer->audiences[0], "iat", now, "nbf", now, "exp", now + (json_int_t)(ttl_ms / 1000),
                     "jti", jti);
}

static int make_claims(const struct request *request, const Ipc__Issuer *issuer, json_t **ret)
{
    uint64_t ttl_ms = 0;

    if (!text_to_duration(request->ttl, &ttl_ms) || ttl_ms < TTL_MIN_MS || ttl_ms > TTL_MAX_MS)
        return gatehouse_fail(EXIT_USAGE, "--ttl %.*s: write a duration from 1s to 24h", NAME_SHOWN,
                              request->ttl);
    CLEANUP(json_free) json_t *claims = registered_claims(request, issuer, ttl_ms);
    if (!claims)
        return gatehouse_fail(EXIT_USAGE, "--sub: not UTF-8 text");
    for (size_t i = 0; i < request->claims.count; i++) {
        int r = add_claim(claims, request->claims.items[i], issuer);
        if (r)
            return r;
    }
    for (size_t i = 0; i < request->json_claims.count; i++) {
        int r = add_json_claim(claims, request->json_claims.items[i]);
        if (r)
            return r;
    }
    *ret = STEAL(claims);
    return 0;
}

/* ---- the signature ---- */

static int read_key(const Ipc__Issuer *issuer, struct mint **ret)
{
    CLEANUP(fd_close) int fd = open(issuer->key_file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    CLEANUP(free) uint8_t *bytes = NULL;
    struct detail detail = { "" };
    size_t n = 0;

    if (fd < 0)
        return gatehouse_fail(EXIT_DATA, "%s: %s", issuer->key_file, strerror(errno));
    int r = fd_contents(fd, KEY_FILE_MAX, &bytes, &n);
    if (!r)
        r = mint_new(bytes, n, ret, &detail);
    if (bytes)
        explicit_bzero(bytes, n);
    return r ? gatehouse_fail(EXIT_DATA, "%s: %s", issuer->key_file,
                              detail.text[0] ? detail.text : strerror(-r))
             : 0;
}

/* A token that the bastion will refuse for what it says is minted all the same, but not in silence. */
static void note_unfit_claims(const char *text, const Ipc__Issuer *issuer, const Ipc__Config *config)
{
    CLEANUP(token_free) struct token *token = NULL;
    struct detail detail = { "" };
    Ipc__Claims *claims = NULL;

    int r = token_parse(text, strlen(text), &token, &detail);
    if (!r)
        r = token_claims(token, issuer, config, &claims, &detail);
    if (r > 0)
        (void)gatehouse_fail(0, "note: this token will be refused: %s", detail.text);
    if (claims)
        ipc__claims__free_unpacked(claims, NULL);
}

static int print_token(const Ipc__Issuer *issuer, const Ipc__Config *config, const json_t *claims)
{
    CLEANUP(mint_free) struct mint *mint = NULL;
    CLEANUP(free) char *text = json_dumps(claims, JSON_COMPACT), *token = NULL;

    if (!text)
        return gatehouse_fail(EXIT_SOFTWARE, "out of memory");
    int r = read_key(issuer, &mint);
    if (r)
        return r;
    r = mint_token(mint, text, &token);
    if (r == -EMSGSIZE || (!r && strlen(token) > TOKEN_MAX))
        return gatehouse_fail(EXIT_DATA, "the token would be longer than %d KiB", TOKEN_MAX / 1024);
    if (r)
        return gatehouse_fail(EXIT_SOFTWARE, "the token can't be signed: %s", strerror(-r));
    note_unfit_claims(token, issuer, config);
    if (puts(token) < 0 || fflush(stdout) != 0)
        return gatehouse_fail(EXIT_DATA, "standard output: %s", strerror(errno));
    return 0;
}

static int find_issuer(const Ipc__Config *config, const char *name, const Ipc__Issuer **ret)
{
    for (size_t i = 0; i < config->n_issuers; i++) {
        if (strcmp(config->issuers[i]->name, name) != 0)
            continue;
        if (!config->issuers[i]->key_file[0])
            return gatehouse_fail(EXIT_DATA, "issuer \"%s\" has no key_file: its tokens come from elsewhere",
                                  name);
        *ret = config->issuers[i];
        return 0;
    }
    return gatehouse_fail(EXIT_DATA, "%s has no issuer \"%.*s\"", config->path, NAME_SHOWN, name);
}

int gatehouse_token(int argc, char **argv)
{
    struct request request = { .path = gatehouse_default_config, .ttl = TTL_DEFAULT };
    const struct option_spec specs[] = { { .name = "-c", .value = &request.path },
                                         { .name = "--issuer", .value = &request.issuer },
                                         { .name = "--sub", .value = &request.sub },
                                         { .name = "--ttl", .value = &request.ttl },
                                         { .name = "--claim", .values = &request.claims },
                                         { .name = "--claim-json", .values = &request.json_claims },
                                         { 0 } };
    if (!options_take(&argc, argv, specs))
        return EXIT_USAGE;
    if (argc > 1 || !request.issuer || !request.sub || !request.sub[0])
        return gatehouse_fail(EXIT_USAGE, "%s", USAGE);
    CLEANUP(config_free) Ipc__Config *config = NULL;
    CLEANUP(json_free) json_t *claims = NULL;
    const Ipc__Issuer *issuer = NULL;
    int r = gatehouse_load(request.path, &config);
    if (!r)
        r = find_issuer(config, request.issuer, &issuer);
    if (!r)
        r = make_claims(&request, issuer, &claims);
    return r ? r : print_token(issuer, config, claims);
}
