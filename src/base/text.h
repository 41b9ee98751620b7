/* Unicode text: validity, length, folding (utf8proc). */
#ifndef SALLYPORT_BASE_TEXT_H
#define SALLYPORT_BASE_TEXT_H

#include "base/arena.h"
#include "base/str.h"

/*
 * NULL if the text is fit to be a name: 1 to max_chars code points of valid UTF-8, no control
 * characters (Cc), no line or paragraph separators, no bidirectional controls, not only spaces.
 * Else what is wrong, as the rest of a sentence: "is too long".
 */
const char *text_fault(str text, size_t max_chars);

/* ASCII letters, digits and "._-" only, 1 to max_bytes. */
bool text_is_plain(str text, size_t max_bytes);

/* The longest part from the front that is whole UTF-8: for text cut at a byte count. */
str text_valid_prefix(str text);

/*
 * Two spellings that a person takes for the same address or name fold to the same text: NFKC with
 * case folding (Unicode default caseless matching). STR_NONE if the text is not valid UTF-8.
 */
str text_fold(struct arena *arena, str text);

/*
 * An address that mail could reach: one "@" with something before it, a domain with a dot or a
 * single label after it, no spaces, no controls, 254 bytes at most (RFC 5321 section 4.5.3.1).
 */
bool text_is_email(str text);

#endif
