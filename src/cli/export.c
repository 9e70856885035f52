#include <inttypes.h>
#include <stdio.h>

#include "cli/commands.h"
#include "strata/weights.h"

static strata_status run(cli_arguments *a)
{
    strata_exported made;
    const strata_export_config config = { a->recipe, cli_option_given(a, "with-normalize") != NULL };
    STRATA_TRY(strata_export(a->word[0], a->word[1], &config, &made));
    printf("%s: input [N,%u,%u,%u] %s, output [N,%u], %" PRIu64 " %s, %.1f MB\n", a->word[1],
           (unsigned)made.c, (unsigned)made.h, (unsigned)made.w,
           config.normalise ? "pixels in [0,1]" : "normalised", (unsigned)made.classes, made.tensors,
           strata_noun(made.tensors, "tensor", "tensors"), (double)made.bytes / 1e6);
    return STRATA_OK;
}

static const cli_option options[] = {
    { 0, "with-normalize", NULL, "the file normalises: its input are pixels in [0,1]" },
    { 0, NULL, NULL, NULL },
};

const cli_command cli_export = {
    .name = "export",
    .summary = "write a run's network and weights as an ONNX file",
    .synopsis = "RUN|WEIGHTS MODEL.onnx [--with-normalize]",
    .examples = "strata export runs/NAME model.onnx\n"
                "strata export resnet18-f37072fd.pth resnet18.onnx --model resnet18",
    .text =
        "Writes ONNX, opset 13, which ONNX Runtime, OpenCV and others run: the input is [N,C,H,W] for any "
        "number N of images of the size the network was trained on, the output the logits [N,K]. Layers "
        "and tensors keep their names. The metadata has the model, the normalisation (mean and standard "
        "deviation of pixels in [0,1]) and the class names, one a line. With --with-normalize the first "
        "node applies the normalisation.",
    .options = options,
    .keys = "model stem head normalize",
    .least = 2,
    .most = 2,
    .run = run,
};
