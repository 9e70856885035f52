#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "strata/weights.h"
#include "cli/terminal.h"

typedef struct counts {
    uint32_t n, renamed, changed;
} counts;

static void show(void *context, const strata_converted *c)
{
    counts *all = context;
    const bool renamed = strcmp(c->from, c->name) != 0, changed = strcmp(c->from_dtype, c->dtype) != 0;
    all->n++;
    all->renamed += renamed;
    all->changed += changed;
    if (renamed) printf("%s -> ", c->from);
    printf("%s  %s  ", c->name, c->shape);
    if (changed) printf("%s -> ", c->from_dtype);
    printf("%s\n", c->dtype);
}

static void show_note(void *context, const char *key, const char *value)
{
    (void)context;
    printf("%s  %s\n", key, value);
}

static strata_status run(cli_arguments *a)
{
    counts all = { 0 };
    char *from;
    STRATA_TRY(cli_weights_path(&from, a->word[0]));
    const strata_status status = strata_convert(from, a->word[1], cli_option_given(a, "dtype"), show,
                                                show_note, &all);
    free(from);
    STRATA_TRY(status);
    printf("%s: %u %s, %u renamed, %u of another type\n", a->word[1], (unsigned)all.n,
           strata_noun(all.n, "tensor", "tensors"), (unsigned)all.renamed, (unsigned)all.changed);
    return STRATA_OK;
}

static const cli_option options[] = {
    { 0, "dtype", "NAME", "of the floating-point tensors: f32, f16 or bf16 [f32]" },
    { 0, NULL, NULL, NULL },
};

const cli_command cli_convert = {
    .name = "convert",
    .summary = "write the weights of a .pth or .safetensors file as .safetensors",
    .synopsis = "RUN|FROM TO.safetensors [--dtype f32|f16|bf16]",
    .examples = "strata convert resnet18-f37072fd.pth resnet18.safetensors\n"
                "strata convert best.safetensors half.safetensors --dtype f16",
    .text = "Reads a state dict that torch.save wrote, or a .safetensors file (of a run's folder its best, "
            "else its last), and writes its tensors as .safetensors; every tensor is listed, with its name "
            "and type before and after where they changed. The pickle in a .pth file is read as data: "
            "nothing in it is executed, and what is no tensor, number, text or container is refused by its "
            "name. Numbers are rounded to nearest; one that is too large for f16 is an error. Tensors of "
            "whole numbers stay as they are.",
    .options = options,
    .keys = "",
    .least = 2,
    .most = 2,
    .run = run,
};
