/*
 * Random values for properties. The seed is printed; SEED=<number> in the environment repeats a
 * run.
 */
#ifndef SALLYPORT_TESTS_UNIT_CHANCE_H
#define SALLYPORT_TESTS_UNIT_CHANCE_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct chance {
    uint64_t state;
};

static inline struct chance chance_new(const char *property)
{
    const char *given = getenv("SEED");
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t seed =
        given ? strtoull(given, NULL, 10) : (uint64_t)now.tv_sec ^ (uint64_t)now.tv_nsec;
    printf("%s: SEED=%" PRIu64 "\n", property, seed);
    return (struct chance){seed};
}

/* SplitMix64 (Steele, Lea, Flood 2014). */
static inline uint64_t chance_u64(struct chance *c)
{
    uint64_t z = c->state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* 0 … n-1 */
static inline uint64_t chance_below(struct chance *c, uint64_t n)
{
    return chance_u64(c) % n;
}

static inline void chance_bytes(struct chance *c, void *out, size_t n)
{
    uint8_t *bytes = out;

    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)chance_u64(c);
}

#endif
