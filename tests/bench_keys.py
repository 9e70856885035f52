#!/usr/bin/env python3
"""Is what `strata bench --json` wrote what programs may count on, and what the help says?

    bench_keys.py JSON HELP

Keys are listed once more here: one that is renamed or gone fails, one that is new wants a line here and in the help.
"""
import json
import re
import sys

TOP = """device driver strata model batch micro_batch image classes steps parameters processor_time train_images_per_s
infer_images_per_s train_s infer_s train_cpu_s infer_cpu_s host_s train_kernel_s infer_kernel_s outside_kernels open_s
start_s memory_bytes least_memory_bytes limits lines""".split()
LIMITS = "flops_per_s bytes_per_s copies submit_s dispatch_s timestamps".split()
LINE = "node op phase pass variant shape launches seconds flops bytes of_limit".split()

bench = json.load(open(sys.argv[1]))
words = set(re.findall(r"[a-z_]+", open(sys.argv[2]).read()))
faults = []


def check(what, got, wanted):
    if sorted(got) != sorted(wanted):
        faults.append(f"{what}: missing {sorted(set(wanted) - set(got))}, new {sorted(set(got) - set(wanted))}")
    faults.extend(f"{what}: the help does not say {key}" for key in wanted if key not in words)


check("top", bench, TOP)
check("limits", bench["limits"], LIMITS)
for line in bench["lines"]:
    check(line["node"], line, LINE)
for phase in () if faults else ("train", "infer"):
    total = sum(line["seconds"] for line in bench["lines"] if line["phase"] == phase)
    if abs(total - bench[phase + "_kernel_s"]) > 1e-6 * total:
        faults.append(f"{phase}_kernel_s is {bench[phase + '_kernel_s']}, the lines' sum {total}")
    rate = bench[phase + "_images_per_s"]
    if abs(bench["batch"] / bench[phase + "_s"] - rate) > 1e-3 * rate:
        faults.append(f"{phase}_images_per_s is not batch / {phase}_s")
if not 0 <= bench["outside_kernels"] < 1:
    faults.append(f"outside_kernels is {bench['outside_kernels']}, no share")
print("\n".join(faults) or "all there")
sys.exit(bool(faults))
