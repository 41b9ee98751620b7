/* Routes about the server itself: health, version, contract, error pages. */
#ifndef SALLYPORT_APP_META_H
#define SALLYPORT_APP_META_H

#include "http/router.h"

extern const struct route meta_routes[];

#endif
