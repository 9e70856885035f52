#!/usr/bin/env python3
"""Writes the tables of assets/performance.md anew, from what gpus.py --keep found.

  page.py FOLDER PAGE.md

FOLDER holds gpus.json, and software.json of `strata bench --cpu-time --json`. A table stands between <!-- NAME --> and
<!-- end -->. The least time of a convolution's pass is that of its multiply-adds where instructions and shared memory
leave them their share of the peak and the last wave of workgroups is not full, or that of its bytes where memory takes
longer; machines.py has the devices. Nothing but the table of the software device was measured."""
import collections
import json
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import gpus
import machines

LAUNCH = 4e-6 # seconds that a launch and the barrier before it take beside its work: of what GPU drivers are known for
SEEN = 0.6, 0.85 # of their bound, convolutions of a measured GPU: assets/performance.md says which
PASSES = [('conv2d', 'FORWARD'), ('conv2d', 'BACKWARD_X'), ('conv2d_weight', 'BACKWARD_W')]


def tile_of(defines):
    d = dict(pair.split('=') for pair in defines.split() if '=' in pair)
    if 'TILE_ROWS' in d:
        return f"{d['TILE_ROWS']}x{d['TILE_COLS']}, {d['BLOCK']}x{d['BLOCK']}"
    return f"{d['TILE']}x{d['TILE']}, 4x4" if 'TILE' in d else 'plain'


def conv_launches(device, run='resnet18 small'):
    """The launches of a training step that multiply, each with its kernel."""
    of = {(k['stem'], k['defines']): k for k in device['kernels']}
    return [dict(l, made=of[gpus.identity(l)]) for l in device['launches'][run]
            if l['phase'] == 'first' and (l['kernel'], l['pass']) in PASSES]


def workgroups(launch):
    return launch['groups'][0] * launch['groups'][1] * launch['groups'][2]


