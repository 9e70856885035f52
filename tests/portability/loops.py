"""The main loop of a compiled kernel, read from the text that the driver's compiler gives of it.

The main loop is, of those that hold half of the most multiply-adds or more, the smallest. Every instruction in it
counts once, also where lanes may jump over it, so the share of multiply-adds is a lower bound. A loop within it is not
told apart, unless its trips are given: then the main loop is the one around it, with what is within counted as often
as it runs.
Kernels with few products have no such loop."""
import re

FMA_LEAST = 8  # below, a loop is no inner product

# What an instruction does, the first pattern that fits: multiply-add, shared memory, global memory, barrier,
# jump, none (waits and hints that take no place of their own), scalar (AMD and NVIDIA: a pipe beside the vectors').
RADV = [
    ('fma2', r'v_dual_fmac_f32.*v_dual_fmac_f32'),
    ('fma', r'v_(fma|fmac|mad|mac)(ak|mk)?(_legacy)?_f32|v_dual_fmac_f32'),
    ('none', r's_(waitcnt|nop|delay|clause|inst_prefetch|set_inst|sendmsg)'),
    ('lds', r'ds_(read|load)'), ('lds_write', r'ds_(write|store)'),
    ('load', r'(buffer|global|flat|image|scratch)_load'), ('store', r'(buffer|global|flat|scratch)_store'),
    ('load', r's_(load|buffer_load)'),
    ('barrier', r's_barrier'), ('jump', r's_c?branch|s_setpc'), ('scalar', r's_'), ('alu', r'v_'),
]
ANV = [
    ('fma', r'(\(.*?\) )?mad(\.\w+)*\(\d+\).*:?F\b'),
    ('none', r'(sync|nop)\b'),
    ('barrier', r'(wait|barrier)\b'), ('jump', r'(\(.*?\) )?(if|else|endif|while|break|cont|jmpi|halt)\b'),
    ('send', r'(\(.*?\) )?sends?c?\b'), ('alu', r'.'),
]
NAK = [
    ('fma', r'(\S+ += +)?ffma'),
    ('none', r'nop\b'),
    ('lds', r'\S+ += +ld\.shared'), ('lds_write', r'st\.shared'), ('load', r'\S+ += +(ld\.|ldc)'), ('store', r'st\.'),
    ('barrier', r'bar\.'), ('jump', r'(bra|bsync|exit|break|warpsync)\b|b\d+ += +(bssy|bclear)'),
    ('scalar', r'(ur|up)\d'), ('alu', r'.'),
]


def kind_of_send(description):
    """Of Intel's messages: shared memory is surface 254 (older) or "slm"."""
    shared = 'slm MsgDesc' in description or 'Surface = 254' in description
    if 'barrier' in description:
        return 'barrier'
    if re.search(r'\b(read|load)', description):
        return 'lds' if shared else 'load'
    if re.search(r'\b(write|store)', description):
        return 'lds_write' if shared else 'store'
    return 'other'


def fitting(table, text):
    return next((kind for kind, pattern in table if re.match(pattern, text)), 'other')


def from_jumps(code):
    """Instructions and loops of a text in which a loop is what stands between a label and the jump back to it.
    code: [(label or None, jump target or None, kind, bytes of shared memory)]"""
    place = {label: i for i, (label, *_) in enumerate(code) if label}
    loops = [range(place[target], i + 1) for i, (_, target, *_) in enumerate(code)
             if target in place and place[target] <= i]
    return [(kind, size) for _, _, kind, size in code], [frozenset(l) for l in loops]


