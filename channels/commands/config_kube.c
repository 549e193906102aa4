/* `ssh bastion config --kubeconfig TARGET`: a kubeconfig for a forwarded port, and `--tls-ca`: the CA alone.
 * The vault is asked for the CA, since it comes from its key.
 *
 * The token in it is a word to fill its place (channels/kube/fields.h): kubectl asks for a user name where a
 * server is reached by TLS and nothing says who it is. */
#include "channels/commands/config_kube.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "channels/commands/commands.h"
#include "channels/house_tls.h"
#include "channels/kube/fields.h"

enum { KUBECONFIG_MAX = 64 * 1024 };

struct config_kube {
    struct channel *channel;
    struct house_tls_question *question;
    const Ipc__Target *target;
    char *bastion;
    uint16_t port;
    bool ca_alone;
};

void config_kube_free(struct config_kube *wait)
{
    if (!wait)
        return;
    house_tls_forget(wait->question);
    free(wait->bastion);
    free(wait);
}

static int put_kubeconfig(const struct config_kube *wait, const char *ca, struct buffer *out)
{
    const char *name = wait->target->name;
    size_t n = strlen(ca);
    CLEANUP(free) char *data = malloc(4 * ((n + 2) / 3) + 1);
    if (!data)
        return -ENOMEM;
    int r = buffer_printf(out,
                          "# For: ssh -N -L %u:%s:443 %s\n"
                          "# Who you are is in your SSH certificate; the token only fills its place.\n"
                          "apiVersion: v1\nkind: Config\ncurrent-context: \"%s\"\n"
                          "clusters:\n- name: \"%s\"\n  cluster:\n    server: https://127.0.0.1:%u\n",
                          (unsigned)wait->port, name, wait->bastion, name, name, (unsigned)wait->port);
    if (r == 0)
        r = buffer_printf(out, "    certificate-authority-data: %s\n", text_base64(data, ca, n));
    return r ? r
             : buffer_printf(out,
                             "users:\n- name: \"%s\"\n  user: { token: %s }\n"
                             "contexts:\n- name: \"%s\"\n  context: { cluster: \"%s\", user: \"%s\" }\n",
                             name, KUBE_NO_TOKEN, name, name, name);
}

static void ca_came(void *owner, const struct house_tls *given, const struct refusal *why)
{
    struct config_kube *wait = owner;
    struct channel *channel = wait->channel;
    struct buffer out;
    wait->question = NULL;
    if (why) {
        channel_refuse(channel, why);
        return;
    }
    buffer_init(&out, KUBECONFIG_MAX);
    if (wait->ca_alone ? buffer_printf(&out, "%s", given->ca) : put_kubeconfig(wait, given->ca, &out)) {
        channel_refuse(channel, &(struct refusal){ .code = "limit", .reason = "out of memory" });
    } else {
        channel_print(channel, buffer_head(&out), buffer_size(&out));
        channel_exit(channel, 0);
    }
    buffer_free(&out);
}

/* That one, or the first within reach. */
static const Ipc__Target *cluster(const struct gate *gate, const char *name)
{
    for (size_t i = 0; i < gate->config->n_targets; i++) {
        const Ipc__Target *target = gate->config->targets[i];
        if (strcmp(target->kind, "kubernetes") == 0 && (!name || strcmp(target->name, name) == 0) &&
            gate_target(gate, target->name))
            return target;
    }
    return NULL;
}

void config_kube_begin(struct channel *channel, const char *bastion, const char *target, uint16_t port)
{
    char reason[DETAIL_MAX];
    const Ipc__Target *found = cluster(channel->gate, target);
    if (!found) {
        (void)snprintf(reason, sizeof reason, target ? "no cluster \"%.100s\" for you" : "no cluster for you",
                       target);
        channel_refuse(channel, &(struct refusal){ .code = "denied",
                                                   .reason = reason,
                                                   .next = "`targets` lists what you may reach" });
        return;
    }
    struct config_kube *wait = channel->config_kube = calloc(1, sizeof *wait);
    char *kept = strdup(bastion);
    if (wait)
        *wait = (struct config_kube){
            .channel = channel, .target = found, .bastion = kept, .port = port, .ca_alone = !target
        };
    else
        free(kept);
    if (!wait || !kept || house_tls_ask(channel->gate, found, ca_came, wait, &wait->question))
        channel_refuse(channel, &(struct refusal){ .code = "target_unavailable",
                                                   .reason = "the vault can't be asked for the CA",
                                                   .next = "connect again" });
}
