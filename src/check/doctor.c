#include "strata/doctor.h"

#include "check/judge.h"

/* Complaints of the validation layer are a check like any other. */
static void tell_complaints(strata_judge *j)
{
    const char *first = "";
    unsigned n = strata_device_complaints(j->device, &first);
    strata_judge_tell(j, &(strata_doctor_line) { .op = "device",
                                                 .options = "",
                                                 .variant = "-",
                                                 .tensor = "validation layer",
                                                 .sizes = "",
                                                 .error = n,
                                                 .passed = n == 0,
                                                 .why = n ? first : "" });
}

strata_status strata_doctor(strata_doctor_result *result, const strata_doctor_config *config)
{
    strata_status status = STRATA_OK;
    strata_judge j = { .depth = STRATA_JUDGE_MODERATE, .line = config->line, .context = config->context };
    if (result) *result = (strata_doctor_result) { 0 };
    STRATA_GO(strata_device_open(&j.device, &config->device));
    if (result) result->caps = *strata_device_caps(j.device);
    STRATA_GO(strata_device_open(&j.reference, &(strata_device_config) { .name = "cpu" }));
    for (const strata_row *row = strata_rows; row->op; row++) STRATA_GO(strata_judge_row(&j, row));
    STRATA_GO(strata_judge_updates(&j));
    STRATA_GO(strata_judge_augment(&j));
    STRATA_GO(strata_judge_step(&j));
    j.half = true; /* the same kernels with other loads and stores: one size of each row */
    j.depth = STRATA_JUDGE_QUICK;
    for (const strata_row *row = strata_rows; row->op; row++) STRATA_GO(strata_judge_row(&j, row));
    if (config->device.validate) tell_complaints(&j);
    if (j.failures)
        status = strata_fail(STRATA_CHECK_FAILED, "%u of %u checks failed on %s, first %s",
                             (unsigned)j.failures, (unsigned)j.lines, strata_device_caps(j.device)->name,
                             j.first);
done:
    if (result) {
        result->lines = j.lines;
        result->failures = j.failures;
    }
    strata_device_close(j.reference);
    strata_device_close(j.device);
    return status;
}
