/* augmented DEVICE WORDS SEED EPOCH N HxWxC OUTHxOUTW < stored > made
 *
 * What is made of images, for augmentation.py: N images [N,H,W,C] of bytes to N records of what was drawn for
 * each (src/cpu/augment.h), then what the network sees, f32 [N,OUTH,OUTW,C] normalised by ImageNet's mean
 * and deviation (of C = 1: 0.5, 0.25). WORDS are --augment's. Exit codes are those of strata. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/sample.h"
#include "train/augment.h"

typedef struct stage {
    strata_device *device;
    strata_block block;
    strata_stream *stream;
    strata_augment augment;
    strata_augment_work work;
    strata_tensor out;
    strata_slice values;
    uint32_t n;
} stage;

static strata_slice take(const stage *s, uint64_t *at, uint64_t bytes)
{
    const strata_slice slice = { &s->block, *at, bytes, false };
    *at = strata_align(*at + bytes);
    return slice;
}

static strata_status stage_open(stage *s, const char *device)
{
    const strata_augment *a = &s->augment;
    const uint64_t stored = s->n * strata_stored_bytes(a->h, a->w, a->c),
                   all = 4 * strata_shape_floats(s->out.shape);
    uint64_t at = 0;
    STRATA_TRY(strata_device_open(&s->device, &(strata_device_config) { .name = device, .validate = true }));
    STRATA_TRY(strata_block_open(&s->block, s->device,
                                 all + stored + s->n * (sizeof(strata_sample) + STRATA_AUGMENT_RECORD) +
                                     8 * (uint64_t)STRATA_ALIGN,
                                 STRATA_MEMORY_DEVICE));
    s->out.data = take(s, &at, all);
    s->work.out = &s->out;
    s->work.pixels = take(s, &at, stored);
    s->work.samples = take(s, &at, s->n * sizeof(strata_sample));
    s->work.records = take(s, &at, s->n * (uint64_t)STRATA_AUGMENT_RECORD);
    s->values = take(s, &at, sizeof(strata_step_values));
    return STRATA_OK;
}

/* Bytes from stdin, a word a pixel where there are three channels; image i is number i of its set. */
static strata_status fill(stage *s, uint64_t seed, uint32_t epoch)
{
    const strata_augment *a = &s->augment;
    const size_t image = strata_stored_bytes(a->h, a->w, a->c), pixels = (size_t)a->h * a->w;
    uint8_t *stored = calloc(s->n, image), bytes[3];
    strata_sample *samples = calloc(s->n, sizeof *samples);
    const strata_step_values step = { .seed_low = (uint32_t)seed,
                                      .seed_high = (uint32_t)(seed >> 32),
                                      .epoch = epoch };
    strata_status status = stored && samples ? STRATA_OK : strata_fail(STRATA_NO_MEMORY, "no memory");
    for (uint32_t n = 0; n < s->n && status == STRATA_OK; n++) {
        samples[n].image = n;
        for (size_t i = 0; i < pixels && status == STRATA_OK; i++) {
            if (fread(bytes, 1, a->c, stdin) != a->c)
                status = strata_fail(STRATA_FILE, "there are fewer images than %u", (unsigned)s->n);
            else
                memcpy(stored + n * image + i * (a->c == 1 ? 1 : 4), bytes, a->c);
        }
    }
    if (status == STRATA_OK) status = strata_device_write(s->device, s->work.pixels, stored);
    if (status == STRATA_OK) status = strata_device_write(s->device, s->work.samples, samples);
    if (status == STRATA_OK) status = strata_device_write(s->device, s->values, &step);
    free(stored);
    free(samples);
    return status;
}

static strata_status make(stage *s)
{
    STRATA_TRY(strata_stream_open(&s->stream, s->device));
    strata_stream_step_values(s->stream, s->values);
    STRATA_TRY(strata_augment_record(s->stream, &s->augment, &s->work, STRATA_TRAIN));
    STRATA_TRY(strata_stream_end(s->stream));
    return strata_stream_run(s->stream);
}

static strata_status answer(stage *s)
{
    const uint32_t lanes = strata_lanes(s->augment.c);
    const size_t floats = strata_shape_floats(s->out.shape);
    char *records = malloc(s->work.records.bytes);
    float *pixels = malloc(floats * sizeof *pixels);
    strata_status status = records && pixels ? STRATA_OK : strata_fail(STRATA_NO_MEMORY, "no memory");
    if (status == STRATA_OK) status = strata_device_read(s->device, records, s->work.records);
    if (status == STRATA_OK) status = strata_device_read(s->device, pixels, s->out.data);
    if (status == STRATA_OK) fwrite(records, 1, s->work.records.bytes, stdout);
    for (size_t i = 0; status == STRATA_OK && i < floats; i += lanes)
        fwrite(pixels + i, sizeof *pixels, s->augment.c, stdout);
    free(records);
    free(pixels);
    return status;
}

int main(int argc, char **argv)
{
    static const float mean[2][3] = { { 0.5F }, { 0.485F, 0.456F, 0.406F } },
                       deviation[2][3] = { { 0.25F }, { 0.229F, 0.224F, 0.225F } };
    stage s = { .augment = { .scale = 255 }, .out = { .name = "input" } };
    strata_augment *a = &s.augment;
    strata_shape *shape = &s.out.shape;
    const char *first = "";
    if (argc != 8 || sscanf(argv[6], "%ux%ux%u", &a->h, &a->w, &a->c) != 3 || (a->c != 1 && a->c != 3) ||
        sscanf(argv[7], "%ux%u", &shape->h, &shape->w) != 2)
        return 2;
    s.n = shape->n = (uint32_t)strtoul(argv[5], NULL, 10);
    shape->c = a->c;
    memcpy(a->mean, mean[a->c == 3], sizeof *mean);
    memcpy(a->std, deviation[a->c == 3], sizeof *deviation);
    strata_status status = augment_read(a, argv[2]);
    if (status == STRATA_OK) status = stage_open(&s, argv[1]);
    if (status == STRATA_OK)
        status = fill(&s, strtoull(argv[3], NULL, 10), (uint32_t)strtoul(argv[4], NULL, 10));
    if (status == STRATA_OK) status = make(&s);
    if (status == STRATA_OK) status = answer(&s);
    if (status != STRATA_OK) fprintf(stderr, "augmented: %s\n", strata_message());
    if (s.device && strata_device_complaints(s.device, &first))
        fprintf(stderr, "augmented: validation: %s\n", first);
    strata_stream_close(s.stream);
    if (s.block.bytes) strata_block_close(&s.block, s.device);
    strata_device_close(s.device);
    return strata_status_exit_code(status);
}