def share(name, launch):
    """Of the peak that one launch may come to: (instructions, shared memory, the last wave of workgroups)."""
    loop, units, n = launch['made']['loop'], machines.PRODUCTS[name]['units'], workgroups(launch)
    if not loop:
        return None
    return (*machines.bounds(name, loop), n / (-(-n // units) * units))


def step(name, device, run, work):
    """What a training step takes at least: seconds of convolutions, of all else, of launches; flops of convolutions."""
    p = machines.PRODUCTS[name]
    by_pass = collections.defaultdict(list)
    for l in conv_launches(device, run):
        by_pass[l['node'], l['pass']].append(l)
    conv = other = flops = 0.0
    for line in work:
        launches = by_pass.get((line['node'], line['pass']), [])
        if not launches:
            other += line['bytes'] / p['memory']
            continue
        flops += line['flops']
        groups = sum(map(workgroups, launches))
        busy = 0.0
        for l in launches: # the phases of a gradient share its work by their workgroups
            issue, shared, wave = share(name, l) or (0.1, 1, 1)
            busy += line['flops'] * workgroups(l) / groups / (p['peak'] * min(issue, shared) * wave)
        conv += max(busy, line['bytes'] / p['memory'])
    launched = sum(l['phase'] in ('first', 'update') for l in device['launches'][run])
    return conv, other, LAUNCH * launched, flops


def percent(x):
    return f'{100 * x:.0f} %'


INNER = 'lanes|registers|spilled, scratch|waves|FMA of all|FMA of ALU|shared B/FMA|loads/FMA'


def inner_loop(k):
    c = k['loop']
    alu = c['fma'] + c['alu'] - c['pairs']
    return '|'.join(map(str, (k['lanes'], k['registers'], f"{k['spilled']}, {k['scratch']}", k['waves'],
                              percent(c['fma'] / c['all']), percent(c['fma'] / alu),
                              f"{c['lds_bytes'] / c['fma']:.2f}", f"{(c['lds'] + c['load']) / c['fma']:.3f}")))


def kernels_table(found):
    yield f'device|pass|tile, block|{INNER}'
    for name, device in found['devices'].items():
        for stem, pass_ in PASSES:
            groups = collections.defaultdict(collections.Counter)
            for l in conv_launches(device):
                if (l['kernel'], l['pass']) == (stem, pass_) and l['made']['loop']:
                    groups[tile_of(l['made']['defines'])][l['made']['defines']] += 1
            for tile, defines in groups.items():
                k = next(k for k in device['kernels']
                         if (k['stem'], k['defines']) == (stem, defines.most_common(1)[0][0]))
                yield f'{name}|{pass_}|{tile}|{inner_loop(k)}'


def fused_table(found):
    """Winograd's F(2x2,3x3) in one kernel, the one that most of its launches are of."""
    yield f'device|pass|{INNER}'
    for name, device in found['devices'].items():
        launches = collections.Counter(gpus.identity(l) for l in device['launches']['resnet18 winograd2']
                                       if l['kernel'] == 'winograd2' and l['phase'] == 'first')
        for pass_ in ('FORWARD', 'BACKWARD_X', 'BACKWARD_W'):
            most = next(i for i, _ in launches.most_common() if f'PASS={pass_}' in i[1].split())
            k = next(k for k in device['kernels'] if gpus.identity(k) == most)
            yield f'{name}|{pass_}|{inner_loop(k)}'


def steps_table(found):
    yield ('network|device|as|instructions leave|shared memory leaves|last waves leave|convolutions|all else|launches|'
           f'images/s, at most|of the peak, at most|with convolutions at {SEEN[0]:.0%} to {SEEN[1]:.0%} of theirs')
    for run, work in found['work'].items():
        size, options = gpus.RUNS[run]
        batch = int(re.search(r'--batch (\d+)', options)[1])
        for name, device in found['devices'].items():
            p = machines.PRODUCTS[name]
            shares = [(share(name, l), workgroups(l)) for l in conv_launches(device, run)]
            total = sum(n for s, n in shares if s)
            mean = [sum(s[i] * n for s, n in shares if s) / total for i in range(3)]
            *parts, flops = step(name, device, run, work)
            seconds = sum(parts)
            reached = [flops / (seconds - parts[0] + parts[0] / r) / p['peak'] for r in SEEN]
            yield '|'.join((f'{run}, {size}x{size}, batch {batch}', name, p['product'], *map(percent, mean),
                            *(f'{1e3 * t:.1f} ms' for t in parts), f'{batch / seconds:.0f}',
                            percent(flops / seconds / p['peak']), f'{100 * reached[0]:.0f} to {percent(reached[1])}'))


def stems_table(found):
    """registers and waves of the worst kernel of each stem that a run launches"""
    devices = found['devices']
    yield 'kernel|' + '|'.join(devices)
    stems = sorted({k['stem'] for d in devices.values() for k in d['kernels'] if k['launched']})
    for stem in stems:
        cells = []
        for d in devices.values():
            mine = [k for k in d['kernels'] if k['stem'] == stem and k['launched']]
            least = min(mine, key=lambda k: eval_ratio(k['waves']), default=None)
            bad = sum(1 for k in mine if k['spilled'] or k['scratch'])
            cells.append(f"{len(mine)}: {max(k['registers'] for k in mine)}, {least['waves']}"
                         + (f', {bad} spill' if bad else '') if mine else '')
        yield f'`{stem}`|' + '|'.join(cells)


def eval_ratio(text):
    held, most = map(int, text.split('/'))
    return held / most


def drivers_table(found):
    yield 'device|as the driver calls it|driver|kernels compiled|launched by runs|of those with spills or scratch'
    for name, d in found['devices'].items():
        launched = [k for k in d['kernels'] if k['launched']]
        bad = sum(1 for k in launched if k['spilled'] or k['scratch'])
        yield f"{name}|{d['name'].strip()}|{d['driver']}|{len(d['kernels'])}|{len(launched)}|{bad}"
        if d['newer']:
            yield '|'.join((name, "the same kernels", "trixie's Mesa 25", *map(str, d['newer'])))


def software_table(found):
    """sums over layers, as `strata bench` prints them"""
    bench = found['software']
    yield 'operation|pass|variant|share of the step|GFLOP/s|GB/s|of the limit'
    lines = collections.defaultdict(lambda: [0, 0, 0, 0])
    for l in bench['lines']:
        if l['phase'] == 'train':
            for i, x in enumerate((l['seconds'], l['flops'], l['bytes'], l['of_limit'] * l['seconds'])):
                lines[l['op'], l['pass'], l['variant']][i] += x
    all_seconds = sum(seconds for seconds, *_ in lines.values())
    for key, (seconds, flops, size, best) in sorted(lines.items(), key=lambda line: -line[1][0]):
        if seconds >= 0.01 * all_seconds:
            yield '|'.join((*key, percent(seconds / all_seconds), f'{flops / seconds / 1e9:.0f}',
                            f'{size / seconds / 1e9:.1f}', percent(best / seconds)))


def limits_table(found):
    bench = found['software']
    limits = bench['limits']
    yield 'device|multiply-adds|copy|a submission|a launch|a step of batch ' + str(bench['batch'])
    yield (f"{bench['device']}|{limits['flops_per_s'] / 1e9:.0f} GFLOP/s|{limits['bytes_per_s'] / 1e9:.1f} GB/s|"
           f"{1e6 * limits['submit_s']:.0f} us|{1e6 * limits['dispatch_s']:.0f} us|"
           f"{bench['train_cpu_s']:.2f} s of processor time, {1e6 * bench['host_s']:.0f} us of it the host's work")


TABLES = {'drivers': drivers_table, 'kernels': kernels_table, 'fused': fused_table, 'steps': steps_table, 'stems': stems_table,
          'limits': limits_table, 'software': software_table}


def markdown(rows):
    head, *rest = (f"| {row.replace('|', ' | ')} |" for row in rows)
    return '\n'.join([head, '|---' * (head.count('|') - 1) + '|', *rest])


def main():
    folder = pathlib.Path(sys.argv[1])
    found = json.loads((folder / 'gpus.json').read_text())
    found['software'] = json.loads((folder / 'software.json').read_text())
    page = pathlib.Path(sys.argv[2])
    text = page.read_text()
    for name, table in TABLES.items():
        text, n = re.subn(f'(<!-- {name} -->\n).*?(<!-- end -->)',
                          lambda m: f'{m[1]}\n{markdown(table(found))}\n\n{m[2]}', text, flags=re.DOTALL)
        if n != 1:
            sys.exit(f'{page}: wanted one table <!-- {name} --> ... <!-- end -->, found {n}')
    page.write_text(text)


if __name__ == '__main__':
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main()
