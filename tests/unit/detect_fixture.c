#include "check.h"

#include <stdio.h>
#include <string.h>
#include "detect_fixture.h"

#define OPENS  "\xe2\x9f\xa6" /* ⟦ */
#define CLOSES "\xe2\x9f\xa7"

static uint8_t unescape(const char **text)
{
    unsigned byte = 0;

    if (**text != '\\')
        return (uint8_t) * (*text)++;
    switch (*++*text) {
    case 'n':
        byte = '\n';
        break;
    case 't':
        byte = '\t';
        break;
    case '\\':
        byte = '\\';
        break;
    case 'x':
        assert_int_equal(sscanf(*text + 1, "%2x", &byte), 1);
        *text += 2;
        break;
    default:
        fail_msg("an escape that is none: \\%s", *text);
    }
    ++*text;
    return (uint8_t)byte;
}

static void read_line(const char *text, const char *name, struct fixture_case *c)
{
    bool inside = false;

    *c = (struct fixture_case){ .in = malloc(strlen(text) + 1), .out = malloc(8 * strlen(text) + 1) };
    assert_true(c->in && c->out);
    while (*text) {
        if (strncmp(text, OPENS, strlen(OPENS)) == 0) {
            assert_false(inside);
            inside = c->marked = true;
            c->out_n += (size_t)sprintf((char *)c->out + c->out_n, "[masked:%s]", name);
            text += strlen(OPENS);
        } else if (strncmp(text, CLOSES, strlen(CLOSES)) == 0) {
            assert_true(inside);
            inside = false;
            text += strlen(CLOSES);
        } else {
            uint8_t byte = unescape(&text);
            c->in[c->in_n++] = byte;
            if (!inside)
                c->out[c->out_n++] = byte;
        }
    }
    assert_false(inside);
}

void fixture_each(const char *name, fixture_body *body)
{
    char path[128], *text = NULL;
    size_t room = 0;
    unsigned line = 0, cases = 0;
    struct fixture_case c;

    snprintf(path, sizeof path, "detect_cases/%s.txt", name);
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("%s is not there: run it in tests/unit", path);
    for (ssize_t n; (n = getline(&text, &room, file)) >= 0;) {
        line++;
        if (n > 0 && text[n - 1] == '\n')
            text[n - 1] = '\0';
        if (!*text || *text == '#')
            continue;
        read_line(text, name, &c);
        body(&c, name, line);
        free(c.in);
        free(c.out);
        cases++;
    }
    assert_true(cases > 0);
    free(text);
    fclose(file);
}

struct detectors *fixture_detectors(const struct detect_pattern *patterns, size_t n)
{
    const char *names[FIXTURE_NAMES_MAX];
    size_t n_names = 0;
    struct detectors *d = NULL;
    struct detail why = { "" };

    while (detector_builtin(n_names)) {
        names[n_names] = detector_builtin(n_names);
        n_names++;
    }
    if (detectors_new(names, n_names, patterns, n, &d, &why))
        fail_msg("detectors: %s", why.text);
    return d;
}

struct detect_how fixture_redact(const struct detectors *detectors, int only)
{
    struct detect_how how = { .key = NULL };

    for (size_t i = 0; i < detectors_count(detectors); i++)
        how.kinds[i] = only < 0 || (size_t)only == i ? MASK_REDACT : MASK_NONE;
    return how;
}

int fixture_index(const struct detectors *detectors, const char *name)
{
    for (size_t i = 0; i < detectors_count(detectors); i++)
        if (strcmp(detectors_name(detectors, i), name) == 0)
            return (int)i;
    fail_msg("no detector %s", name);
    return -1;
}

void fixture_block(struct detectors *d, const struct detect_how *how, const void *bytes, size_t n,
                   struct buffer *out)
{
    int r = detect_block(d, how, bytes, n, out, NULL);

    assert_true(r == 0 || r == 1);
    if (r == 0) {
        assert_int_equal(buffer_size(out), 0);
        assert_int_equal(buffer_append(out, bytes, n), 0);
    }
}

void fixture_stream(struct detectors *d, const struct detect_how *how, const void *bytes, size_t n,
                    const size_t *cuts, size_t n_cuts, struct buffer *out)
{
    struct detect_stream *stream = NULL;
    size_t at = 0;

    assert_int_equal(detect_stream_new(d, how, &stream), 0);
    for (size_t i = 0; i <= n_cuts; i++) {
        size_t end = i < n_cuts ? cuts[i] : n;
        assert_int_equal(detect_feed(stream, (const uint8_t *)bytes + at, end - at, out), 0);
        assert_true(detect_held(stream) <= DETECT_HOLD_MAX);
        at = end;
    }
    assert_int_equal(detect_end(stream, out), 0);
    assert_int_equal(detect_held(stream), 0);
    detect_stream_free(stream);
}

void fixture_same(const struct buffer *out, const void *bytes, size_t n, const char *name, unsigned line)
{
    if (buffer_size(out) != n || (n && memcmp(buffer_head(out), bytes, n) != 0))
        fail_msg("detect_cases/%s.txt:%u:\n got    %.*s\n wanted %.*s", name, line, (int)buffer_size(out),
                 (const char *)buffer_head(out), (int)n, (const char *)bytes);
}
