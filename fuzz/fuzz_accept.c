/*
 * version_judge on Accept: case does not matter, nor does an honest range of another type put in
 * front; a claim is a part of the text; and the field, asking for the same, never conflicts.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "decide/version.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define VENDOR S("boundedhealth")

static void check_claim(struct version_claim claim, str accept)
{
    bool has_asked = !str_is_none(claim.asked);

    assert(has_asked == (claim.fault != VERSION_MISSING));
    if (has_asked)
        assert(claim.asked.p >= accept.p && claim.asked.p + claim.asked.n <= accept.p + accept.n);
    bool is_usable = claim.fault == VERSION_OK || claim.fault == VERSION_MISSING;
    assert(is_usable == !str_is_none(claim.canonical));
    if (claim.fault == VERSION_OK)
        assert(version_judge(claim.asked, accept, VENDOR).fault == VERSION_OK);
}

static void check_variant(str text, enum version_fault want)
{
    assert(version_judge(STR_NONE, text, VENDOR).fault == want);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char other[] = "text/html;x=\"a,b\" , ";
    str accept = {(const char *)data, size};
    struct version_claim claim = version_judge(STR_NONE, accept, VENDOR);
    size_t head = sizeof other - 1;
    char *copy = malloc(head + size);

    assert(copy);
    check_claim(claim, accept);
    memcpy(copy, other, head);
    if (size)
        memcpy(copy + head, data, size);
    check_variant((str){copy, head + size}, claim.fault);
    for (size_t i = head; i < head + size; i++)
        if (copy[i] >= 'a' && copy[i] <= 'z')
            copy[i] = (char)(copy[i] - 'a' + 'A');
    check_variant((str){copy + head, size}, claim.fault);
    free(copy);
    return 0;
}
