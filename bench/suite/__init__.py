"""The benchmark suite: Innerloop and its rivals on the same tensors. tools/bench.sh starts it."""
