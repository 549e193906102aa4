/* Critical options and extensions (PROTOCOL.certkeys): a list of (name, data), where data, if the option has
 * a value, is itself a string. A critical option that we do not know makes the certificate unusable; unknown
 * extensions are ignored, as the specification asks. As Go's SSH library does, and unlike OpenSSH, options
 * out of order are refused: no issuer makes such, and what is ambiguous to somebody is worth nothing. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/text.h"
#include "policy/certificate_parts.h"
#include "policy/claims.h"

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

/* "Options must be lexically ordered by name", and each "may only appear once". */
static bool is_after(struct span name, struct span before)
{
    size_t shorter = name.n < before.n ? name.n : before.n;
    int order = shorter ? memcmp(name.bytes, before.bytes, shorter) : 0;

    return order > 0 || (order == 0 && name.n > before.n);
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
        if (!span_read(&r, &option.name) || !span_read(&r, &option.data))
            return detail_fail(detail, CERTIFICATE_MALFORMED, "your certificate's options are malformed");
        if (ret->count > 0 && !is_after(option.name, ret->items[ret->count - 1].name))
            return detail_fail(detail, CERTIFICATE_MALFORMED,
                               "your certificate's options are repeated or not in order");
        ret->items[ret->count++] = option;
    }
    return 0;
}

static int option_span(const struct option *option, const char *what, struct span *ret, struct detail *detail)
{
    struct reader r = reader_of(option->data.bytes, option->data.n);
    struct span value;

    if (!span_read(&r, &value) || !reader_done(&r))
        return detail_fail(detail, CERTIFICATE_MALFORMED, "your certificate's option %s is malformed", what);
    *ret = value;
    return 0;
}

static int option_value(const struct option *option, const char *what, size_t max, char **ret,
                        struct detail *detail)
{
    struct span value;
    int r = option_span(option, what, &value, detail);

    return r ? r : span_text(value, what, max, ret, detail);
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
    for (size_t i = 0; !r && i < options.count; i++) {
        const struct option *option = &options.items[i];

        /* What is in it counts for certificates of our own CA only: certificate_admit.c. */
        if (span_is(option->name, CLAIMS_EXTENSION))
            certificate->claims = option->data;
        else if (span_is(option->name, PACKET_EXTENSION))
            r = option_span(option, PACKET_EXTENSION, &certificate->packet, detail);
        else if (option->data.n > 0)
            continue; /* the others that we know have no value */
        else if (span_is(option->name, "no-touch-required"))
            certificate->no_touch = true;
        else if (span_is(option->name, "permit-pty"))
            certificate->pty = true;
        else if (span_is(option->name, "permit-port-forwarding"))
            certificate->forwarding = true;
    }
    return r;
}
