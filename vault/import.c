/* See import.h. */
#include "vault/import.h"

#include <errno.h>
#include <string.h>

#include "vault/admin_parts.h"
#include "vault/kubeconfig.h"

static int read_config(int fd, struct kubeconfig **ret, struct detail *detail)
{
    CLEANUP(secret_free) struct secret *input = NULL;
    struct detail why = { "" };
    size_t n = 0;
    int r = secret_new(KUBECONFIG_MAX + 1, &input);

    if (!r)
        r = admin_read(fd, secret_bytes(input), secret_size(input), &n);
    if (r)
        return detail_fail(detail, r, "the kubeconfig can't be read from standard input: %s", strerror(-r));
    if (n == 0)
        return detail_fail(detail, -EINVAL, "no kubeconfig came on standard input");
    r = kubeconfig_read(secret_bytes(input), n, ret, &why);
    return r ? detail_fail(detail, r, "kubeconfig: %s", why.text[0] ? why.text : strerror(-r)) : 0;
}

static void explain(const struct kubeconfig *config, const char *name, FILE *said)
{
    fprintf(said,
            "%s holds the %s of the context \"%s\". For gatehouse.yaml:\n\n"
            "targets:\n  - name: %s\n    kind: kubernetes\n    address: %s\n    credential: %s\n    tls_ca: "
            "%s-ca.crt\n",
            name, config->type == SEALED_TOKEN ? "token" : "client certificate", config->context, name,
            config->server, name, name);
    if (config->tls_server_name[0])
        fprintf(said, "    tls_server_name: %s\n", config->tls_server_name);
    if (config->ca)
        fprintf(said, "\nThe certificate of its CA is on standard output: put it into that file.\n");
    for (size_t i = 0; i < config->n_notes; i++)
        fprintf(said, "%snote: %s\n", i ? "" : "\n", config->notes[i].text);
}

int vault_import(const char *state, const char *name, int fd, FILE *out, FILE *said, struct detail *detail)
{
    CLEANUP(kubeconfig_free) struct kubeconfig *config = NULL;
    int r = admin_check_name(name, detail);

    if (!r)
        r = read_config(fd, &config, detail);
    if (!r)
        r = admin_put(state, name, config->type, config->secret, detail);
    if (r)
        return r;
    explain(config, name, said);
    if (config->ca && (fputs(config->ca, out) == EOF || fflush(out) == EOF))
        return detail_fail(detail, -EIO, "the CA's certificate can't be written");
    return 0;
}
