/* Classes of bytes, one table for all recognisers. */
#include "policy/detect_parts.h"

#define IN_WORD  (CLASS_LOCAL | CLASS_TOKEN | CLASS_DOTTED | CLASS_BASE64)
#define IN_UPPER (CLASS_UPPER | CLASS_NUMBER | IN_WORD)
#define IN_LOWER (CLASS_LOWER | IN_WORD)

const uint8_t detect_class[256] = {
    ['0' ... '9'] = CLASS_DIGIT | CLASS_NUMBER | IN_WORD,
    ['A' ... 'Z'] = IN_UPPER,
    ['a' ... 'z'] = IN_LOWER,
    ['_'] = CLASS_LOCAL | CLASS_TOKEN | CLASS_DOTTED,
    ['-'] = CLASS_LOCAL | CLASS_TOKEN | CLASS_DOTTED | CLASS_NUMBER,
    [' '] = CLASS_NUMBER,
    ['.'] = CLASS_LOCAL | CLASS_DOTTED,
    ['+'] = CLASS_LOCAL | CLASS_DOTTED | CLASS_BASE64,
    ['/'] = CLASS_DOTTED | CLASS_BASE64,
    ['='] = CLASS_DOTTED | CLASS_BASE64,
    ['~'] = CLASS_DOTTED,
    ['%'] = CLASS_LOCAL,
    [0x80 ... 0xff] = CLASS_LOCAL,
};
