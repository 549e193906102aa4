/* Where digits may be a card number, an SSN or an IBAN: eight bytes at a time, without a regular expression.
 * Engines spend most of their time on such patterns, which begin with nothing but a class of bytes.
 *
 * 64 bytes become two words, of which bit i says whether byte i is a digit, or a capital. With those of the
 * next 64 bytes behind them, shifts and ANDs test all 64 places at once for the shapes of the numbers.
 *
 * A number does not begin inside of a run of digits, so a run is one place, however long it is. Loosely, it
 * may begin behind the few bytes of a frame that happen to look like digits, and no deeper. */
#include <assert.h>
#include <string.h>
#include "policy/detect_parts.h"

__extension__ typedef unsigned __int128 mask;

enum { BLOCK = 64 };

#define REPEAT(byte) ((uint64_t)(byte)*0x0101010101010101u)

/* High bits of the bytes from `first` to `first + count - 1`; exact for every byte, nothing is carried over.
 */
static inline uint64_t in_range(uint64_t word, uint8_t first, uint8_t count)
{
    uint64_t low = word & REPEAT(0x7f);
    uint64_t at_least = low + REPEAT(0x80 - first);
    uint64_t beyond = low + REPEAT(0x80 - first - count);

    return at_least & ~beyond & ~word & REPEAT(0x80);
}

/* High bits to eight bits, that of the first byte lowest. */
static inline uint64_t gather(uint64_t high_bits)
{
    return high_bits * 0x0002040810204081u >> 56;
}

static inline uint64_t load(const uint8_t *bytes)
{
    uint64_t word;

    memcpy(&word, bytes, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

struct classes {
    uint64_t digits, capitals;
};

static inline struct classes classes_of_block(const uint8_t *bytes)
{
    struct classes c = { 0 };

    for (unsigned i = 0; i < BLOCK; i += 8) {
        uint64_t word = load(bytes + i);
        c.digits |= gather(in_range(word, '0', 10)) << i;
        c.capitals |= gather(in_range(word, 'A', 26)) << i;
    }
    return c;
}

static struct classes classes_at(const uint8_t *bytes, size_t at, size_t n)
{
    uint8_t last[BLOCK] = { 0 };

    if (at >= n)
        return (struct classes){ 0 };
    if (n - at >= BLOCK)
        return classes_of_block(bytes + at);
    memcpy(last, bytes + at, n - at);
    return classes_of_block(last);
}

/* Places from which at least four, five, eight … digits follow. */
struct runs {
    mask d, d2, d4, d8;
};

static inline struct runs runs_of(mask d)
{
    struct runs r = { .d = d };

    r.d2 = r.d & r.d >> 1;
    r.d4 = r.d2 & r.d2 >> 2;
    r.d8 = r.d4 & r.d4 >> 4;
    return r;
}

/* 14 digits or more in a row, 4-4-4-4, 4-6-4 and 4-6-5 with something between. */
static inline uint64_t card_places(const struct runs *r)
{
    mask plain = r->d8 & r->d4 >> 8 & r->d2 >> 12;
    mask first = r->d4 & ~(r->d >> 4) & r->d4 >> 5;
    mask fours = ~(r->d >> 9) & r->d4 >> 10 & ~(r->d >> 14) & r->d4 >> 15;
    mask sixes = r->d2 >> 9 & ~(r->d >> 11) & r->d4 >> 12;

    return (uint64_t)(plain | (first & (fours | sixes)));
}

/* 3-2-4 with something between. */
static inline uint64_t ssn_places(const struct runs *r)
{
    return (uint64_t)(r->d2 & r->d >> 2 & ~(r->d >> 3) & r->d2 >> 4 & ~(r->d >> 6) & r->d4 >> 7);
}

static inline uint64_t iban_places(const struct runs *r, mask capitals)
{
    return (uint64_t)(capitals & capitals >> 1 & r->d2 >> 2);
}

/* The lowest set bit is taken out. */
static inline unsigned take_lowest(uint64_t *bits)
{
    unsigned i = (unsigned)__builtin_ctzll(*bits);

    *bits &= *bits - 1;
    return i;
}

/* Places behind not more digits in a row than may be part of a frame. before: of the 64 bytes before. */
static inline uint64_t loose_begins(uint64_t before, uint64_t digits)
{
    mask behind1 = ((mask)digits << 64 | before) << 1; /* bit i: the byte before i is a digit */
    mask behind2 = behind1 & behind1 << 1;
    mask behind4 = behind2 & behind2 << 2;

    static_assert(DETECT_FRAME == 4, "one more digit than that is too deep");
    return ~(uint64_t)((behind4 & behind1 << 4) >> 64);
}

struct places {
    uint64_t cards, ssns, ibans;
};

static bool put_all(struct places places, size_t base, digits_put *put, struct detectors *d)
{
    while (places.cards)
        if (!put(d, BUILTIN_CREDIT_CARD, base + take_lowest(&places.cards)))
            return false;
    while (places.ssns)
        if (!put(d, BUILTIN_US_SSN, base + take_lowest(&places.ssns)))
            return false;
    while (places.ibans)
        if (!put(d, BUILTIN_IBAN, base + take_lowest(&places.ibans)))
            return false;
    return true;
}

void digits_search(const uint8_t *bytes, size_t from, size_t n, unsigned kinds, bool loose, digits_put *put,
                   struct detectors *d)
{
    struct classes now = classes_at(bytes, from, n);
    bool behind_digit = from > 0 && class_has(bytes[from - 1], CLASS_DIGIT);
    uint64_t before = 0; /* the digits of the block before; loose searches begin at 0 */

    for (size_t at = from; at < n; at += BLOCK) {
        struct classes next = classes_at(bytes, at + BLOCK, n);
        if (now.digits) {
            struct runs runs = runs_of(now.digits | (mask)next.digits << 64);
            uint64_t begins = loose ? loose_begins(before, now.digits) : ~(now.digits << 1 | behind_digit);
            struct places places = {
                .cards = kinds >> BUILTIN_CREDIT_CARD & 1 ? card_places(&runs) & begins : 0,
                .ssns = kinds >> BUILTIN_US_SSN & 1 ? ssn_places(&runs) & begins : 0,
                .ibans = 0,
            };
            if (kinds >> BUILTIN_IBAN & 1)
                places.ibans = iban_places(&runs, now.capitals | (mask)next.capitals << 64);
            if ((places.cards | places.ssns | places.ibans) && !put_all(places, at, put, d))
                return;
        } else if (now.capitals >> 62 && next.digits & 3 && kinds >> BUILTIN_IBAN & 1) {
            /* Capitals at the very end, their digits in the next block. */
            struct runs runs = runs_of((mask)next.digits << 64);
            struct places places = { .ibans = iban_places(&runs, now.capitals | (mask)next.capitals << 64) };
            if (places.ibans && !put_all(places, at, put, d))
                return;
        }
        behind_digit = now.digits >> 63;
        before = now.digits;
        now = next;
    }
}
