#!/usr/bin/env python3
"""Strata on GPUs that are not there: their drivers are real, the device below them does nothing.

  gpus.py BUILD [--devices navi21,...|all] [--keep FILE.json] [--quick]

For each device: whole training runs under the validation layer, which must be silent (limits, memory types and queues
are the driver's; nothing computes, so no result is judged); then the compiler's figures of every kernel that those runs
and `strata doctor` made. A kernel that a run launches may neither spill nor use scratch memory. That a kernel which
does is seen is tried first. --keep writes what page.py makes the tables of assets/performance.md from. --quick is for
every day: needs nothing fetched, trains one network on Intel's driver, and has its kernels compiled by four compilers.

Exit: 0; 1 something is wrong; 77 a driver is missing (`./dev portability` fetches them)."""
import argparse
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import kernels
import machines

HERE = pathlib.Path(__file__).resolve().parent
RUNS = { # name: size of images, options
    'resnet18 small': ('32', '--model resnet18 --stem small --batch 64 --opt sgd'),
    'resnet18 imagenet': ('224', '--model resnet18 --stem imagenet --batch 16 --opt adamw'),
    'resnet18 fp16': ('32', '--model resnet18 --stem small --batch 64 --opt sgd --precision fp16'),
    'resnet18 winograd': ('32', '--model resnet18 --stem small --batch 64 --opt sgd --variants conv2d=winograd'),
    'resnet18 winograd2': ('32', '--model resnet18 --stem small --batch 64 --opt sgd --variants conv2d=winograd2'),
    'resnet50': ('32', '--model resnet50 --stem imagenet --batch 32 --opt lamb'),
    'mobilenet-v1': ('32', '--model mobilenet-v1 --batch 32 --opt lars'),
}
COUNTED = ['resnet18 small', 'resnet18 imagenet'] # whose work page.py wants to know
NOT_FINITE = 5 # strata's exit code: where nothing computes a loss it is zero, or on NVK what was there before


def make_data(folder):
    """Noise: a CIFAR-10 folder, and a folder of 32 pictures of 224x224 in two classes."""
    noise = random.Random(1)
    small, large = folder / '32', folder / '224'
    small.mkdir(parents=True)
    for name in [f'data_batch_{i}.bin' for i in range(1, 6)] + ['test_batch.bin']:
        (small / name).write_bytes(b''.join(bytes([i % 10]) + noise.randbytes(3072) for i in range(64)))
    (small / 'batches.meta.txt').write_text('\n'.join(f'class{i}' for i in range(10)) + '\n')
    for part in ('train', 'valid'):
        for i in range(32):
            path = large / part / f'class{i % 2}' / f'{i}.ppm'
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b'P6 224 224 255\n' + noise.randbytes(224 * 224 * 3))
    return folder


class Faults(list):
    def tell(self, text):
        self.append(text)
        print(f'  FAULT {text}')


def train(build, device, data, work, faults, runs=tuple(RUNS)):
    """{run: launches} of whole runs with validation on, but for those that failed."""
    launches = {}
    for name in runs:
        images, options = RUNS[name]
        folder = work / name.replace(' ', '-')
        code, out, err = kernels.on(build, device, build / 'strata', 'train', data / images, *options.split(),
                                    '--epochs', '1', '--augment', 'none', '--run-dir', folder, '--validate', '--progress', 'none',
                                    *machines.limits(device))
        if code not in (0, NOT_FINITE):
            faults.tell(f'{device}: strata train ({name}): exit {code}: {err.strip().splitlines()[-1:]}')
            continue
        run = json.loads((folder / 'run.json').read_text())
        launches[name] = [dict(l, phase=phase) for phase, some in run['launches'].items() for l in some]
        print(f'  {name}: {len(launches[name])} launches recorded, '
              + ('ended by a loss that is what memory held' if code else f"{run['steps']} steps, validation silent"))
    return launches


def identity(kernel):
    """What tells kernels apart: stem, pass and defines."""
    if 'kernel' in kernel:
        return kernel['kernel'], f"PASS={kernel['pass']} {kernel['defines']}".strip()
    return kernel['stem'], kernel['defines']


def judge(device, made, launched, faults):
    for k in made:
        bad = [f'{k[what]} {text}' for what, text in (('spilled', 'registers spilled'), ('scratch', 'bytes of scratch'))
               if k[what]]
        k['launched'] = identity(k) in launched
        if bad and k['launched']:
            faults.tell(f"{device}: {k['stem']} {k['defines']}: {', '.join(bad)}")
        elif bad:
            print(f"  note: {k['stem']} {k['defines']}, which no run launches: {', '.join(bad)}")
    missing = launched - {identity(k) for k in made}
    if missing:
        faults.tell(f'{device}: {len(missing)} kernels that were launched were not examined: {sorted(missing)[:3]}')


