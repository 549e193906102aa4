/* gatehouse verify [ID | DIR]: are the audit chain and the recordings what they were? */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "replay/verify.h"
#include "server/gatehouse.h"
#include "server/options.h"

static const char *const grades[] = {
    [VERIFY_GOOD] = "good", [VERIFY_NOTE] = "note", [VERIFY_FAULT] = "FAULT"
};

static void say(void *owner, enum verify_grade grade, const char *id, const char *text)
{
    bool quiet = *(bool *)owner;
    char clean[1024];
    if (quiet && grade == VERIFY_GOOD)
        return;
    (void)printf("%-5s  %-12s  %s\n", grades[grade], id,
                 text_escape(clean, sizeof clean, text, strlen(text), false));
}

static int verify(const char *state, const char *id, bool quiet)
{
    struct verify_count count = { 0 };
    struct detail detail = { "" };
    int r = verify_state(state, id, say, &quiet, &count, &detail);
    if (r)
        return gatehouse_fail(EXIT_DATA, "verify: %s", detail.text[0] ? detail.text : strerror(-r));
    (void)printf("%llu good, %llu to note, %llu faults\n", (unsigned long long)count.good,
                 (unsigned long long)count.notes, (unsigned long long)count.faults);
    return count.faults ? 1 : 0;
}

int gatehouse_verify(int argc, char **argv)
{
    const char *path = gatehouse_default_config;
    bool quiet = false;
    const struct option_spec specs[] = { { .name = "-c", .value = &path },
                                         { .name = "--quiet", .flag = &quiet },
                                         { 0 } };
    struct stat about;
    if (!options_take(&argc, argv, specs))
        return EXIT_USAGE;
    if (argc > 2)
        return gatehouse_fail(EXIT_USAGE, "verify [ID | DIR]");
    if (argc == 2 && stat(argv[1], &about) == 0 && S_ISDIR(about.st_mode))
        return verify(argv[1], NULL, quiet);
    Ipc__Config *config = NULL;
    int r = gatehouse_load(path, &config);
    if (r)
        return r;
    r = verify(config->state, argc == 2 ? argv[1] : NULL, quiet);
    ipc__config__free_unpacked(config, NULL);
    return r;
}
