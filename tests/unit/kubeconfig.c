/* Kubeconfigs: what is taken over from them, and what is not and why. */
#include "check.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/io.h"
#include "base/text.h"
#include "keygen.h"
#include "tls_house.h"
#include "vault/admin.h"
#include "vault/import.h"
#include "vault/kubeconfig.h"

#define CONTEXT                                                                                              \
    "apiVersion: v1\nkind: Config\ncurrent-context: prod\npreferences: {}\ncontexts:\n"                      \
    "- name: other\n  context: {cluster: nowhere, user: nobody}\n"                                           \
    "- name: prod\n  context: {cluster: c, user: u, namespace: apps}\n"
#define CLUSTER(fields) "clusters:\n- name: c\n  cluster: {" fields "}\n"
#define USER(fields)    "users:\n- name: nobody\n  user: {token: n0t-this}\n- name: u\n  user: {" fields "}\n"
#define SERVER          "server: \"https://10.0.0.9:6443\""
#define SECRET          "abc.DEF-123_~+/=="

enum { TEXT_MAX = 64 * 1024 };

static char directory[KEYGEN_PATH];
static char *ca, *certificate, *key, *past, *past_key; /* base64 of PEM */

static char *encoded(const char *name)
{
    size_t n;
    CLEANUP(free) char *bytes = keygen_read(directory, name, &n);
    char *out = malloc(4 * ((n + 2) / 3) + 1);

    return text_base64(out, bytes, n);
}

static int start_all(void **state)
{
    (void)state;
    keygen_directory(directory);
    tls_make_ca(directory, "ca");
    tls_make_certificate(directory, "client", "admin", "extendedKeyUsage=clientAuth", "2");
    tls_make_certificate(directory, "past", "admin", "extendedKeyUsage=clientAuth", "-1");
    ca = encoded("ca.pem");
    certificate = encoded("client.pem");
    key = encoded("client.key");
    past = encoded("past.pem");
    past_key = encoded("past.key");
    return 0;
}

static int stop_all(void **state)
{
    char *const all[] = { ca, certificate, key, past, past_key };

    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    keygen_remove(directory);
    return 0;
}

/* $CA, $CERT and $KEY stand for what was made; $PAST and $PASTKEY have expired. */
static void fill(const char *text, char out[TEXT_MAX])
{
    const struct {
        const char *word, *value;
    } words[] = {
        { "$CA", ca }, { "$CERT", certificate }, { "$KEY", key }, { "$PASTKEY", past_key }, { "$PAST", past }
    };
    size_t n = 0;

    while (*text) {
        size_t i = 0;

        while (i < 5 && strncmp(text, words[i].word, strlen(words[i].word)) != 0)
            i++;
        if (i == 5) {
            out[n++] = *text++;
            continue;
        }
        n += (size_t)snprintf(out + n, TEXT_MAX - n, "%s", words[i].value);
        text += strlen(words[i].word);
    }
    out[n] = '\0';
}

static int read_it(const char *text, struct kubeconfig **ret, struct detail *detail)
{
    char filled[TEXT_MAX];

    fill(text, filled);
    *detail = (struct detail){ "" };
    return kubeconfig_read((const uint8_t *)filled, strlen(filled), ret, detail);
}

static void the_token_of_the_current_context_is_taken(void **state)
{
    static const char *const texts[] = {
        CONTEXT CLUSTER(SERVER ", certificate-authority-data: $CA, tls-server-name: api.example")
            USER("token: " SECRET),
        /* JSON is YAML too. */
        "{\"kind\":\"Config\",\"current-context\":\"prod\",\"contexts\":[{\"name\":\"prod\",\"context\":{"
        "\"cluster\":\"c\","
        "\"user\":\"u\"}}],\"clusters\":[{\"name\":\"c\",\"cluster\":{\"server\":\"https://10.0.0.9:6443\","
        "\"tls-server-name\":\"api.example\",\"certificate-authority-data\":\"$CA\"}}],"
        "\"users\":[{\"name\":\"u\",\"user\":{\"token\":\"" SECRET "\"}}]}",
    };
    CLEANUP(free) char *pem = keygen_read(directory, "ca.pem", NULL);

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        CLEANUP(kubeconfig_free) struct kubeconfig *config = NULL;
        struct detail detail;

        if (read_it(texts[i], &config, &detail))
            fail_msg("%s", detail.text);
        assert_int_equal(config->type, SEALED_TOKEN);
        assert_int_equal(secret_size(config->secret), strlen(SECRET));
        assert_memory_equal(secret_bytes(config->secret), SECRET, strlen(SECRET));
        assert_string_equal(config->server, "https://10.0.0.9:6443");
        assert_string_equal(config->tls_server_name, "api.example");
        assert_string_equal(config->context, "prod");
        assert_string_equal(config->ca, pem);
        assert_int_equal(config->n_notes, 0);
    }
}

