/* Server settings: which ones a client may bring along, and which ones decide how the server reads its bytes.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* Whether a startup packet may set it; case does not matter. */
bool setting_may_start(const char *name);
/* With other values of these the server would read other statements than the parser does (facts.md). */
bool setting_is_guarded(const char *name);

enum text_kind {
    TEXT_UTF8,   /* statements are valid UTF-8 */
    TEXT_ASCII,  /* a single-byte encoding: statements are ASCII, so that both sides read the same names */
    TEXT_UNSAFE, /* a byte of a character may look like a quote or a backslash; or not known */
};
enum text_kind setting_encoding(const char *client_encoding);

/* "on" in one of the spellings that the server takes. */
bool setting_is_on(const char *value);
