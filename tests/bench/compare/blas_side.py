"""The machine's limit: OpenBLAS sgemm of 1024 x 1024. Reads and writes what strata_side.c does; a step is one product.

    blas_side.py THREADS
"""
import ctypes
import ctypes.util
import sys
import time

N = 1024
library = ctypes.CDLL(ctypes.util.find_library("openblas") or "libopenblas.so.0")
library.openblas_set_num_threads(int(sys.argv[1]))
library.openblas_get_config.restype = ctypes.c_char_p
array = ctypes.c_float * (N * N)
a, b, c = (array(*([0.5] * (N * N))) for _ in range(3))
one, zero = ctypes.c_float(1), ctypes.c_float(0)
ROW, PLAIN = 101, 111
print(library.openblas_get_config().decode(), flush=True)
for line in sys.stdin:
    n = int(line.split()[1])
    start, cpu = time.perf_counter(), time.process_time()
    for _ in range(n):
        library.cblas_sgemm(ROW, PLAIN, PLAIN, N, N, N, one, a, N, b, N, zero, c, N)
    print(f"{time.perf_counter() - start:.6f} {time.process_time() - cpu:.6f}", flush=True)
