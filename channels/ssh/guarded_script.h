/* The texts that make a guarded shell of a shell at a target: docs/guarded-shells.md, "At the host". */
#pragma once
#include <stdbool.h>

/* Binary, of a command's length. A literal, because the setup has it as text. */
#define GUARDED_LENGTH_DIGITS 18

enum {
    GUARDED_NONCE = 32, /* hex digits in every mark */
    GUARDED_LINE = 64,  /* bytes of a line that the shell reads, its end included */
};

/* The exec line that is sent; it says hello, and then reads the line of the next. */
const char *guarded_script_command(bool terminal);
/* One line without its end, with '@' in the places of the nonce; to be sent with blanks behind it, up to a
 * multiple of GUARDED_LINE. */
const char *guarded_script_setup(bool terminal);
