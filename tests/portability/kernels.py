#!/usr/bin/env python3
"""What five compilers of GPU makers do with Strata's shaders, on no GPU.

  kernels.py BUILD STEM [NAME=VALUE...]   one shader of shaders/, compiled as the library does, in a table over devices

BUILD holds `probe` and portability/ (fetch.sh, `./dev portability`). --devices navi21,tgl chooses, --shaders DIR reads
other shaders, --assembly DIR keeps each device's text there. Exit: 0; 1 a kernel spills or does not compile; 77 a
driver is missing."""
import argparse
import json
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import loops
import machines

HERE = pathlib.Path(__file__).resolve().parent
ROUND = {'winograd2': 8} # terms in a round, else 16 as in shaders/tile.glsl: how often a ROLLED kernel's inner loop runs
DEVICES = ['navi21', 'navi31', 'tgl', 'dg2', 'ga102']


def on(build, device, *command):
    """Run a program of the build on a device that is not there: (exit code, standard output, standard error)."""
    done = subprocess.run([HERE / 'on.sh', build / 'portability', device, *map(str, command)], text=True,
                          stdin=subprocess.DEVNULL, capture_output=True)
    if done.returncode == 77:
        sys.stderr.write(done.stderr)
        sys.exit(77)
    return done.returncode, done.stdout, done.stderr


def examine(build, device, *what):
    """The kernels that `probe` prints, each with its figures added."""
    code, out, err = on(build, device, build / 'probe', '--assembly', *what)
    kernels = [json.loads(line) for line in out.splitlines()]
    if code or not kernels:
        sys.exit(f'{device}: probe failed: {err.strip()}')
    for kernel in kernels:
        kernel.update(machines.figures(device, kernel))
        e = kernel['executables'][-1]
        trips = ROUND.get(kernel['stem'], 16) if 'ROLLED=1' in kernel['defines'].split() else 1
        kernel['loop'] = loops.main_loop(e['language'], e['assembly'], trips) if 'assembly' in e else None
    return kernels


HEAD = ('device', 'lanes', 'registers', 'spilled', 'scratch', 'shared', 'waves', 'instr', 'FMA', 'of all', 'of ALU',
        'LDS B/FMA', 'loads', 'loop')


def row(device, k):
    c = k['loop']
    cells = [device, k['lanes'], k['registers'], k['spilled'], k['scratch'], k['shared'], k['waves'], k['instructions']]
    if c:
        alu = c['fma'] + c['alu'] - c['pairs']
        cells += [c['fma'], f"{c['fma'] / c['all']:.0%}", f"{c['fma'] / alu:.0%}", f"{c['lds_bytes'] / c['fma']:.2f}",
                  f"{c['lds']}+{c['load']}", c['all']]
    return [str(cell) for cell in cells + [''] * (len(HEAD) - len(cells))]


def table(rows):
    wide = [max(map(len, column)) for column in zip(*rows)]
    for cells in rows:
        print('  '.join(cell.rjust(w) if i else cell.ljust(w) for i, (cell, w) in enumerate(zip(cells, wide))).rstrip())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('build', type=pathlib.Path)
    parser.add_argument('stem')
    parser.add_argument('defines', nargs='*')
    parser.add_argument('--devices', default=','.join(DEVICES))
    parser.add_argument('--shaders', default=HERE.parents[1] / 'shaders')
    parser.add_argument('--assembly', type=pathlib.Path)
    a = parser.parse_args()
    rows, bad = [HEAD], False
    for device in a.devices.split(','):
        kernel = examine(a.build, device, a.shaders, a.stem, *a.defines)[0]
        rows.append(row(device, kernel))
        bad |= kernel['spilled'] > 0 or kernel['scratch'] > 0
        if a.assembly:
            a.assembly.mkdir(parents=True, exist_ok=True)
            (a.assembly / f'{device}-{a.stem}.txt').write_text(kernel['executables'][-1].get('assembly', ''))
    table(rows)
    sys.exit(1 if bad else 0)


if __name__ == '__main__':
    main()
