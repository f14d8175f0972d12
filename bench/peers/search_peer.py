"""FAISS or scikit-learn as one side of search.py, which starts it.

python search_peer.py CATALOG faiss|scikit-learn -k 10 --threads 2 --rows N

Prints one JSON line when ready, then one for each line "QUERIES SECONDS" of standard input, as build/bench/search_rate
does: the same queries, the median of the searches that SECONDS allow.
"""

import argparse
import json
import pathlib
import statistics
import sys
import time

import numpy as np


def read_codes(catalog, rows):
    shards = sorted(pathlib.Path(catalog, "codes").glob("*.npy"))
    return np.concatenate([np.load(shard) for shard in shards])[:rows]


def faiss_search(codes, k, threads):
    import faiss

    faiss.omp_set_num_threads(threads)
    index = faiss.IndexFlatL2(codes.shape[1])
    index.add(codes)
    return lambda queries: index.search(queries, k)[1]


def scikit_search(codes, k, threads):
    from sklearn.neighbors import NearestNeighbors
    from threadpoolctl import threadpool_limits

    threadpool_limits(threads)
    index = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(codes)
    return lambda queries: index.kneighbors(queries, return_distance=False)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("catalog")
    parser.add_argument("side", choices=("faiss", "scikit-learn"))
    parser.add_argument("-k", type=int, default=10)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--rows", type=int, required=True)
    options = parser.parse_args()
    codes = read_codes(options.catalog, options.rows)
    search = {"faiss": faiss_search, "scikit-learn": scikit_search}[options.side](codes, options.k, options.threads)
    print(json.dumps({"rows": len(codes)}), flush=True)
    for line in sys.stdin:
        count, seconds = int(line.split()[0]), float(line.split()[1])
        times, first = [], None
        began = time.perf_counter()
        while not times or time.perf_counter() - began < seconds:
            places = (len(times) * count + np.arange(count)) * 7919 % len(codes)
            queries = codes[places]
            start = time.perf_counter()
            found = search(queries)
            times.append(time.perf_counter() - start)
            first = found[0].tolist() if first is None else first
        print(json.dumps({"queries": count, "milliseconds": statistics.median(times) * 1e3, "first": first}),
              flush=True)


if __name__ == "__main__":
    main()
