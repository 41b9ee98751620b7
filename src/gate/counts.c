/* Verdicts by dialect and code. */
#include "gate/counts.h"

static const struct metric_spec spec = {
    .name = "sallyport_gate_verdicts_total",
    .help = "Questions that were answered, by dialect and code; VALID: it may pass.",
    .kind = METRIC_COUNTER,
    .labels = {"dialect", "code"},
    .hides_zeros = true,
};

static struct metric *verdicts;

static size_t series_of(enum gate_dialect dialect, enum err code)
{
    size_t place = code < E_CATALOGUE_END ? (size_t)code : (size_t)E_INTERNAL_ERROR;

    return (size_t)dialect * E_CATALOGUE_END + place;
}

void gate_counts_start(void)
{
    static const str dialects[GATE_DIALECTS_END] = {
        [GATE_JSON] = S("json"),
        [GATE_NGINX] = S("nginx"),
        [GATE_FORWARD] = S("forward"),
        [GATE_ENVOY] = S("envoy"),
        [GATE_INTROSPECT] = S("introspect"),
    };

    verdicts = metric_new(&spec, (size_t)GATE_DIALECTS_END * E_CATALOGUE_END);
    for (int d = 0; d < GATE_DIALECTS_END; d++)
        for (int e = 0; e < E_CATALOGUE_END; e++)
            metric_label(verdicts, series_of((enum gate_dialect)d, (enum err)e),
                         (const str[]){dialects[d], e ? err_info((enum err)e)->code : S("VALID")});
}

void gate_counts_stop(void)
{
    metric_drop(&verdicts);
}

void gate_count(enum gate_dialect dialect, enum err code)
{
    metric_add(verdicts, series_of(dialect, code), 1);
}

void gate_write_metrics(struct metric_page *page)
{
    metric_write(page, verdicts);
}
