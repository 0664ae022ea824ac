"""Dumps and loads what an application keeps in its folder: files, and SQLite databases while they are in use.

    data.py dump FOLDER [NAME …]     copies it into the folder that JOVE_DUMP names, each database as of one moment
    data.py load FOLDER [NAME …]     puts that copy in its place; nobody may use the folder meanwhile
    data.py prove FOLDER             checks the databases of the copy

NAMEs in the folder are no data: they are neither copied nor replaced.
"""

import os
import shutil
import sqlite3
import sys

# What services make anew; what is kept of data steps, and of migrations; what a load works in.
LEFT_OUT = {"tmp", ".steps.jsonl", ".migrating", ".migrations.json", ".load", ".old"}
MAGIC = b"SQLite format 3\0"
BESIDE = ("-journal", "-shm", "-wal")


def is_database(path):
    with open(path, "rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def is_beside(path):
    """Whether a file is the journal of a database, which is in the copy of that database."""
    for suffix in BESIDE:
        if path.endswith(suffix) and os.path.isfile(path[: -len(suffix)]) and is_database(path[: -len(suffix)]):
            return True
    return False


def copy_database(source, target):
    with sqlite3.connect("file:%s?mode=ro" % source.replace("%", "%25").replace("?", "%3f").replace("#", "%23"), uri=True) as one:
        with sqlite3.connect(target) as other:
            one.backup(other)
        other.close()
    one.close()
    shutil.copymode(source, target)


def copy(source, target, is_live):
    for entry in sorted(os.scandir(source), key=lambda entry: entry.name):
        to = os.path.join(target, entry.name)
        if entry.is_symlink():
            os.symlink(os.readlink(entry.path), to)
        elif entry.is_dir():
            os.mkdir(to, 0o700)
            copy(entry.path, to, is_live)
        elif entry.is_file():
            try:
                if is_live and is_beside(entry.path):
                    continue
                if is_live and is_database(entry.path):
                    copy_database(entry.path, to)
                else:
                    shutil.copy2(entry.path, to)
            except FileNotFoundError:
                pass  # it was removed while the application went on


def top(folder):
    return [name for name in sorted(os.listdir(folder)) if name not in LEFT_OUT]


def copy_top(source, target, is_live):
    for name in top(source):
        path, to = os.path.join(source, name), os.path.join(target, name)
        if os.path.islink(path):
            os.symlink(os.readlink(path), to)
        elif os.path.isdir(path):
            os.mkdir(to, 0o700)
            copy(path, to, is_live)
        elif os.path.isfile(path) and not (is_live and is_beside(path)):
            if is_live and is_database(path):
                copy_database(path, to)
            else:
                shutil.copy2(path, to)


def load(dump, folder):
    new, old = os.path.join(folder, ".load"), os.path.join(folder, ".old")
    for path in (new, old):
        shutil.rmtree(path, ignore_errors=True)
        os.mkdir(path, 0o700)
    copy_top(dump, new, False)
    for name in top(folder):
        os.rename(os.path.join(folder, name), os.path.join(old, name))
    for name in os.listdir(new):
        os.rename(os.path.join(new, name), os.path.join(folder, name))
    os.rmdir(new)
    shutil.rmtree(old)


def prove(dump):
    for folder, _, names in os.walk(dump):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.islink(path) or not is_database(path):
                continue
            with sqlite3.connect(path) as database:
                found = database.execute("PRAGMA integrity_check").fetchone()[0]
            database.close()
            if found != "ok":
                sys.exit("error: the database %s in the dump is damaged: %s" % (name, found))


def main(verb, folder, *names):
    LEFT_OUT.update(names)
    dump = os.environ["JOVE_DUMP"]
    os.makedirs(folder, mode=0o700, exist_ok=True)
    if verb == "dump":
        copy_top(folder, dump, True)
    elif verb == "load":
        load(dump, folder)
    else:
        prove(dump)


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    main(*sys.argv[1:])
