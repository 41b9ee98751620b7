/* What the settings say about gateways. Inside gate/ only. */
#ifndef SALLYPORT_GATE_GATEWAYS_H
#define SALLYPORT_GATE_GATEWAYS_H

#include "gate/gate.h"

const struct gate_settings *gate_settings(void);

#endif
