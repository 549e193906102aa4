/* `ssh bastion config`: what makes `ssh web1` a jump through this bastion. ssh_config(5) for OpenSSH and what
 * reads its files; known_hosts(5) with the bastion's host keys, since a jump ends here too, and `ssh` asks
 * for them by the name of the target. We don't know what the client calls us: `bastion`, unless it says so.
 */
#include "channels/commands/commands.h"
#include "channels/commands/config_kube.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"

enum { ANSWER_MAX = 1024 * 1024, BASTION_NAME_MAX = 255, KEY_TEXT_MAX = 32 * 1024 };

struct request {
    const char *bastion, *kubeconfig; /* kubeconfig: of which target; or NULL */
    uint64_t port;                    /* 0: not given */
    bool known_hosts, json, tls_ca;
};

/* ---- what is asked ---- */

/* It stands in two files of the client, where blanks, commas, * and ? would mean something else. */
static bool is_host_name(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    size_t n = strlen(name);
    return n > 0 && n <= BASTION_NAME_MAX && name[0] != '-' && strspn(name, allowed) == n;
}

/* One option with its value, if it has one; false: there is none of that name. */
static bool read_option(const struct words *words, size_t *at, struct request *request)
{
    const char *word = words->items[*at];
    bool more = *at + 1 < words->count;
    if (strcmp(word, "--json") == 0)
        return request->json = true;
    if (strcmp(word, "--known-hosts") == 0)
        return request->known_hosts = true;
    if (strcmp(word, "--tls-ca") == 0)
        return request->tls_ca = true;
    if (strcmp(word, "--bastion") == 0 && more)
        return (request->bastion = words->items[++*at]) != NULL;
    if (strcmp(word, "--kubeconfig") == 0 && more)
        return (request->kubeconfig = words->items[++*at]) != NULL;
    return strcmp(word, "--port") == 0 && more &&
           text_to_u64(words->items[++*at], UINT16_MAX, &request->port) && request->port > 0;
}

static const char *fault_of(const struct request *request)
{
    if (request->json && request->known_hosts)
        return "--json has the lines of known_hosts too";
    if (request->json + request->known_hosts + request->tls_ca + (request->kubeconfig != NULL) > 1)
        return "one of --known-hosts, --json, --kubeconfig and --tls-ca at a time";
    if (request->port && !request->kubeconfig)
        return "--port is for --kubeconfig: the port on your side";
    return is_host_name(request->bastion)
               ? NULL
               : "--bastion takes the name that your ssh_config has for this bastion";
}

static bool read_request(struct channel *channel, struct request *ret)
{
    struct request request = { .bastion = "bastion" };
    for (size_t i = 1; i < channel->words.count; i++) {
        if (read_option(&channel->words, &i, &request))
            continue;
        command_usage(
            channel,
            "config [--bastion NAME] [--known-hosts | --json | --kubeconfig TARGET [--port N] | --tls-ca]");
        return false;
    }
    const char *fault = fault_of(&request);
    if (fault) {
        command_usage(channel, fault);
        return false;
    }
    *ret = request;
    return true;
}

/* ---- the targets ---- */

/* The next one after *at that is of this kind and within reach; NULL: none. */
static const Ipc__Target *next_target(const struct gate *gate, const char *kind, size_t *at)
{
    for (; *at < gate->config->n_targets; (*at)++) {
        const Ipc__Target *target = gate->config->targets[*at];
        if (strcmp(target->kind, kind) == 0 && gate_target(gate, target->name)) {
            (*at)++;
            return target;
        }
    }
    return NULL;
}

/* "TYPE BASE64" of a public key in wire form, which begins with its type. */
static bool key_text(const ProtobufCBinaryData *key, char out[KEY_TEXT_MAX])
{
    struct reader r = reader_of(key->data, key->len), type;
    if (!reader_string(&r, &type) || 4 * (key->len / 3 + 2) + reader_left(&type) + 2 > KEY_TEXT_MAX)
        return false;
    int n = snprintf(out, KEY_TEXT_MAX, "%.*s ", (int)reader_left(&type), (const char *)type.next);
    (void)text_base64(out + n, key->data, key->len);
    return true;
}

/* "NAMES KEY": the bastion's and every target's name, with one of the bastion's keys. */
static bool known_hosts_line(const struct gate *gate, const char *bastion, size_t which, struct buffer *out)
{
    char key[KEY_TEXT_MAX];
    size_t at = 0;
    if (!key_text(&gate->config->host_key_publics[which], key))
        return false;
    (void)!buffer_printf(out, "%s", bastion);
    for (const Ipc__Target *target; (target = next_target(gate, "ssh", &at));)
        (void)!buffer_printf(out, ",%s", target->name);
    (void)!buffer_printf(out, " %s", key);
    return true;
}

/* ---- as text ---- */

static void put_known_hosts(const struct gate *gate, const char *bastion, const char *before,
                            struct buffer *out)
{
    for (size_t i = 0; i < gate->config->n_host_key_publics; i++) {
        (void)!buffer_printf(out, "%s", before);
        if (known_hosts_line(gate, bastion, i, out))
            (void)!buffer_printf(out, "\n");
    }
}

