/* See place.h. An id holds its time, so that the file of an id is found without an index. */
#include "replay/place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"

enum { BITS = 5, BELOW_SECONDS = 28, RANDOM_BITS = 18 };

static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";
static const char suffix[] = ".ghrec";

char *recording_id(char out[RECORDING_ID + 1], uint64_t unix_ms, uint32_t random)
{
    uint64_t number = (unix_ms / 1000) << BELOW_SECONDS | (unix_ms % 1000) << RANDOM_BITS |
                      (random & ((1U << RANDOM_BITS) - 1));
    for (int i = RECORDING_ID - 1; i >= 0; i--, number >>= BITS)
        out[i] = digits[number & 31];
    out[RECORDING_ID] = 0;
    return out;
}

static int digit_of(char c)
{
    const char *found = c ? strchr(digits, c) : NULL;
    return found ? (int)(found - digits) : -1;
}

bool recording_id_valid(const char *id)
{
    size_t n = 0;
    while (n <= RECORDING_ID && id[n] && digit_of(id[n]) >= 0)
        n++;
    return n == RECORDING_ID && !id[n];
}

uint32_t recording_seconds(const char *id)
{
    uint64_t number = 0;
    for (int i = 0; i < RECORDING_ID; i++)
        number = number << BITS | (uint64_t)digit_of(id[i]);
    return (uint32_t)(number >> BELOW_SECONDS);
}

char *recording_day(char out[RECORDING_DAY + 1], const char *id)
{
    time_t seconds = (time_t)recording_seconds(id);
    struct tm utc;
    if (!gmtime_r(&seconds, &utc) || strftime(out, RECORDING_DAY + 1, "%Y-%m-%d", &utc) != RECORDING_DAY)
        (void)snprintf(out, RECORDING_DAY + 1, "0000-00-00");
    return out;
}

char *recording_place(char out[RECORDING_PLACE + 1], const char *id)
{
    char day[RECORDING_DAY + 1];
    (void)snprintf(out, RECORDING_PLACE + 1, "%s/%.12s%s", recording_day(day, id), id, suffix);
    return out;
}

bool recording_id_of_file(const char *name, char ret_id[RECORDING_ID + 1])
{
    char id[RECORDING_ID + 1] = { 0 };
    if (strlen(name) != RECORDING_ID + sizeof suffix - 1 || strcmp(name + RECORDING_ID, suffix) != 0)
        return false;
    memcpy(id, name, RECORDING_ID);
    if (!recording_id_valid(id))
        return false;
    memcpy(ret_id, id, sizeof id);
    return true;
}

static void list_free(struct dirent **list, int n)
{
    for (int i = 0; i < n; i++)
        free(list[i]);
    free(list);
}

static int walk_day(int dir_fd, const char *day, place_visit *visit, void *owner)
{
    struct dirent **list = NULL;
    int n = scandirat(dir_fd, day, &list, NULL, alphasort), r = 0;
    if (n < 0)
        return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
    for (int i = 0; i < n && r == 0; i++) {
        char id[RECORDING_ID + 1], expected[RECORDING_DAY + 1];
        /* A file in another day's directory would not be found by its id: it is not ours. */
        if (recording_id_of_file(list[i]->d_name, id) && strcmp(recording_day(expected, id), day) == 0)
            r = visit(owner, id);
    }
    list_free(list, n);
    return r;
}

int place_walk(int dir_fd, place_visit *visit, void *owner)
{
    struct dirent **days = NULL;
    int n = scandirat(dir_fd, ".", &days, NULL, alphasort), r = 0;
    if (n < 0)
        return -errno;
    for (int i = 0; i < n && r == 0; i++)
        if (strlen(days[i]->d_name) == RECORDING_DAY && days[i]->d_name[4] == '-')
            r = walk_day(dir_fd, days[i]->d_name, visit, owner);
    list_free(days, n);
    return r;
}
