/* Files of the pages that travel inside the binary; made at build time by script/lib/embed.py. */
#ifndef SALLYPORT_CONSOLE_EMBEDDED_H
#define SALLYPORT_CONSOLE_EMBEDDED_H

#include <stddef.h>

extern const unsigned char embedded_console_css[];
extern const size_t embedded_console_css_bytes;
extern const unsigned char embedded_console_js[];
extern const size_t embedded_console_js_bytes;
extern const unsigned char embedded_console_icon[]; /* SVG */
extern const size_t embedded_console_icon_bytes;

#endif
