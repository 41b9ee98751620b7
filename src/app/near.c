/* Distance between names: optimal string alignment, letters compared without case. */
#include "app/near.h"

enum { NAME_MAX_BYTES = 64 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static bool is_same(str a, size_t i, str b, size_t j)
{
    return str_ieq(str_sub(a, i, 1), str_sub(b, j, 1));
}

static size_t distance(str a, str b)
{
    size_t rows[3][NAME_MAX_BYTES + 1];
    size_t *older = rows[0], *last = rows[1], *now = rows[2];

    for (size_t j = 0; j <= b.n; j++)
        last[j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        now[0] = i;
        for (size_t j = 1; j <= b.n; j++) {
            size_t changed = last[j - 1] + !is_same(a, i - 1, b, j - 1);
            now[j] = least(changed, least(last[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && is_same(a, i - 1, b, j - 2) && is_same(a, i - 2, b, j - 1))
                now[j] = least(now[j], older[j - 2] + 1);
        }
        size_t *free_row = older;
        older = last;
        last = now;
        now = free_row;
    }
    return last[b.n];
}

void near_init(struct near *near, str wanted)
{
    /* One letter of a short name may be wrong, and one more for every four. */
    *near = (struct near){.wanted = wanted, .distance = 2 + wanted.n / 4};
}

void near_try(struct near *near, str name)
{
    if (near->wanted.n > NAME_MAX_BYTES || name.n > NAME_MAX_BYTES)
        return;
    size_t d = distance(near->wanted, name);
    if (d >= near->distance || d >= name.n)
        return;
    near->distance = d;
    near->best = name;
}
