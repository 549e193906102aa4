/* Kubeconfigs from anybody: what is taken over can be kept and printed, and a reason holds no control bytes.
 */
#include <stdlib.h>
#include <string.h>
#include "vault/bearer.h"
#include "vault/kubeconfig.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_line(const char *text)
{
    for (; *text; text++)
        require((unsigned char)*text >= ' ' && *text != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    CLEANUP(kubeconfig_free) struct kubeconfig *config = NULL;
    struct detail detail = { "" };
    int r = kubeconfig_read(bytes, n, &config, &detail);

    require((r == 0) == (config != NULL));
    check_line(detail.text);
    if (r)
        return 0;
    require(secret_size(config->secret) > 0 && secret_size(config->secret) <= SEALED_SECRET_MAX);
    if (config->type == SEALED_TOKEN)
        require(bearer_is_one((const char *)secret_bytes(config->secret), secret_size(config->secret)));
    require(strncmp(config->server, "https://", 8) == 0 && !strpbrk(config->server, " \"'#\n"));
    check_line(config->server);
    check_line(config->context);
    for (size_t i = 0; i < config->n_notes; i++)
        check_line(config->notes[i].text);
    return 0;
}
