"""Compiles files to bytecode that is never compared with its source: reads lines `file<TAB>bytecode file<TAB>name` from standard input.

The name is relative to the packages' folder, so that the bytecode is the same wherever the environment is; the import system
puts in the real path when it loads it.
"""
import importlib._bootstrap_external as external
import importlib.util
import os
import sys

for line in sys.stdin.buffer.read().decode("utf-8").split("\n"):
    if not line:
        continue
    source_path, target, name = line.split("\t")
    with open(source_path, "rb") as f:
        source = f.read()
    try:
        code = compile(source, name, "exec", dont_inherit=True)
    except Exception as error:  # A file for another Python, or a test of broken code: it stays without bytecode.
        print("%s: %s" % (name, error), file=sys.stderr)
        continue
    data = external._code_to_hash_pyc(code, importlib.util.source_hash(source), False)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    # Whole or not at all: a Python whose own library this is may be starting just now.
    with open(target + ".new", "wb") as f:
        f.write(data)
    os.chmod(target + ".new", 0o444)  # As it will be sealed.
    os.rename(target + ".new", target)