def read_radv(text):
    code = []
    for line in text.splitlines():
        line = line.split(';')[0].strip()
        if label := re.fullmatch(r'(BB\d+):', line):
            code.append((label[1], None, None, 0))
        elif line:
            kind = fitting(RADV, line)
            target = re.search(r'\bBB\d+', line) if kind == 'jump' else None
            width = re.match(r'ds_(?:read|load)_?(2?)\w*?_?b(\d+)', line)
            code.append((None, target and target[0], kind, (2 if width[1] else 1) * int(width[2]) // 8 if width else 0))
    return from_jumps(code)


def read_anv(text):
    code, send = [], None
    for line in text.splitlines():
        line = line.strip()
        if send and 'MsgDesc' in line:
            kind = kind_of_send(line)
            registers = re.search(r'(rlen|dst_len =) (\d+)', line) # of 32 bytes, for as many lanes as the message has
            lanes = int(re.search(r'\((\d+)\)', send)[1])
            code.append((None, None, kind, 32 * int(registers[2]) // lanes if kind == 'lds' and registers else 0))
            send = None
        elif label := re.fullmatch(r'(LABEL\d+):', line):
            code.append((label[1], None, None, 0))
        elif re.match(r'(\([^)]*\) *)?[a-z]', line) and not line.startswith(('START', 'END')):
            kind = fitting(ANV, line)
            if kind == 'send':
                send = line
                continue
            target = re.search(r'LABEL\d+', line) if re.match(r'(\(.*?\) )?while', line) else None
            code.append((None, target and target[0], kind, 0))
    return from_jumps(code)


def natural_loops(successors):
    """Of a graph of blocks {number: [numbers]} that begins with its least: the sets of blocks of its loops."""
    entry, blocks = min(successors), set(successors)
    before = {b: {a for a in blocks if b in successors[a]} for b in blocks}
    above = {b: blocks if b != entry else {entry} for b in blocks} # blocks on every way to b
    changed = True
    while changed:
        changed = False
        for b in sorted(blocks - {entry}):
            now = {b} | (set.intersection(*(above[a] for a in before[b])) if before[b] else set())
            changed, above[b] = changed or now != above[b], now
    bodies = {}
    for tail in blocks:
        for head in set(successors[tail]) & above[tail]:
            body, todo = bodies.setdefault(head, {head}), [tail]
            while todo:
                b = todo.pop()
                if b not in body:
                    body.add(b)
                    todo += before[b]
    return bodies.values()


def read_nak(text):
    """NAK names the blocks that follow each one, and puts parts of a loop behind the end."""
    code, successors, parts, block = [], {}, {}, None
    for line in text.splitlines():
        line = line.split('//')[0].strip()
        if begin := re.match(r'block\S* (\d+) ', line):
            block = int(begin[1])
            parts[block] = []
        elif end := re.match(r'\} -> \[(.*)\]', line):
            successors[block] = [int(n) for n in re.findall(r'\d+', end[1])]
        elif line:
            line = re.sub(r'^@\S+ +', '', line)
            bits = re.search(r'ld\.shared\S*\.b(\d+)', line)
            parts[block].append(len(code))
            code.append((fitting(NAK, line), int(bits[1]) // 8 if bits else 0))
    return code, [frozenset(i for b in body for i in parts[b]) for body in natural_loops(successors)]


READERS = {'Assembly': read_radv, 'GEN Assembly': read_anv, 'NAK assembly': read_nak}


def tally(instructions):
    count = dict.fromkeys(('fma', 'alu', 'lds', 'load', 'lds_bytes', 'all'), 0)
    for kind, size in instructions:
        if kind and kind != 'none':
            pair = 2 if kind == 'fma2' else 1 # RDNA 3: two in one instruction
            kind = 'fma' if pair == 2 else kind
            count[kind] = count.get(kind, 0) + pair
            count['pairs'] = count.get('pairs', 0) + pair - 1
            count['lds_bytes'] += size
            count['all'] += 1
    return count


def main_loop(language, text, trips=1):
    """Counts of the main loop by kind ('fma', 'lds', ..., 'all', 'lds_bytes' read by a lane); None: there is none.
    trips: how often the loop with the multiply-adds runs within the one around it."""
    code, loops = READERS[language](text)
    counted = [(tally(code[i] for i in sorted(l)), l) for l in loops]
    most = max((c['fma'] for c, _ in counted), default=0)
    if most < FMA_LEAST:
        return None
    inner, body = min((c for c in counted if 2 * c[0]['fma'] >= most), key=lambda c: c[0]['all'])
    around = min((c for c in counted if c[1] > body), key=lambda c: c[0]['all'], default=None)
    if trips == 1 or not around:
        return inner
    return {kind: n + (trips - 1) * inner.get(kind, 0) for kind, n in around[0].items()}
