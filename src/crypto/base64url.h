/*
 * Base64url without padding (RFC 4648 section 5, as RFC 7515 section 2 narrows it), strictly: one
 * text for each sequence of bytes, so that two texts of one token cannot differ.
 */
#ifndef SALLYPORT_CRYPTO_BASE64URL_H
#define SALLYPORT_CRYPTO_BASE64URL_H

#include "base/arena.h"

/*
 * The bytes live in the arena, with a NUL behind them that is not counted. False: padding, spaces,
 * another alphabet, a length that nothing has, or bits set that no byte uses.
 */
bool base64url_read(struct arena *arena, str text, str *out);

str base64url_write(struct arena *arena, str bytes);

#endif
