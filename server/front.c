/* gatehouse-front: speaks SSH with clients. The zygote holds the host keys and libssh's settings and forks
 * one child per connection; a child has the connection, a socket to the listener and, after the login, one to
 * its gate. It knows no target, no rule and no secret but the host keys, and opens nothing. */
#include "server/front.h"

#include <libssh/server.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/start.h"
#include "base/zygote.h"
#include "server/front_exit.h"
#include "server/front_warm.h"

enum { HOST_KEY_MAX = 64 * 1024 };

/* What libssh does not know of these lists it leaves out. No group exchange, which reads /etc/ssh/moduli. */
static const char key_exchanges[] =
    "mlkem768x25519-sha256,sntrup761x25519-sha512,sntrup761x25519-sha512@openssh.com,"
    "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521,"
    "diffie-hellman-group16-sha512,diffie-hellman-group18-sha512,diffie-hellman-group14-sha256";
static const char ciphers[] = "aes256-gcm@openssh.com,aes128-gcm@openssh.com,chacha20-poly1305@openssh.com,"
                              "aes256-ctr,aes192-ctr,aes128-ctr";
static const char macs[] = "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,hmac-sha2-256,"
                           "hmac-sha2-512";

/* Stock ssh tells only servers of such a name that nobody reads a command's output any more
 * (eow@openssh.com), and else waits for ever after `… | less` was left. */
static const char software[] = "OpenSSH_compatible_Gatehouse";

struct front_zygote {
    ssh_bind bind;
    const Ipc__FrontSettings *settings;
};

static bool add_host_key(ssh_bind bind, int fd)
{
    CLEANUP(free) uint8_t *text = NULL;
    size_t n;
    ssh_key key = NULL;
    if (fd_contents(fd, HOST_KEY_MAX, &text, &n) ||
        ssh_pki_import_privkey_base64((const char *)text, NULL, NULL, NULL, &key) != SSH_OK)
        return false;
    explicit_bzero(text, n);
    return ssh_bind_options_set(bind, SSH_BIND_OPTIONS_IMPORT_KEY, key) == SSH_OK;
}

static ssh_bind make_bind(const int *fds)
{
    const bool no = false;
    ssh_bind bind = ssh_bind_new();
    if (!bind || ssh_bind_options_set(bind, SSH_BIND_OPTIONS_PROCESS_CONFIG, &no) != SSH_OK ||
        ssh_bind_options_set(bind, SSH_BIND_OPTIONS_BANNER, software) != SSH_OK ||
        ssh_bind_options_set(bind, SSH_BIND_OPTIONS_KEY_EXCHANGE, key_exchanges) != SSH_OK ||
        ssh_bind_options_set(bind, SSH_BIND_OPTIONS_CIPHERS_C_S, ciphers) != SSH_OK ||
        ssh_bind_options_set(bind, SSH_BIND_OPTIONS_CIPHERS_S_C, ciphers) != SSH_OK ||
        ssh_bind_options_set(bind, SSH_BIND_OPTIONS_HMAC_C_S, macs) != SSH_OK ||
        ssh_bind_options_set(bind, SSH_BIND_OPTIONS_HMAC_S_C, macs) != SSH_OK) {
        log_event(LOG_ERROR, "start_failed", "detail", bind ? ssh_get_error(bind) : "out of memory", NULL);
        return NULL;
    }
    for (size_t i = 0; i < IPC_FDS_MAX && fds[i] >= 0; i++) {
        if (!add_host_key(bind, fds[i])) {
            log_event(LOG_ERROR, "start_failed", "detail",
                      "a host key is not an unencrypted OpenSSH private key", NULL);
            return NULL;
        }
        fd_close(fds[i]);
    }
    return bind;
}

/* In the forked child. The end of the whole is told by the listener, never by a terminal's Ctrl-C. */
static int serve_connection(void *owner, const Ipc__Spawn *spawn, int *fds, size_t n_fds)
{
    struct front_zygote *zygote = owner;
    if (n_fds != 2)
        return FRONT_EXIT_FAILED;
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGTERM, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    struct front front = { .settings = zygote->settings, .spawn = spawn, .fd = fds[0], .control = fds[1] };
    return front_serve(&front, zygote->bind);
}

int main(void)
{
    CLEANUP(ipc_message_free) Ipc__Message *start = NULL;
    int fds[IPC_FDS_MAX];
    struct detail detail;
    bool landlock = false;
    int r = process_begin(PROCESS_FRONT, &start, fds);
    if (r)
        return r;
    if (!start->start->front || ssh_init() != SSH_OK)
        return 78;
    struct front_zygote zygote = { .settings = start->start->front, .bind = make_bind(fds) };
    if (!zygote.bind)
        return 78;
    if (jail_prepare(PROCESS_FRONT, NULL, 0, &landlock, &detail)) {
        log_event(LOG_ERROR, "jail_failed", "detail", detail.text, NULL);
        return 78;
    }
    if (!landlock)
        log_event(LOG_WARNING, "no_landlock", NULL);
    front_warm(zygote.bind);
    return zygote_run(CONTROL_FD, PROCESS_FRONT, serve_connection, NULL, &zygote);
}