static void a_client_certificate_becomes_one_text_with_its_key(void **state)
{
    CLEANUP(kubeconfig_free) struct kubeconfig *config = NULL;
    CLEANUP(free) char *pem = keygen_read(directory, "client.pem", NULL);
    CLEANUP(free) char *pem_key = keygen_read(directory, "client.key", NULL);
    struct detail detail;
    char expected[8192];

    (void)state;
    if (read_it(CONTEXT CLUSTER(SERVER ", certificate-authority-data: $CA")
                    USER("client-certificate-data: $CERT, client-key-data: $KEY"),
                &config, &detail))
        fail_msg("%s", detail.text);
    snprintf(expected, sizeof expected, "%s\n%s", pem, pem_key);
    assert_int_equal(config->type, SEALED_CLIENT_CERT);
    assert_int_equal(secret_size(config->secret), strlen(expected));
    assert_memory_equal(secret_bytes(config->secret), expected, strlen(expected));
}

static void what_was_not_taken_over_is_noted(void **state)
{
    static const struct {
        const char *text, *note;
    } cases[] = {
        { CONTEXT CLUSTER(SERVER) USER("token: a"), "it has no CA" },
        { CONTEXT CLUSTER(SERVER ", insecure-skip-tls-verify: true") USER("token: a"),
          "which is always checked" },
        { CONTEXT CLUSTER(SERVER ", certificate-authority: /etc/ca.crt") USER("token: a"), "--flatten" },
        { CONTEXT CLUSTER(SERVER ", certificate-authority-data: $CA, proxy-url: http://proxy.example")
              USER("token: a"),
          "proxy-url" },
        { CONTEXT CLUSTER("server: https://api.example/k8s/clusters/c1, certificate-authority-data: $CA")
              USER("token: a"),
          "the server has a path" },
        { CONTEXT CLUSTER(SERVER ", certificate-authority-data: $CA") USER("token: a, as: admin"),
          "impersonates" },
        { CONTEXT CLUSTER(SERVER ", certificate-authority-data: $CA")
              USER("token: a, client-certificate-data: $CERT, client-key-data: $KEY"),
          "it has a token too" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CLEANUP(kubeconfig_free) struct kubeconfig *config = NULL;
        struct detail detail;

        if (read_it(cases[i].text, &config, &detail))
            fail_msg("%zu: %s", i, detail.text);
        assert_int_equal(config->n_notes, 1);
        if (!strstr(config->notes[0].text, cases[i].note))
            fail_msg("\"%s\" without \"%s\"", config->notes[0].text, cases[i].note);
    }
}

static void what_can_not_be_kept_is_refused_with_its_reason(void **state)
{
    static const struct {
        const char *text, *reason;
    } cases[] = {
        { CONTEXT CLUSTER(SERVER) USER("exec: {command: aws}"), "from a program (exec)" },
        { CONTEXT CLUSTER(SERVER) USER("exec: {command: aws}, token: " SECRET), "from a program (exec)" },
        { CONTEXT CLUSTER(SERVER) USER("auth-provider: {name: gcp}"), "plug-in (auth-provider)" },
        { CONTEXT CLUSTER(SERVER) USER("username: admin, password: " SECRET), "with a password" },
        { CONTEXT CLUSTER(SERVER) USER("tokenFile: /etc/shadow"), "--type token" },
        { CONTEXT CLUSTER(SERVER) USER("client-certificate: a.crt, client-key: a.key"), "--flatten" },
        { CONTEXT CLUSTER(SERVER) USER("client-certificate-data: $CERT, client-key: a.key"), "--flatten" },
        { CONTEXT CLUSTER(SERVER) USER("client-certificate-data: $CERT"), "client-key-data is not base64" },
        { CONTEXT CLUSTER(SERVER) USER("client-certificate-data: $KEY, client-key-data: $KEY"),
          "no certificate" },
        { CONTEXT CLUSTER(SERVER) USER("client-certificate-data: $PAST, client-key-data: $KEY"),
          "not that of the first" },
        { CONTEXT CLUSTER(SERVER) USER("client-certificate-data: $PAST, client-key-data: $PASTKEY"),
          "expired on" },
        { CONTEXT CLUSTER(SERVER) USER("client-certificate-data: \"%%%%\", client-key-data: $KEY"),
          "not base64" },
        { CONTEXT CLUSTER(SERVER) USER("token: \"two words\""), "no bearer token" },
        { CONTEXT CLUSTER(SERVER) USER("token: \"a\\nb\""), "no bearer token" },
        { CONTEXT CLUSTER(SERVER) USER("token: \"a\\0b\""), "no bearer token" },
        { CONTEXT CLUSTER(SERVER) USER("token: ~"), "neither a token nor" },
        { CONTEXT CLUSTER(SERVER) USER(""), "neither a token nor" },
        { CONTEXT CLUSTER("server: http://10.0.0.9") USER("token: a"), "not https://" },
        { CONTEXT CLUSTER("certificate-authority-data: $CA") USER("token: a"), "not https://" },
        { CONTEXT CLUSTER("server: \"https://10.0.0.9\\n    credential: b\"") USER("token: a"),
          "not https://" },
        { CONTEXT CLUSTER("server: \"https://10.0.0.9 #b\"") USER("token: a"), "not https://" },
        { CONTEXT CLUSTER(SERVER ", tls-server-name: \"a: b\"") USER("token: a"), "tls-server-name" },
        { CONTEXT CLUSTER(SERVER ", certificate-authority-data: $KEY") USER("token: a"),
          "holds no certificate" },
        { CONTEXT CLUSTER(SERVER ", certificate-authority-data: [x]") USER("token: a"), "not base64" },
        { CONTEXT USER("token: a"), "clusters has no cluster \"c\"" },
        { CONTEXT CLUSTER(SERVER) "users: {u: x}\n", "users has no user \"u\"" },
        { CONTEXT CLUSTER(SERVER) "users:\n- name: u\n  user: {token: a}\n- name: u\n  user: {token: b}\n",
          "two entries \"u\"" },
        { "current-context: none\ncontexts: []\n", "contexts has no context \"none\"" },
        { "kind: Config\ncontexts: []\n", "no current-context" },
        { "current-context: \"\"\n", "no current-context" },
        { "current-context: a\ncontexts: [{name: a, context: {}}]\n", "clusters has no cluster \"\"" },
        { "kind: Pod\n", "no kubeconfig" },
        { "[]", "no kubeconfig" },
        { "text", "no kubeconfig" },
        { "", "no kubeconfig" },
        { "a: &x " SECRET "\nb: *x\n", "anchors" },
        { "a: {b: [}", "line 1" },
        { "\xff\xfe", "not UTF-8" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct kubeconfig *config = NULL;
        struct detail detail;

        assert_int_not_equal(read_it(cases[i].text, &config, &detail), 0);
        assert_null(config);
        if (!strstr(detail.text, cases[i].reason))
            fail_msg("%zu: \"%s\" without \"%s\"", i, detail.text, cases[i].reason);
        assert_null(strstr(detail.text, SECRET));
        assert_null(strstr(detail.text, "n0t-this"));
    }
}

static void a_kubeconfig_has_a_limit(void **state)
{
    static const char text[] = CONTEXT CLUSTER(SERVER) USER("token: a");
    CLEANUP(free) uint8_t *bytes = malloc(KUBECONFIG_MAX + 1);

    (void)state;
    memset(bytes, '\n', KUBECONFIG_MAX + 1);
    memcpy(bytes, text, strlen(text));
    for (size_t n = KUBECONFIG_MAX; n <= KUBECONFIG_MAX + 1; n++) {
        CLEANUP(kubeconfig_free) struct kubeconfig *config = NULL;

        assert_int_equal(kubeconfig_read(bytes, n, &config, NULL), n == KUBECONFIG_MAX ? 0 : -EBADMSG);
    }
}

/* ---- the command ---- */

static char *contents(FILE *file)
{
    char *text = calloc(1, TEXT_MAX);

    rewind(file);
    (void)!fread(text, 1, TEXT_MAX - 1, file);
    fclose(file);
    return text;
}

static void an_import_keeps_the_credential_and_prints_the_rest(void **state)
{
    char filled[TEXT_MAX];
    CLEANUP(fd_close) int fd = -1;
    FILE *out = tmpfile(), *said = tmpfile(), *list = tmpfile();
    struct detail detail = { "" };

    (void)state;
    assert_int_equal(vault_admin_init(directory, NULL), 0);
    fill(CONTEXT CLUSTER(SERVER ", certificate-authority-data: $CA") USER("token: " SECRET), filled);
    assert_int_equal(fd_of_bytes("stdin", filled, strlen(filled), &fd), 0);
    if (vault_import(directory, "prod", fd, out, said, &detail))
        fail_msg("%s", detail.text);
    assert_int_equal(vault_admin_list(directory, list, false, NULL), 0);
    CLEANUP(free) char *out_text = contents(out);
    CLEANUP(free) char *said_text = contents(said);
    CLEANUP(free) char *list_text = contents(list);
    CLEANUP(free) char *pem = keygen_read(directory, "ca.pem", NULL);
    assert_string_equal(out_text, pem);
    assert_non_null(strstr(said_text, "prod holds the token of the context \"prod\""));
    assert_non_null(strstr(said_text,
                           "  - name: prod\n    kind: kubernetes\n    address: https://10.0.0.9:6443\n"
                           "    credential: prod\n    tls_ca: prod-ca.crt\n"));
    assert_null(strstr(said_text, SECRET));
    assert_non_null(strstr(list_text, "prod  token"));
}

static void an_import_that_fails_changes_nothing(void **state)
{
    static const char text[] = CONTEXT CLUSTER(SERVER) USER("exec: {command: aws}");
    FILE *out = tmpfile(), *said = tmpfile(), *list = tmpfile();
    struct detail detail = { "" };

    (void)state;
    for (size_t n = 0; n < sizeof text; n += sizeof text - 1) {
        CLEANUP(fd_close) int fd = -1;

        assert_int_equal(fd_of_bytes("stdin", text, n, &fd), 0);
        assert_int_not_equal(vault_import(directory, "aws", fd, out, said, &detail), 0);
        assert_non_null(strstr(detail.text,
                               n ? "kubeconfig: its credential comes from a program" : "no kubeconfig came"));
    }
    assert_int_equal(vault_admin_list(directory, list, false, NULL), 0);
    CLEANUP(free) char *out_text = contents(out);
    CLEANUP(free) char *said_text = contents(said);
    CLEANUP(free) char *list_text = contents(list);
    assert_string_equal(out_text, "");
    assert_string_equal(said_text, "");
    assert_null(strstr(list_text, "aws"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_token_of_the_current_context_is_taken),
        cmocka_unit_test(a_client_certificate_becomes_one_text_with_its_key),
        cmocka_unit_test(what_was_not_taken_over_is_noted),
        cmocka_unit_test(what_can_not_be_kept_is_refused_with_its_reason),
        cmocka_unit_test(a_kubeconfig_has_a_limit),
        cmocka_unit_test(an_import_keeps_the_credential_and_prints_the_rest),
        cmocka_unit_test(an_import_that_fails_changes_nothing),
    };

    return cmocka_run_group_tests(tests, start_all, stop_all);
}
