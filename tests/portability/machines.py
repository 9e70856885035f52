"""The devices that are argued about: what their drivers' statistics are called, and what bounds how many waves
(subgroups) are in flight. Numbers of the hardware are those of its maker's or Mesa's documents, named in each row."""

# registers: of a lane, in one SIMD's file, for waves of `wave` lanes; granule: they are given out in these; most: waves
# that a SIMD holds; simds: of a unit that shares `shared` bytes of memory among its workgroups.
AMD = {
    # RDNA 2: 1024 registers of 32 lanes a SIMD, given out in 8 (waves of 64), 16 waves, 2 x 64 KiB in a WGP of 4 SIMDs.
    'navi21': dict(wave=64, registers=512, granule=8, most=16, simds=4, shared=128 << 10),
    # RDNA 3 (navi31): 1536 registers, given out in 12 (waves of 64).
    'navi31': dict(wave=64, registers=768, granule=12, most=16, simds=4, shared=128 << 10),
    # GCN: 256 registers of 64 lanes, 10 waves, 64 KiB in a compute unit of 4 SIMDs.
    **{name: dict(wave=64, registers=256, granule=4, most=10, simds=4, shared=64 << 10)
       for name in ('polaris10', 'vega10', 'raven')},
}
NVIDIA = {
    # 65536 registers of 32 bits an SM, given out to warps in 256; GA102: 48 warps, TU102: 32; 100 and 64 KiB.
    'ga102': dict(file=65536, most=48, shared=100 << 10, simds=4),
    'tu102': dict(file=65536, most=32, shared=64 << 10, simds=4),
}
INTEL = {
    # 128 registers of 32 bytes a thread, always: only whole workgroups and shared memory bound them. Threads of a
    # subslice: EUs x 7, DG2's x 8; shared memory 64 KiB, from gen 12 on 128 KiB.
    **{name: dict(threads=56, shared=64 << 10) for name in ('bdw', 'skl', 'kbl', 'cfl', 'icl')},
    'ivb': dict(threads=64, shared=64 << 10), 'hsw': dict(threads=70, shared=64 << 10),
    **{name: dict(threads=112, shared=128 << 10) for name in ('tgl', 'rkl', 'adl', 'adlp', 'rpl', 'dg1')},
    'dg2': dict(threads=128, shared=128 << 10),
}


def chip(device):
    """The chip of a device of on.sh."""
    return device.removeprefix('null-').removesuffix('@trixie')


def occupancy(device, kernel, registers, lanes):
    """(waves in flight in a unit, the most it holds)"""
    group, shared = kernel['group'], max(kernel['shared'], 1)
    waves = -(-group // lanes)
    if device in AMD:
        m = AMD[device]
        least = -(-max(registers, 1) // m['granule']) * m['granule']
        held = m['simds'] * min(m['most'], m['registers'] // least)
        return min(held // waves, m['shared'] // shared) * waves, m['simds'] * m['most']
    if device in NVIDIA:
        m = NVIDIA[device]
        held = min(m['most'], m['file'] // (-(-registers * 32 // 256) * 256))
        return min(held // waves, m['shared'] // (shared + 1024), 16) * waves, m['most']
    m = INTEL[device]
    return min(m['threads'] // waves, m['shared'] // shared) * waves, m['threads']


def figures(device, kernel):
    """lanes, registers, spilled, scratch, instructions and waves of what `probe` printed."""
    device = chip(device)
    e = kernel['executables'][-1]
    s, lanes = e['statistics'], e['subgroup']
    if device in AMD:
        registers, spilled = s['VGPRs'], s['Spilled VGPRs'] + s['Spilled SGPRs']
        scratch, instructions = s['Scratch size'], s['Instructions']
    elif device in NVIDIA:
        registers, spilled, scratch, instructions = s['Number of GPRs'], 0, s['SLM Size'], s['Instruction count']
    else:
        registers, spilled = 128, s['Spill Count'] + s['Fill Count']
        scratch, instructions = s['Scratch Memory Size'], s['Instruction Count']
    held, most = occupancy(device, kernel, registers, lanes)
    return dict(lanes=lanes, registers=registers, spilled=spilled, scratch=scratch, instructions=instructions,
                waves=f'{held}/{most}')


# What bounds a kernel, of one product of each family. peak: flop/s of f32; memory: bytes/s; units: WGPs, SMs, subslices;
# lanes: multiply-adds a unit takes in a clock; bank: bytes of shared memory that a unit reads in a clock; issues: which
# instructions take a turn of the pipe that multiply-adds need ('alu': others have pipes of their own; 'all': one in all).
PRODUCTS = {
    'navi21': dict(product='RX 6800', peak=16.2e12, memory=512e9, units=30, lanes=128, bank=256, issues='alu'),
    'navi31': dict(product='RX 7900 XTX', peak=61.4e12, memory=960e9, units=48, lanes=256, bank=256, issues='alu'),
    'tgl': dict(product='Iris Xe, 96 EUs', peak=2.07e12, memory=68e9, units=6, lanes=128, bank=128, issues='alu'),
    'dg2': dict(product='Arc A770', peak=17.2e12, memory=560e9, units=32, lanes=128, bank=128, issues='alu'),
    'ga102': dict(product='RTX 3090', peak=35.6e12, memory=936e9, units=82, lanes=128, bank=128, issues='all'),
}


def bounds(device, loop):
    """(share of the device's multiply-adds that instructions leave, that shared memory leaves), each at most 1."""
    p = PRODUCTS[device]
    turns = loop['fma'] + loop['alu'] - loop['pairs'] if p['issues'] == 'alu' else loop['all']
    reads = loop['lds_bytes'] / loop['fma']
    return min(1, loop['fma'] / turns), min(1, p['bank'] / p['lanes'] / reads) if reads else 1


# Units that the shim or the driver does not tell right, as the product has them: NVK on a shim tells 2.
CORES = {'ga102': 82, 'tu102': 68}


def limits(device):
    return ['--limits', f'cores={CORES[device]}'] if device in CORES else []
