/* gatehouse-player: plays the recording that it was given as fd 3, in the launcher's sandbox. It opens
 * nothing. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "replay/player.h"

enum { RECORDING_FD = 3, EXIT_USAGE = 64, EXIT_BAD_DATA = 65, EXIT_IO = 74 };

#ifdef GATEHOUSE_SANITIZE
/* The cage refuses what these two need, and /proc/self/environ, where the run-time looks for its options. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0:disable_coredump=0";
}
#endif

int main(int argc, char **argv)
{
    struct player_options options;
    struct detail detail = { "" };
    int r = player_options(argc, argv, 1, &options, &detail);
    if (r >= 0 && r < argc)
        r = detail_fail(&detail, -EINVAL, "too many arguments");
    if (r < 0) {
        (void)fprintf(stderr, "gatehouse: replay: %s\nusage: replay ID %s\n", detail.text, player_usage);
        return EXIT_USAGE;
    }
    r = player_run(RECORDING_FD, STDOUT_FILENO, STDIN_FILENO, &options, &detail);
    if (r && r != -EPIPE)
        (void)fprintf(stderr, "gatehouse: replay: %s\n", detail.text[0] ? detail.text : strerror(-r));
    return r == -EBADMSG ? EXIT_BAD_DATA : r && r != -EPIPE ? EXIT_IO : 0;
}