static void put_hosts(const struct gate *gate, const char *bastion, struct buffer *out)
{
    size_t at = 0;
    for (const Ipc__Target *target; (target = next_target(gate, "ssh", &at));)
        (void)!buffer_printf(out,
                             "\nHost %s\n    User %s\n    ProxyJump %s\n    HostKeyAlias %s\n"
                             "    # without a jump, and faster: ssh %s@%s\n",
                             target->name, target->login, bastion, bastion, target->name, bastion);
}

static void put_databases(const struct gate *gate, const char *bastion, struct buffer *out)
{
    size_t at = 0;
    for (const Ipc__Target *target; (target = next_target(gate, "postgres", &at));)
        (void)!buffer_printf(out, "\n# %s: ssh -N -L 5432:%s:5432 %s, then psql -h 127.0.0.1\n", target->name,
                             target->name, bastion);
}

static void put_clusters(const struct gate *gate, const char *bastion, struct buffer *out)
{
    size_t at = 0;
    for (const Ipc__Target *target; (target = next_target(gate, "kubernetes", &at));)
        (void)!buffer_printf(
            out,
            "\n# %s: ssh -N -L %d:%s:443 %s, then http://127.0.0.1:%d as after `kubectl proxy`;\n"
            "# by https with: ssh %s config --kubeconfig %s\n",
            target->name, CONFIG_KUBE_PORT, target->name, bastion, CONFIG_KUBE_PORT, bastion, target->name);
}

static void put_config(const struct gate *gate, const char *bastion, struct buffer *out)
{
    char name[512];
    (void)!buffer_printf(
        out,
        "# What %s reaches through this bastion, as ssh_config(5). `Include` it, or append it; key\n"
        "# and certificate (IdentityFile, CertificateFile) are the same as for `Host %s`.\n"
        "# The lines behind \"# known_hosts:\" are for ~/.ssh/known_hosts (`config --known-hosts`).\n",
        text_escape(name, sizeof name, gate->identity->name, strlen(gate->identity->name), false), bastion);
    if (!gate->identity->forwarding)
        (void)!buffer_printf(
            out,
            "# Your certificate does not permit port forwarding, which jumps and databases need:\n"
            "# it takes `ssh HOST@%s` and `ssh %s psql TARGET`.\n",
            bastion, bastion);
    put_hosts(gate, bastion, out);
    put_databases(gate, bastion, out);
    put_clusters(gate, bastion, out);
    (void)!buffer_printf(out, "\n");
    put_known_hosts(gate, bastion, "# known_hosts: ", out);
}

/* ---- as JSON ---- */

static void json_hosts(const struct gate *gate, const char *bastion, struct json *j)
{
    size_t at = 0;
    json_open_array(j, "hosts");
    for (const Ipc__Target *target; (target = next_target(gate, "ssh", &at));) {
        json_open_object(j, NULL);
        json_text(j, "host", target->name);
        json_text(j, "user", target->login);
        json_open_array(j, "logins");
        json_text(j, NULL, target->login);
        for (size_t i = 0; i < target->n_logins; i++)
            json_text(j, NULL, target->logins[i]);
        json_close_array(j);
        json_text(j, "proxy_jump", bastion);
        json_close_object(j);
    }
    json_close_array(j);
}

static void json_known_hosts(const struct gate *gate, const char *bastion, struct json *j)
{
    json_open_array(j, "known_hosts");
    for (size_t i = 0; i < gate->config->n_host_key_publics; i++) {
        struct buffer line;
        buffer_init(&line, ANSWER_MAX);
        if (known_hosts_line(gate, bastion, i, &line))
            json_bytes(j, NULL, buffer_head(&line), buffer_size(&line));
        buffer_free(&line);
    }
    json_close_array(j);
}

static void put_json(const struct gate *gate, const char *bastion, struct buffer *out)
{
    struct json j = json_to(out);
    struct buffer text;
    buffer_init(&text, ANSWER_MAX);
    put_config(gate, bastion, &text);
    json_open_object(&j, NULL);
    json_text(&j, "bastion", bastion);
    json_hosts(gate, bastion, &j);
    json_known_hosts(gate, bastion, &j);
    json_bytes(&j, "ssh_config", buffer_head(&text), buffer_size(&text));
    json_close_object(&j);
    (void)!json_line(&j);
    buffer_free(&text);
}

void command_config(struct channel *channel)
{
    struct request request;
    struct buffer out;
    if (!read_request(channel, &request))
        return;
    if (request.kubeconfig || request.tls_ca) {
        config_kube_begin(channel, request.bastion, request.kubeconfig,
                          request.port ? (uint16_t)request.port : CONFIG_KUBE_PORT);
        return;
    }
    buffer_init(&out, 4 * ANSWER_MAX);
    if (request.json)
        put_json(channel->gate, request.bastion, &out);
    else if (request.known_hosts)
        put_known_hosts(channel->gate, request.bastion, "", &out);
    else
        put_config(channel->gate, request.bastion, &out);
    channel_print(channel, buffer_head(&out), buffer_size(&out));
    buffer_free(&out);
    channel_exit(channel, 0);
}