def try_planted(build, device, work, faults):
    """A kernel that cannot be kept in registers must be seen, or nothing that follows means anything."""
    shaders = work / 'planted'
    shaders.mkdir()
    for path in (HERE.parents[1] / 'shaders/kernel.glsl', HERE / 'planted/spill.comp'):
        shutil.copy(path, shaders)
    k = kernels.examine(build, device, shaders, 'spill')[0]
    if not k['spilled'] and not k['scratch']:
        faults.tell(f'{device}: the planted kernel that spills is not seen')


def work_of(build, device, run):
    """The work of each layer and pass, as `strata bench` counts it: of a device whose clock may be read."""
    size, options = RUNS[run]
    code, out, err = kernels.on(build, device, build / 'strata', 'bench', *options.split(), '--size', size, '--steps',
                                '1', '--json')
    if code:
        sys.exit(f'{device}: strata bench: exit {code}: {err.strip()}')
    return [{key: line[key] for key in ('node', 'op', 'pass', 'flops', 'bytes', 'launches')}
            for line in json.loads(out)['lines'] if line['phase'] == 'train']


NEWER = {'navi21': 'null-navi21@trixie', 'navi31': 'null-navi31@trixie', 'tgl': 'tgl@trixie', 'dg2': 'dg2@trixie'}


def examine_by_newer(build, device, launched, work, faults):
    """The same kernels by the compiler of Mesa 25: [how many, launched, of those with spills or scratch]."""
    made = kernels.examine(build, NEWER[device], '--cache', work / 'cache/strata')
    judge(NEWER[device], made, launched, faults)
    mine = [k for k in made if k['launched']]
    print(f"  {len(made)} kernels compiled by {made[0]['device']} of Mesa 25")
    return [len(made), len(mine), sum(1 for k in mine if k['spilled'] or k['scratch'])]


def examine_device(build, device, data, work, faults):
    os.environ['XDG_CACHE_HOME'] = str(work / 'cache')
    _, out, _ = kernels.on(build, device, build / 'strata', 'devices', '--json')
    entry = json.loads(out)[0]
    try_planted(build, device, work, faults)
    launches = train(build, device, data, work, faults, [run for run in RUNS if entry['fp16'] or 'fp16' not in run])
    code, out, err = kernels.on(build, device, build / 'strata', 'doctor')
    checks = re.search(r'(\d+) checks', out + err)
    if code not in (0, 1) or not checks: # its checks fail on a device that computes nothing; its kernels are made
        faults.tell(f'{device}: strata doctor: exit {code}: {err.strip().splitlines()[-1:]}')
    made = kernels.examine(build, device, '--cache', work / 'cache/strata')
    launched = {identity(l) for some in launches.values() for l in some}
    judge(device, made, launched, faults)
    print(f"  {len(made)} kernels compiled by {made[0]['device']}, {len(launched)} of them launched by runs")
    newer = examine_by_newer(build, device, launched, work, faults) if device in NEWER else None
    for k in made:
        k['language'] = k.pop('executables')[-1].get('language')
    return dict(name=entry['name'], driver=entry['driver'], launches=launches, kernels=made, newer=newer)


QUICK = ['tgl', 'dg2', 'null-navi21', 'null-vega10'] # of the system's Mesa; the first one trains


def examine_quickly(build, data, work, faults):
    os.environ['XDG_CACHE_HOME'] = str(work / 'cache')
    launches = train(build, QUICK[0], data, work, faults, ['resnet18 small'])
    launched = {identity(l) for some in launches.values() for l in some}
    for device in QUICK:
        (work / device).mkdir()
        try_planted(build, device, work / device, faults)
        made = kernels.examine(build, device, '--cache', work / 'cache/strata')
        judge(device, made, launched, faults)
        print(f"  {len(launched)} kernels compiled by {made[0]['device']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('build', type=pathlib.Path)
    parser.add_argument('--devices', default=','.join(kernels.DEVICES))
    parser.add_argument('--keep', type=pathlib.Path)
    parser.add_argument('--quick', action='store_true')
    a = parser.parse_args()
    build, faults, found = a.build.resolve(), Faults(), {}
    commit = subprocess.run(['git', '-C', HERE, 'describe', '--always', '--dirty', '--abbrev=12'], text=True,
                            capture_output=True).stdout.strip()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        data = make_data(folder / 'data')
        if a.quick:
            examine_quickly(build, data, folder, faults)
            sys.exit(1 if faults else 0)
        names = [*machines.AMD, *machines.INTEL, *machines.NVIDIA] if a.devices == 'all' else a.devices.split(',')
        for device in names:
            print(device, flush=True)
            (folder / device).mkdir()
            found[device] = examine_device(build, device, data, folder / device, faults)
        if a.keep:
            work = {run: work_of(build, 'navi21', run) for run in COUNTED}
            a.keep.write_text(json.dumps(dict(commit=commit, devices=found, work=work), indent=1))
    print(f'{len(faults)} faults on {len(found)} devices')
    sys.exit(1 if faults else 0)


if __name__ == '__main__':
    main()
