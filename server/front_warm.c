/* One thread plays both sides over a socket pair, each in turn, without blocking. The randomness of children
 * differs nevertheless: OpenSSL's generators reseed themselves after a fork. */
#include "server/front_warm.h"

#include <malloc.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/io.h"

enum { TURNS_MAX = 200 };

/* A client that reads no file and asks nobody who it is. */
static ssh_session make_client(int fd, const char *cipher)
{
    const int no = 0;
    ssh_session client = ssh_new();
    if (!client)
        return NULL;
    ssh_set_blocking(client, 0);
    if (ssh_options_set(client, SSH_OPTIONS_FD, &fd) != SSH_OK ||
        ssh_options_set(client, SSH_OPTIONS_HOST, "localhost") != SSH_OK ||
        ssh_options_set(client, SSH_OPTIONS_USER, "nobody") != SSH_OK ||
        ssh_options_set(client, SSH_OPTIONS_SSH_DIR, "/nonexistent") != SSH_OK ||
        ssh_options_set(client, SSH_OPTIONS_PROCESS_CONFIG, &no) != SSH_OK ||
        ssh_options_set(client, SSH_OPTIONS_CIPHERS_C_S, cipher) != SSH_OK ||
        ssh_options_set(client, SSH_OPTIONS_CIPHERS_S_C, cipher) != SSH_OK) {
        ssh_free(client);
        return NULL;
    }
    return client;
}

static void take_turns(ssh_session server, ssh_session client)
{
    int s = SSH_AGAIN, c = SSH_AGAIN;
    for (int i = 0; i < TURNS_MAX && (s == SSH_AGAIN || c == SSH_AGAIN); i++) {
        if (c == SSH_AGAIN)
            c = ssh_connect(client);
        if (s == SSH_AGAIN)
            s = ssh_handle_key_exchange(server);
    }
}

static void exchange(ssh_bind bind, const char *cipher)
{
    int pair[2];
    if (fd_pair(SOCK_STREAM | SOCK_NONBLOCK, pair))
        return;
    ssh_session server = ssh_new();
    ssh_session client = make_client(pair[1], cipher);
    if (server && client && ssh_bind_accept_fd(bind, server, pair[0]) == SSH_OK) {
        pair[0] = -1; /* the session closes it */
        ssh_set_blocking(server, 0);
        take_turns(server, client);
    }
    ssh_free(client);
    ssh_free(server);
    fd_close(pair[0]);
    fd_close(pair[1]); /* what an option gave to libssh stays the caller's */
}

void front_warm(ssh_bind bind)
{
    exchange(bind, "chacha20-poly1305@openssh.com");
    exchange(bind, "aes256-gcm@openssh.com");
    exchange(bind, "aes128-ctr");
    (void)malloc_trim(0);
}
