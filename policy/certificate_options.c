/* Critical options and extensions (PROTOCOL.certkeys): a list of (name, data), where data, if the option has
 * a value, is itself a string. A critical option that we do not know makes the certificate unusable; unknown
 * extensions are ignored, as the specification asks. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/text.h"
#include "policy/certificate_parts.h"

struct option {
    struct span name, data;
};

struct options {
    struct option items[CERTIFICATE_OPTIONS_MAX];
    size_t count;
};

int span_text(struct span span, const char *what, size_t max, char **ret, struct detail *detail)
{
    char *text;

    if (span.n > max)
        return detail_fail(detail, CERTIFICATE_MALFORMED, "your certificate's %s is longer than %zu bytes",
                           what, max);
    if (span.n == 0)
        return detail_fail(detail, CERTIFICATE_MALFORMED, "your certificate's %s is empty", what);
    if (!text_is_utf8(span.bytes, span.n))
        return detail_fail(detail, CERTIFICATE_MALFORMED, "your certificate's %s is not valid UTF-8", what);
    text = strndup((const char *)span.bytes, span.n);
    if (!text)
        return -ENOMEM;
    *ret = text;
    return 0;
}

static bool is_repeated(const struct options *options, struct span name)
{
    for (size_t i = 0; i < options->count; i++)
        if (options->items[i].name.n == name.n &&
            memcmp(options->items[i].name.bytes, name.bytes, name.n) == 0)
            return true;
    return false;
}

static int options_split(struct span bytes, struct options *ret, struct detail *detail)
{
    struct reader r = reader_of(bytes.bytes, bytes.n);

    ret->count = 0;
    while (reader_left(&r) > 0) {
        struct option option;

        if (ret->count == CERTIFICATE_OPTIONS_MAX)
            return detail_fail(detail, CERTIFICATE_MALFORMED, "your certificate has more than %d options",
                               CERTIFICATE_OPTIONS_MAX);
        if (!span_read(&r, &option.name) || !span_read(&r, &option.data) || is_repeated(ret, option.name))
            return detail_fail(detail, CERTIFICATE_MALFORMED, "your certificate's options are malformed");
        ret->items[ret->count++] = option;
    }
    return 0;
}

static int option_value(const struct option *option, const char *what, size_t max, char **ret,
                        struct detail *detail)
{
    struct reader r = reader_of(option->data.bytes, option->data.n);
    struct span value;

    if (!span_read(&r, &value) || !reader_done(&r))
        return detail_fail(detail, CERTIFICATE_MALFORMED, "your certificate's option %s is malformed", what);
    return span_text(value, what, max, ret, detail);
}

int options_read_critical(struct span bytes, struct certificate *certificate, struct detail *detail)
{
    struct options options;
    int r = options_split(bytes, &options, detail);

    for (size_t i = 0; !r && i < options.count; i++) {
        const struct option *option = &options.items[i];

        if (span_is(option->name, "source-address")) {
            r = option_value(option, "source-address", CERTIFICATE_COMMAND_MAX, &certificate->source_address,
                             detail);
        } else if (span_is(option->name, "force-command")) {
            r = option_value(option, "force-command", CERTIFICATE_COMMAND_MAX, &certificate->force_command,
                             detail);
        } else if (!certificate->unknown_option) {
            char name[64];

            text_escape(name, sizeof(name), option->name.bytes, option->name.n, false);
            certificate->unknown_option = strdup(name);
            r = certificate->unknown_option ? 0 : -ENOMEM;
        }
    }
    return r;
}

int options_read_extensions(struct span bytes, struct certificate *certificate, struct detail *detail)
{
    struct options options;
    int r = options_split(bytes, &options, detail);

    if (r)
        return r;
    for (size_t i = 0; i < options.count; i++) {
        const struct option *option = &options.items[i];

        if (option->data.n > 0)
            continue; /* the ones that we know have no value */
        if (span_is(option->name, "permit-pty"))
            certificate->pty = true;
        else if (span_is(option->name, "permit-port-forwarding"))
            certificate->forwarding = true;
    }
    return 0;
}
