/* gatehouse play FILE | ID: a recording on this terminal, or converted. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "replay/player.h"
#include "replay/verify.h"
#include "server/gatehouse.h"

/* Takes "-c FILE" out of argv: the other options are the player's. */
static const char *take_config(int *argc, char **argv)
{
    const char *path = gatehouse_default_config;
    for (int i = 1; i + 1 < *argc; i++) {
        if (strcmp(argv[i], "-c") != 0)
            continue;
        path = argv[i + 1];
        memmove(&argv[i], &argv[i + 2], sizeof argv[0] * (size_t)(*argc - i - 1));
        *argc -= 2;
        break;
    }
    return path;
}

/* A file of that name wins; otherwise it is an id of the configured state directory. */
static int open_recording(const char *name, const char *config_path, int *ret_fd)
{
    *ret_fd = open(name, O_RDONLY | O_CLOEXEC);
    if (*ret_fd >= 0)
        return 0;
    if (errno != ENOENT || strchr(name, '/'))
        return gatehouse_fail(EXIT_DATA, "%s: %s", name, strerror(errno));
    Ipc__Config *config = NULL;
    struct detail detail = { "" };
    int r = gatehouse_load(config_path, &config);
    if (r)
        return r;
    r = verify_open(config->state, name, ret_fd, &detail);
    ipc__config__free_unpacked(config, NULL);
    return r ? gatehouse_fail(EXIT_DATA, "%s", detail.text[0] ? detail.text : strerror(-r)) : 0;
}

int gatehouse_play(int argc, char **argv)
{
    const char *config_path = take_config(&argc, argv);
    struct player_options options;
    struct detail detail = { "" };
    bool name_first = argc > 1 && argv[1][0] != '-';
    int at = player_options(argc, argv, name_first ? 2 : 1, &options, &detail);
    if (at < 0)
        return gatehouse_fail(EXIT_USAGE, "%s", detail.text);
    if (at != (name_first ? argc : argc - 1))
        return gatehouse_fail(EXIT_USAGE, "play FILE | ID %s", player_usage);
    CLEANUP(fd_close) int fd = -1;
    int r = open_recording(argv[name_first ? 1 : at], config_path, &fd);
    if (r)
        return r;
    r = player_run(fd, STDOUT_FILENO, isatty(STDIN_FILENO) ? STDIN_FILENO : -1, &options, &detail);
    return r && r != -EPIPE ? gatehouse_fail(EXIT_DATA, "%s", detail.text[0] ? detail.text : strerror(-r))
                            : 0;
}
